/*
 * 10_embedded_python.c - a program with Python inside, collected on bytes.
 *
 * Shows: a C program that runs Python scripts puts the heap under the interpreter itself, after
 * Python chose its allocators and before it makes objects. From then on the footprint of the
 * scripts is known to the byte, limits hold, and cycles with large buffers go when their bytes call
 * for it. The program hears of each decision.
 *
 *   cc 10_embedded_python.c -o 10_embedded_python \
 *      $(pkg-config --cflags --libs tidemark python3-embed)
 */
#include <Python.h>
#include <stdio.h>
#include <tidemark/python.h>
#include <tidemark/tidemark.h>

static const char script[] = "class Frame: pass\n"
                             "for number in range(500):\n"
                             "    frame = Frame()\n"
                             "    frame.me, frame.pixels = frame, bytearray(1 << 20)\n"
                             "print('500 frames of 1 MiB, each in a cycle')\n";

/* Called at safe points, with the GIL: one could call Python here. */
static void count(void *runs, const tm_record *record)
{
  if (record->verdict == TM_FIRED && record->kind == TM_COLLECT_MINOR)
    ++*(int *)runs;
}

static int start_python(void)
{
  PyPreConfig before;
  PyPreConfig_InitPythonConfig(&before);
  if (PyStatus_Exception(Py_PreInitialize(&before)))
    return -1;

  int error = tm_python_install(); /* here, and nowhere else */
  if (error) {
    (void)fprintf(stderr, "no collections on bytes: %s\n", tm_strerror(error));
    return -1;
  }

  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  PyStatus status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  return PyStatus_Exception(status) ? -1 : 0;
}

int main(void)
{
  tm_heap *heap = tm_heap_default();
  tm_stats stats;
  int runs = 0;
  if (start_python() != 0)
    return 1;
  (void)tm_limit_set(heap, TM_SOFT, 64 << 20);
  tm_python_on_event(count, &runs);

  if (PyRun_SimpleString(script) != 0)
    return 1;

  tm_stats_init(&stats);
  (void)tm_stats_read(heap, &stats);
  printf("peak below the limit of 64 MiB: %s\n",
         stats.footprint_peak_bytes < 64 << 20 ? "yes" : "no");
  printf("minor collections: %s\n", runs > 5 ? "more than 5" : "too few");

  (void)Py_FinalizeEx();
  printf("left after Python's end: less than %s\n",
         tm_footprint(heap) < 1 << 20 ? "1 MiB" : "everything");
  return 0;
}
