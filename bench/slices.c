/*
 * slices.c - a loop that slices a large string and appends to it, in a real mruby.
 *
 * Stands for: small objects that hold large buffers, under a collector that counts objects. mruby's
 * own collector sees a handful of new objects where megabytes pile up. The interpreter's memory is
 * a heap of ours in every arm; in the first one the engine does nothing, in the others it asks for
 * a collection where the host polls, between two steps. Prints the peak of the footprint, the
 * processor time and the collections that were asked for.
 */
#include "bench.h"

#include <inttypes.h>
#include <mruby.h>
#include <mruby/compile.h>
#include <mruby/string.h>
#include <tidemark/tidemark.h>

#define MIB ((uint64_t)1 << 20)

static const char policy_names[] = "off,growth,debt,sqrt";
static const unsigned kinds[] = {0, TM_POLICY_GROWTH, TM_POLICY_GROWTH | TM_POLICY_DEBT,
                                 TM_POLICY_SQRT};

static const char program[] = "def setup(n)\n"
                              "  $text = 'x' * n\n"
                              "end\n"
                              "def step\n"
                              "  $text = $text[1..-1] + 'y'\n"
                              "end\n";

static void *serve(mrb_state *mrb, void *p, size_t n, void *heap)
{
  (void)mrb;
  if (n == 0) {
    tm_free(heap, TM_MEM, p);
    return NULL;
  }
  return tm_realloc(heap, TM_MEM, p, n);
}

static int collect(void *ctx, const tm_event *event)
{
  (void)event;
  mrb_full_gc(ctx);
  return TM_HOOK_DONE;
}

static void call(mrb_state *mrb, const char *name, int argc, mrb_value argument)
{
  int arena = mrb_gc_arena_save(mrb);
  (void)mrb_funcall(mrb, mrb_top_self(mrb), name, argc, argument);
  if (mrb->exc != NULL) {
    bench_die(BENCH_EXIT_FAILED, "the program raised an exception");
  }
  mrb_gc_arena_restore(mrb, arena);
}

int main(int argc, char **argv)
{
  bench_option options[] = {{"policy", 1, 0, 3, policy_names},
                            {"kib", 1024, 1, 1 << 20, NULL},
                            {"steps", 3000, 1, UINT32_MAX, NULL}};
  bench_begin(argc, argv, options, 3);
  tm_heap *heap = NULL;
  tm_policy policy;
  tm_policy_init(&policy);
  policy.kinds = kinds[options[0].value];
  if (tm_heap_new(&heap, NULL) != 0 || tm_policy_set(heap, &policy) != 0) {
    bench_die(BENCH_EXIT_FAILED, "no heap");
  }
  mrb_state *mrb = mrb_open_allocf(serve, heap);
  if (mrb == NULL ||
      (options[0].value != 0 && tm_hook_add(heap, TM_COLLECT, collect, mrb, NULL) != 0)) {
    bench_die(BENCH_EXIT_FAILED, "no interpreter");
  }
  double start = bench_cpu_ns();
  (void)mrb_load_string(mrb, program);
  call(mrb, "setup", 1, mrb_fixnum_value((mrb_int)options[1].value << 10));
  for (uint64_t i = 0; i < options[2].value; i++) {
    call(mrb, "step", 0, mrb_nil_value());
    (void)tm_poll(heap);
  }
  double seconds = (bench_cpu_ns() - start) / 1e9;
  tm_action_row row;
  tm_stats stats;
  tm_stats_init(&stats);
  if (tm_stats_read(heap, &stats) != 0 || tm_action_stats_read(heap, TM_COLLECT, &row) != 1) {
    bench_die(BENCH_EXIT_FAILED, "no statistics");
  }
  mrb_close(mrb);
  (void)printf("peak_mib=%.1f cpu_s=%.3f collections=%" PRIu64 "\n",
               (double)stats.footprint_peak_bytes / (double)MIB, seconds, row.runs_total);
  return tm_heap_close(heap) == 0 ? 0 : BENCH_EXIT_FAILED;
}
