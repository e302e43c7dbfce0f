/* consumer.c - what somebody else's program does with an installed Tidemark. */
#include <stdio.h>

#ifdef WITH_PYMEM
#include <tidemark/pymem.h>
#endif
#ifdef WITH_MONITOR
#include <tidemark/monitor.h>
#endif
#include <tidemark/tidemark.h>

int main(void)
{
  tm_heap *heap = tm_heap_default();
  uint64_t before = tm_footprint(heap);
  void *block = tm_malloc(heap, TM_MEM, 1000);
  if (!block || tm_footprint(heap) - before != tm_usable_size(block))
    return 1;
  tm_free(heap, TM_MEM, block);
#ifdef WITH_PYMEM
  char *text = PyMem_New(char, 100);
  if (!text || !tm_owns(text))
    return 2;
  PyMem_Del(text);
#endif
#ifdef WITH_MONITOR
  char why[200];
  int fd = tm_monitor_listen("127.0.0.1:not a port", why, sizeof why);
  if (fd >= 0 || !why[0])
    return 3;
#endif
  if (tm_footprint(heap) != before)
    return 4;
  printf("tidemark %s\n", tm_version());
  return 0;
}
