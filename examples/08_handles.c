/*
 * 08_handles.c - blocks that may move.
 *
 * Shows: a handle names a block instead of pointing to it, so that the heap can move the block. A
 * cache of documents is filled and thinned out at random; what is left is scattered over many half
 * empty pages. Compaction gathers it, trim gives the empty pages back, and every handle still leads
 * to its document.
 *
 *   cc 08_handles.c -o 08_handles $(pkg-config --cflags --libs tidemark)
 */
#include <stdio.h>
#include <string.h>

#include <tidemark/tidemark.h>

enum { DOCUMENTS = 20000, BYTES = 500 };

static tm_handle documents[DOCUMENTS];

static int fill(tm_heap *heap)
{
  for (int i = 0; i < DOCUMENTS; i++) {
    if (tm_handle_new(heap, BYTES, &documents[i]) != 0)
      return 1;
    char *text = tm_handle_lock(heap, documents[i]); /* an address, until the unlock */
    (void)snprintf(text, BYTES, "document %d", i);
    (void)tm_handle_unlock(heap, documents[i]);
  }
  return 0;
}

/* Keeps one document of eight, here and there. */
static int thin_out(tm_heap *heap)
{
  unsigned random = 7;
  int kept = 0;
  for (int i = 0; i < DOCUMENTS; i++) {
    random = random * 1664525u + 1013904223u;
    if (random >> 29 == 0) {
      kept++;
      continue;
    }
    (void)tm_handle_free(heap, documents[i]);
    documents[i].id = 0; /* names none */
  }
  return kept;
}

static int count_intact(tm_heap *heap)
{
  int intact = 0;
  for (int i = 0; i < DOCUMENTS; i++) {
    char expected[32];
    const char *text = tm_handle_lock(heap, documents[i]); /* NULL when it names none */
    if (!text)
      continue;
    (void)snprintf(expected, sizeof expected, "document %d", i);
    intact += strcmp(text, expected) == 0;
    (void)tm_handle_unlock(heap, documents[i]);
  }
  return intact;
}

static void print_pages(const tm_heap *heap, const char *when)
{
  tm_stats s;
  tm_stats_init(&s);
  (void)tm_stats_read(heap, &s);
  printf("%-13s %5llu KiB live on %3llu pages\n", when, (unsigned long long)s.live_bytes / 1024,
         (unsigned long long)s.pages);
}

int main(void)
{
  tm_heap *heap;
  if (tm_heap_new(&heap, NULL) != 0 || fill(heap) != 0)
    return 1;
  print_pages(heap, "filled:");
  int kept = thin_out(heap);
  print_pages(heap, "thinned out:");

  /* A locked block stays where it is: its address is in use. */
  int locked = 0;
  while (documents[locked].id == 0)
    locked++;
  const void *address = tm_handle_lock(heap, documents[locked]);

  uint64_t moved = tm_handles_compact(heap); /* the compact rung calls it by itself */
  print_pages(heap, "compacted:");
  printf("%llu KiB were moved, the locked document was%s\n", (unsigned long long)moved / 1024,
         address == tm_handle_lock(heap, documents[locked]) ? " not" : ", too");
  (void)tm_handle_unlock(heap, documents[locked]);
  (void)tm_handle_unlock(heap, documents[locked]);

  printf("trim gave %llu KiB back to the system\n", (unsigned long long)tm_trim(heap) / 1024);
  printf("%d of %d documents are intact\n", count_intact(heap), kept);
  return tm_heap_close(heap);
}
