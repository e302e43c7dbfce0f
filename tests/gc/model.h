/*
 * model.h - a host that exists only as numbers, under the real tm_decide and a clock that only
 * moves when the host works or collects. Three generations, as CPython's collector is driven: a
 * minor run takes the youngest, every fourth one the middle one too, a full run takes all.
 *
 *   footprint == live + garbage, over all generations
 */
#ifndef TM_TESTS_GC_MODEL_H
#define TM_TESTS_GC_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <tidemark/gc.h>

#include "base/hints.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define MS ((uint64_t)1000000)
#define SECOND ((uint64_t)1000000000)
#define NO_TRIP UINT64_MAX

enum { YOUNG, MIDDLE, OLD, GENERATIONS };

typedef struct model {
  tm_policy_state state;
  uint64_t now_ns;
  uint64_t live[GENERATIONS], garbage[GENERATIONS];
  uint64_t allocated_bytes;
  uint64_t soft_bytes, hard_bytes;
  uint64_t committed_bytes, dirty_bytes; /* committed follows the footprint unless set */
  unsigned hooks;
  /* What the host is like. */
  double work_ns_per_byte; /* its own time per allocated byte */
  double scan_ns_per_byte; /* collector time per byte looked at */
  double fixed_ns;         /* of any run */
  double share_scanned;    /* of bytes: buffers are not looked at */
  /* What happened. */
  uint64_t runs[TM_HOOK_KIND_COUNT], busy_ns[TM_HOOK_KIND_COUNT];
  uint64_t held[TM_VERDICT_COUNT];
  uint64_t peak_bytes, next_look_ns, wake_bytes;
  uint64_t started_ns;
} model;

static inline uint64_t model_sum(const uint64_t *bytes)
{
  return bytes[YOUNG] + bytes[MIDDLE] + bytes[OLD];
}

static inline uint64_t model_footprint(const model *m)
{
  return model_sum(m->live) + model_sum(m->garbage);
}

static inline void model_init(model *m, const tm_policy *policy)
{
  memset(m, 0, sizeof *m);
  m->now_ns = m->started_ns = 1000 * SECOND;
  m->hooks = 1u << TM_COLLECT_MINOR | 1u << TM_COLLECT;
  m->work_ns_per_byte = 1;
  m->scan_ns_per_byte = 0.5;
  m->fixed_ns = 20000;
  m->share_scanned = 1;
  m->wake_bytes = NO_TRIP;
  tm_policy_state_init(&m->state, policy, m->now_ns);
}

static inline tm_inputs model_inputs(const model *m)
{
  return (tm_inputs){.size = sizeof(tm_inputs),
                     .now_ns = m->now_ns,
                     .footprint_bytes = model_footprint(m),
                     .allocated_bytes_total = m->allocated_bytes,
                     .committed_bytes =
                         m->committed_bytes ? m->committed_bytes : model_footprint(m),
                     .dirty_bytes = m->dirty_bytes,
                     .soft_limit_bytes = m->soft_bytes,
                     .hard_limit_bytes = m->hard_bytes,
                     .hooks = m->hooks};
}

/* Collects generations 0 to `oldest`; survivors grow up by one. */
static inline void model_collect(model *m, int oldest)
{
  double scanned = m->fixed_ns;
  for (int g = oldest; g >= 0; g--) {
    int to = g == OLD ? OLD : g + 1;
    uint64_t survivors = m->live[g];
    scanned += (double)(m->live[g] + m->garbage[g]) * m->scan_ns_per_byte * m->share_scanned;
    m->garbage[g] = 0;
    m->live[g] = 0;
    m->live[to] += survivors;
  }
  for (int g = 0; g < oldest; g++) { /* a run of an older generation promotes the younger ones */
    m->live[oldest == OLD ? OLD : oldest + 1] += m->live[g];
    m->live[g] = 0;
  }
  m->now_ns += (uint64_t)scanned;
}

static inline void model_run(model *m, tm_hook_kind kind)
{
  tm_outcome o = {.kind = kind,
                  .result = TM_HOOK_DONE,
                  .start_ns = m->now_ns,
                  .footprint_before_bytes = model_footprint(m),
                  .committed_before_bytes = model_footprint(m)};
  if (kind == TM_COLLECT_MINOR)
    model_collect(m, m->runs[kind] % 4 == 3 ? MIDDLE : YOUNG);
  else if (kind == TM_COLLECT)
    model_collect(m, OLD);
  else if (kind == TM_TRIM) {
    o.returned_bytes = m->dirty_bytes;
    m->dirty_bytes = 0;
  }
  o.end_ns = m->now_ns;
  o.footprint_after_bytes = o.committed_after_bytes = model_footprint(m);
  o.allocated_bytes_total = m->allocated_bytes;
  m->runs[kind]++;
  m->busy_ns[kind] += o.end_ns - o.start_ns;
  tm_decide_outcome(&m->state, &o);
}

/* A safe point: what tm_poll does, with the engine's rules for what is held back. */
static inline void model_poll(model *m)
{
  if (m->next_look_ns && m->now_ns < m->next_look_ns && model_footprint(m) < m->wake_bytes)
    return;
  m->next_look_ns = 0;
  m->wake_bytes = NO_TRIP;
  for (int actions = 0; actions < 16; actions++) {
    tm_inputs in = model_inputs(m);
    tm_decision d;
    tm_decide(&in, &m->state, &d);
    if (d.kind >= 0 && d.verdict == TM_FIRED) {
      model_run(m, (tm_hook_kind)d.kind);
      continue;
    }
    if (d.kind >= 0) {
      m->held[d.verdict]++;
      m->next_look_ns = d.next_due_ns;
      m->wake_bytes = d.wake_bytes;
    }
    if (!m->next_look_ns)
      assert_true(d.look_bytes > in.footprint_bytes); /* or it would be crossed at once again */
    return;
  }
  fail_msg("a poll that does not end");
}

/* Allocates; `live` bytes of it stay reachable, the rest is garbage at once. */
static inline void model_allocate(model *m, uint64_t live, uint64_t garbage)
{
  m->live[YOUNG] += live;
  m->garbage[YOUNG] += garbage;
  m->allocated_bytes += live + garbage;
  m->now_ns += (uint64_t)((double)(live + garbage) * m->work_ns_per_byte);
  uint64_t u = model_footprint(m);
  m->peak_bytes = u > m->peak_bytes ? u : m->peak_bytes;
  if (u >= m->state.look_bytes || m->state.trip_bytes == NO_TRIP || m->next_look_ns)
    model_poll(m);
}

/* Allocated and freed by reference count: no collector is involved. */
static inline void model_churn(model *m, uint64_t bytes)
{
  m->allocated_bytes += bytes;
  m->now_ns += (uint64_t)((double)bytes * m->work_ns_per_byte);
}

/* Collector time per total time. */
static inline double model_share(const model *m)
{
  uint64_t busy = 0;
  for (int kind = 0; kind < TM_HOOK_KIND_COUNT; kind++)
    busy += m->busy_ns[kind];
  return (double)busy / (double)(m->now_ns - m->started_ns);
}

#endif
