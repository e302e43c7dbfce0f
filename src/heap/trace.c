/* trace.c - recording a heap: the functions of trace.h. What is recorded stands in gc/recorder.c,
 * when a sample is taken in safepoint.c. */
#include <tidemark/trace.h>

#include "gc/recorder.h"
#include "heap/heap.h"

int tm_trace_start(tm_heap *heap, const char *path)
{
  return heap && path ? tm__recorder_start(&heap->engine, path) : TM_EINVAL;
}

int tm_trace_stop(tm_heap *heap)
{
  return heap ? tm__recorder_stop(&heap->engine) : TM_EINVAL;
}
