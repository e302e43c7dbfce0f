/*
 * 02_two_errors.c - three buffers freed by the wrong functions, after the manual's example of two
 * errors.
 *
 * Shows: each mistake is caught where it happens and named, in a release build. A mix of families
 * is survivable: with the policy REPORT the block is freed and booked right. A pointer that was
 * never in the heap is not: that one is done in a child process.
 *
 * The manual's worst line is free(buf1): libc takes a block of another allocator and breaks itself
 * later. libc cannot know; run this program under `tidemark run`, where malloc is on the heap too,
 * and that line is named as well.
 *
 *   cc 02_two_errors.c -o 02_two_errors $(pkg-config --cflags --libs tidemark-pymem)
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidemark/pymem.h>
#include <tidemark/tidemark.h>

/* Frees p in a child and says how that ended: the default for memory errors is to stop at once. */
static void free_in_child(void *p)
{
  pid_t child = fork();
  if (child == 0) {
    struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    PyMem_Free(p);
    _exit(0);
  }
  int status = 0;
  if (child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status))
    printf("  ... and the process was ended: %s\n", strsignal(WTERMSIG(status)));
}

int main(void)
{
  /* Reports go to standard error; here they shall appear between our own lines. */
  (void)setvbuf(stdout, NULL, _IONBF, 0);
  (void)dup2(STDOUT_FILENO, STDERR_FILENO);
  (void)tm_mismatch_set(TM_MISMATCH_REPORT); /* the default is TM_MISMATCH_ABORT */

  char *buf1 = PyMem_New(char, BUFSIZ);
  char *buf2 = malloc(BUFSIZ);
  char *buf3 = PyMem_Malloc(BUFSIZ);
  char *buf4 = PyObject_Malloc(BUFSIZ);
  if (!buf1 || !buf2 || !buf3 || !buf4)
    return 1;

  puts("PyMem_Del(buf3), from PyMem_Malloc: fine, Del is another name for Free");
  PyMem_Del(buf3);

  puts("PyMem_RawFree(buf4), from PyObject_Malloc: wrong family");
  PyMem_RawFree(buf4);

  if (tm_owns(buf2)) {
    puts("free(buf1), from PyMem_New: malloc is on the heap as well, so the mix is seen");
    free(buf1);
  } else {
    puts("PyObject_Free(buf1), from PyMem_New: wrong family");
    PyObject_Free(buf1);
    puts("PyMem_Free(buf2), from libc's malloc: not of this heap at all");
    free_in_child(buf2);
  }
  free(buf2);

  tm_stats stats;
  tm_stats_init(&stats);
  (void)tm_stats_read(tm_heap_default(), &stats);
  printf("%llu families were mixed up\n", (unsigned long long)stats.family_mismatches_total);
  tm_pool_row row;
  for (size_t i = 0; tm_pool_stats_read(tm_heap_default(), i, &row) == 1 && i < 3; i++)
    printf("%s: %llu blocks are left\n", row.name, (unsigned long long)row.live_blocks);
  return 0;
}
