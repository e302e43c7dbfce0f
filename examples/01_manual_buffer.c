/*
 * 01_manual_buffer.c - the I/O buffer of the Python/C API manual's memory chapter.
 *
 * Shows: one buffer taken three ways, from libc, by PyMem_Malloc and by PyMem_New, and what each
 * tells the heap; growing it by PyMem_Resize; what a request for nothing and one for too much give.
 *
 *   cc 01_manual_buffer.c -o 01_manual_buffer $(pkg-config --cflags --libs tidemark-pymem)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tidemark/pymem.h>
#include <tidemark/stats.h>

static unsigned long long footprint(void)
{
  return (unsigned long long)tm_footprint(tm_heap_default());
}

/* The manual's buffer is used for input or output: here, one line goes through it. */
static void use(const char *from, char *buffer, size_t bytes)
{
  (void)snprintf(buffer, bytes, "%zu bytes", bytes);
  printf("%-12s gave %s, the heap knows of %llu\n", from, buffer, footprint());
}

int main(void)
{
  /* From libc: it works, but the memory manager is not informed. */
  char *buffer = malloc(BUFSIZ);
  if (!buffer)
    return 1;
  use("malloc", buffer, BUFSIZ);
  free(buffer);

  /* The same line with the heap's allocator: every byte is in the books. */
  buffer = PyMem_Malloc(BUFSIZ);
  if (!buffer)
    return 1;
  use("PyMem_Malloc", buffer, BUFSIZ);
  PyMem_Free(buffer);

  /* And by type: counts elements, casts, checks the multiplication. */
  buffer = PyMem_New(char, BUFSIZ);
  if (!buffer)
    return 1;
  use("PyMem_New", buffer, BUFSIZ);

  /* PyMem_Resize assigns its result, also when that is NULL: keep the old pointer. */
  char *kept = buffer;
  if (!PyMem_Resize(buffer, char, 10 * BUFSIZ)) {
    PyMem_Del(kept);
    return 1;
  }
  printf("after PyMem_Resize: \"%s\" is still there, the heap knows of %llu\n", buffer,
         footprint());

  kept = buffer;
  PyMem_Resize(buffer, char, PTRDIFF_MAX);
  printf("a resize to half the address space: %s, \"%s\" is still there\n",
         buffer ? "a block" : "NULL", kept);
  PyMem_Del(kept);

  /* Nothing is something: a distinct block, so that NULL always means failure. */
  void *none = PyMem_Malloc(0), *other = PyMem_Calloc(0, 8);
  printf("zero bytes: %s and %s, %s\n", none ? "a block" : "NULL", other ? "a block" : "NULL",
         none != other ? "distinct" : "the same");
  PyMem_Free(none);
  PyMem_Free(other);
  printf("at the end the heap knows of %llu\n", footprint());
  return 0;
}
