/*
 * decide_bench.h - one state, one set of inputs, one decision: for tests that give every number.
 */
#ifndef TM_TESTS_GC_DECIDE_BENCH_H
#define TM_TESTS_GC_DECIDE_BENCH_H

#include "gc/model.h"

enum {
  DROP = 1 << TM_DROP_CACHES,
  MINOR = 1 << TM_COLLECT_MINOR,
  FULL = 1 << TM_COLLECT,
  COMPACT = 1 << TM_COMPACT,
  TRIM = 1 << TM_TRIM,
  NEAR = 1 << TM_NEAR_LIMIT
};

typedef struct bench {
  tm_policy_state s;
  tm_inputs in;
  tm_decision d;
} bench;

static inline bench *fresh(unsigned hooks)
{
  static bench b;
  memset(&b, 0, sizeof b);
  tm_policy_state_init(&b.s, NULL, 100 * SECOND);
  b.in = (tm_inputs){.size = sizeof b.in, .now_ns = 100 * SECOND, .hooks = hooks};
  tm_decide(&b.in, &b.s, &b.d); /* it has seen the hooks */
  return &b;
}

/* The footprint is `mib` now, all of it allocated since the start or the last call of grown(). */
static inline void grown(bench *b, uint64_t mib)
{
  if (mib * MIB > b->in.footprint_bytes)
    b->in.allocated_bytes_total += mib * MIB - b->in.footprint_bytes;
  b->in.footprint_bytes = mib * MIB;
}

static inline int decide(bench *b)
{
  tm_decide(&b->in, &b->s, &b->d);
  return b->d.kind;
}

static inline void expect(bench *b, tm_verdict verdict, int kind)
{
  (void)decide(b);
  assert_int_equal(b->d.kind, kind);
  assert_int_equal(b->d.verdict, verdict);
}

static inline void expect_nothing(bench *b)
{
  expect(b, TM_VERDICT_COUNT, -1);
  assert_int_equal(b->d.reasons, 0);
  assert_int_equal(b->d.next_due_ns, 0);
  assert_true(b->d.look_bytes > b->in.footprint_bytes);
}

/* The rung ran for `ns` and left `mib`. */
static inline void ran(bench *b, tm_hook_kind kind, int result, uint64_t ns, uint64_t mib)
{
  tm_outcome o = {.kind = kind,
                  .result = result,
                  .start_ns = b->in.now_ns,
                  .end_ns = b->in.now_ns + ns,
                  .footprint_before_bytes = b->in.footprint_bytes,
                  .footprint_after_bytes = mib * MIB,
                  .committed_before_bytes = b->in.committed_bytes,
                  .committed_after_bytes = b->in.committed_bytes,
                  .allocated_bytes_total = b->in.allocated_bytes_total};
  b->in.footprint_bytes = mib * MIB;
  b->in.now_ns += ns;
  tm_decide_outcome(&b->s, &o);
}

#endif
