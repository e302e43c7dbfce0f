/*
 * What holds whatever the numbers are: more memory never means more collections, trips are above
 * what lives and rise with the limits, nothing wraps, nothing is NaN, and a recorded sequence gives
 * the same decisions again, bit for bit. Random, with seeds that a failure prints.
 */
#include <math.h>

#include "gc/decide_bench.h"

#include "gc/policy.h"

static uint64_t seed, state_of_random;

static void start(uint64_t n)
{
  seed = n;
  state_of_random = n * 0x9E3779B97F4A7C15u + 1;
}

static uint64_t next(void)
{
  state_of_random ^= state_of_random << 13;
  state_of_random ^= state_of_random >> 7;
  state_of_random ^= state_of_random << 17;
  return state_of_random * 0x2545F4914F6CDD1Du;
}

static uint64_t below(uint64_t n)
{
  return next() % n;
}

/* A number of any size, often beside a power of two. */
static uint64_t any(void)
{
  uint64_t power = (uint64_t)1 << below(64);
  switch (below(4)) {
  case 0:
    return power;
  case 1:
    return power - 1;
  case 2:
    return UINT64_MAX - below(3);
  default:
    return next() >> below(64);
  }
}

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition))                                                                              \
      fail_msg("seed %llu: %s", (unsigned long long)seed, #condition);                             \
  } while (0)

/* ---- More memory, fewer collections ---------------------------------------------------------- */

typedef struct plenty {
  unsigned kinds;
  void (*give)(tm_policy *policy, tm_inputs *in, uint64_t mib); /* more for more */
} plenty;

static void give_fixed(tm_policy *policy, tm_inputs *in, uint64_t mib)
{
  (void)in;
  policy->fixed_bytes = (48 + mib) * MIB; /* above what lives: below it the floor decides */
}

static void give_growth(tm_policy *policy, tm_inputs *in, uint64_t mib)
{
  (void)in;
  policy->growth_percent = (unsigned)mib;
}

static void give_debt(tm_policy *policy, tm_inputs *in, uint64_t mib)
{
  (void)in;
  policy->debt_bytes = mib * MIB;
}

static void give_share(tm_policy *policy, tm_inputs *in, uint64_t mib)
{
  (void)policy;
  in->shared_headroom_bytes = mib * MIB;
}

static void give_soft(tm_policy *policy, tm_inputs *in, uint64_t mib)
{
  (void)policy;
  in->soft_limit_bytes = (64 + mib) * MIB;
}

static void give_hard(tm_policy *policy, tm_inputs *in, uint64_t mib)
{
  (void)policy;
  in->hard_limit_bytes = (96 + mib) * MIB;
}

static const plenty plenties[] = {
    {TM_POLICY_FIXED, give_fixed},
    {TM_POLICY_GROWTH, give_growth},
    {TM_POLICY_DEBT, give_debt},
    {TM_POLICY_SHARED, give_share},
    {0, give_soft},
    {0, give_hard},
};

/*
 * A tracing host with 20 to 40 MiB live, which grow by a part of what is allocated; collections
 * take no time. Returns how many there were. The same seed allocates the same.
 */
static uint64_t collections(const plenty *p, uint64_t mib)
{
  tm_policy policy;
  tm_policy_state s;
  tm_decision d;
  tm_inputs in = {.size = sizeof in, .now_ns = SECOND, .hooks = FULL};
  tm_policy_init(&policy);
  policy.kinds = p->kinds;
  p->give(&policy, &in, mib);
  tm_policy_state_init(&s, &policy, SECOND);
  start(seed);
  uint64_t live = (20 + below(20)) * MIB, runs = 0, grows = below(3);
  in.footprint_bytes = in.allocated_bytes_total = live;
  for (int i = 0; i < 4000; i++) {
    uint64_t bytes = below(256 * KIB);
    in.footprint_bytes += bytes;
    in.allocated_bytes_total += bytes;
    in.now_ns += bytes;
    live += bytes * grows / 256;
    tm_decide(&in, &s, &d);
    CHECK(d.trip_bytes >= s.live_bytes && d.look_bytes >= s.live_bytes);
    CHECK(d.look_bytes <= d.trip_bytes);
    if (d.verdict != TM_FIRED)
      continue;
    tm_outcome o = {.kind = TM_COLLECT,
                    .start_ns = in.now_ns,
                    .end_ns = in.now_ns,
                    .footprint_before_bytes = in.footprint_bytes,
                    .footprint_after_bytes = live,
                    .allocated_bytes_total = in.allocated_bytes_total};
    in.footprint_bytes = live;
    tm_decide_outcome(&s, &o);
    runs++;
  }
  return runs;
}

static void more_memory_never_means_more_collections(void **unused)
{
  (void)unused;
  static const uint64_t amounts[] = {16, 24, 40, 60, 90, 150, 400};
  for (size_t i = 0; i < TM_ARRAY_LEN(plenties); i++)
    for (seed = 1; seed <= 40; seed++) {
      uint64_t last = UINT64_MAX, first = 0;
      for (size_t k = 0; k < TM_ARRAY_LEN(amounts); k++) {
        uint64_t runs = collections(&plenties[i], amounts[k]);
        first = k ? first : runs;
        CHECK(runs <= last);
        last = runs;
      }
      CHECK(first > last); /* the amounts matter */
    }
}

/* ---- Any state ------------------------------------------------------------------------------- */

static double any_rate(void)
{
  return below(4) ? (double)any() : below(2) ? 0 : 1e-9 * (double)below(1000);
}

static void any_state(bench *b)
{
  tm_policy p;
  tm_policy_init(&p);
  p.kinds = (unsigned)below(1u << 7);
  p.fixed_bytes = 1 + any() / 2;
  p.growth_percent = 1 + (unsigned)below(UINT32_MAX);
  p.growth_floor_bytes = any();
  p.debt_bytes = 1 + any() / 2;
  p.collector_share_percent = 1 + (unsigned)below(100);
  p.target_share_percent = (unsigned)(below(2) * below(101));
  p.young_bytes = any();
  p.min_interval_ms = below(8) ? 0 : any();
  p.cpu_cap_percent = (unsigned)below(101);
  memset(b, 0, sizeof *b);
  tm_policy_state_init(&b->s, &p, 100 * SECOND);
  assert_int_equal(b->s.policy.kinds, p.kinds); /* it was not refused */
  b->in = (tm_inputs){.size = sizeof b->in,
                      .now_ns = 100 * SECOND + below(SECOND),
                      .footprint_bytes = any(),
                      .allocated_bytes_total = any(),
                      .committed_bytes = any(),
                      .dirty_bytes = any(),
                      .fixable_bytes = any(),
                      .informed_bytes = any(),
                      .need_bytes = below(4) ? 0 : any(),
                      .shared_headroom_bytes = below(2) ? any() : 0,
                      .soft_limit_bytes = below(2) ? any() : 0,
                      .hard_limit_bytes = below(2) ? any() : 0,
                      .pressure = (tm_pressure)below(4),
                      .hooks = (unsigned)below(64)};
  b->s.live_bytes = any();
  b->s.base_bytes = any();
  b->s.alloc_rate = any_rate();
  b->s.collect_speed = any_rate();
  b->s.speed_samples = below(4);
  b->s.net_share = (double)below(5) / 4;
  b->s.previous_trip_bytes = below(2) ? any() : 0;
  b->s.debt_bytes = any();
  b->s.old_headroom = (double)(1 + below(10));
  b->s.hooks = b->in.hooks;
}

static uint64_t lowest(const bench *b, const tm_inputs *in)
{
  tm__trips t;
  unsigned policy;
  tm__trips_compute(&b->s, in, &t);
  return tm__trips_lowest(&t, &policy);
}

static void trips_are_above_what_lives(void **unused)
{
  (void)unused;
  static bench b;
  for (uint64_t n = 1; n <= 50000; n++) {
    start(n);
    any_state(&b);
    tm__trips t;
    tm__trips_compute(&b.s, &b.in, &t);
    CHECK(t.plain_bytes >= b.s.live_bytes);
    CHECK(t.postponed_bytes >= t.plain_bytes);
    CHECK(t.soft_bytes >= b.s.live_bytes);
    CHECK(t.halfway_bytes >= b.s.live_bytes);
    CHECK(t.young_bytes >= b.s.base_bytes);
    uint64_t trip = lowest(&b, &b.in);
    CHECK(trip >=
          (tm__generational(&b.s) ? tm__min(b.s.base_bytes, b.s.live_bytes) : b.s.live_bytes));
  }
}

/* SOFT and HALFWAY: a limit that is raised never lowers the trip, by not one byte. */
static void trips_rise_with_the_limits(void **unused)
{
  (void)unused;
  static bench b;
  for (uint64_t n = 1; n <= 2000; n++) {
    start(n);
    any_state(&b);
    tm_inputs soft = b.in, hard = b.in;
    uint64_t step = below(3) ? 1 : 1 + any() / 1024;
    uint64_t soft_trip = 0, hard_trip = 0;
    soft.soft_limit_bytes = 1 + any() / 2;
    hard.hard_limit_bytes = tm__add(b.s.live_bytes, 1);
    for (int i = 0; i < 256; i++) {
      uint64_t s = lowest(&b, &soft), h = lowest(&b, &hard);
      CHECK(s >= soft_trip && h >= hard_trip);
      soft_trip = s;
      hard_trip = h;
      soft.soft_limit_bytes = tm__add(soft.soft_limit_bytes, step);
      hard.hard_limit_bytes = tm__add(hard.hard_limit_bytes, step);
    }
  }
}

static void check_finite(const tm_policy_state *s)
{
  const double numbers[] = {s->alloc_rate,   s->collect_speed,  s->net_share,
                            s->bucket_ns,    s->old_headroom,   s->young_headroom,
                            s->young_rate,   s->young_fixed_ns, s->young_fit[0],
                            s->young_fit[1], s->young_fit[2],   s->young_fit[3],
                            s->young_fit[4], s->compact_effort, tm__growth_rate(s)};
  for (size_t i = 0; i < TM_ARRAY_LEN(numbers); i++)
    CHECK(isfinite(numbers[i]));
  for (size_t i = 0; i < TM_HOOK_KIND_COUNT; i++)
    CHECK(isfinite(s->rung[i].freed_bytes) && isfinite(s->rung[i].duration_ns));
  CHECK(s->alloc_rate >= 0 && s->collect_speed >= 0 && s->net_share >= 0 && s->net_share <= 1);
  CHECK(s->bucket_ns >= 0 && s->old_headroom >= 1);
  CHECK(s->compact_effort >= 0.01 && s->compact_effort <= 0.25);
}

/* Numbers that no machine has, in any order: no wrap, no NaN, and each answer makes sense. */
static void nothing_wraps_and_nothing_is_nan(void **unused)
{
  (void)unused;
  static bench b;
  for (uint64_t n = 1; n <= 3000; n++) {
    start(n);
    any_state(&b);
    for (int i = 0; i < 40; i++) {
      tm_decide(&b.in, &b.s, &b.d);
      check_finite(&b.s);
      CHECK(b.d.kind >= -1 && b.d.kind < TM_HOOK_KIND_COUNT);
      CHECK((b.d.kind >= 0) == (b.d.verdict != TM_VERDICT_COUNT));
      CHECK(b.d.verdict != TM_FIRED || b.d.next_due_ns == 0);
      CHECK(!b.d.next_due_ns || b.d.next_due_ns >= b.in.now_ns || b.in.now_ns < b.s.last_now_ns);
      bool held = b.d.kind >= 0 && (b.d.verdict == TM_FIRED || b.d.next_due_ns);
      uint64_t reach = tm__add(b.in.footprint_bytes, b.in.need_bytes);
      CHECK(held || b.d.look_bytes > reach || reach > UINT64_MAX / 2);
      CHECK(b.d.look_bytes <= b.d.trip_bytes);
      tm_outcome o = {.kind = (tm_hook_kind)(b.d.kind >= 0 ? b.d.kind : (int)below(8)),
                      .result = (int)below(6),
                      .start_ns = b.in.now_ns,
                      .end_ns = b.in.now_ns + any() % ((uint64_t)1 << 56),
                      .footprint_before_bytes = b.in.footprint_bytes,
                      .footprint_after_bytes = any(),
                      .committed_before_bytes = any(),
                      .committed_after_bytes = any(),
                      .allocated_bytes_total = any()};
      if (below(2))
        tm_decide_outcome(&b.s, &o);
      check_finite(&b.s);
      b.in.now_ns = o.end_ns + below(SECOND);
      b.in.footprint_bytes = any();
      b.in.allocated_bytes_total = any();
      b.in.pressure = (tm_pressure)below(5); /* one more than there is */
    }
  }
}

/* ---- Bit for bit ----------------------------------------------------------------------------- */

enum { EVENTS = 20000 };
typedef struct event {
  bool acted;
  tm_inputs in;
  tm_outcome outcome;
  tm_decision decision;
} event;

static event tape[EVENTS];

static void record(const tm_policy *policy, tm_policy_state *s)
{
  bench b = {.in = {.size = sizeof b.in, .now_ns = SECOND, .hooks = FULL | MINOR | DROP | TRIM}};
  uint64_t live = 10 * MIB;
  tm_policy_state_init(&b.s, policy, SECOND);
  memset(tape, 0, sizeof tape);
  for (size_t i = 0; i < EVENTS; i++) {
    event *e = &tape[i];
    uint64_t bytes = below(MIB);
    b.in.footprint_bytes += bytes;
    b.in.allocated_bytes_total += bytes;
    live = tm__min(live + below(32 * KIB), b.in.footprint_bytes);
    b.in.now_ns += bytes / (1 + below(8));
    b.in.committed_bytes = b.in.footprint_bytes + below(8 * MIB);
    b.in.pressure = below(500) ? TM_PRESSURE_NONE : (tm_pressure)below(4);
    b.in.soft_limit_bytes = i / 4000 % 2 ? 96 * MIB : 0;
    tm_decide(&b.in, &b.s, &b.d);
    e->in = b.in;
    e->decision = b.d;
    e->acted = b.d.verdict == TM_FIRED;
    if (!e->acted)
      continue;
    e->outcome = (tm_outcome){.kind = (tm_hook_kind)b.d.kind,
                              .result = below(10) ? TM_HOOK_DONE : (int)below(5),
                              .start_ns = b.in.now_ns,
                              .end_ns = b.in.now_ns + live / 4,
                              .footprint_before_bytes = b.in.footprint_bytes,
                              .footprint_after_bytes = live,
                              .allocated_bytes_total = b.in.allocated_bytes_total};
    tm_decide_outcome(&b.s, &e->outcome);
    b.in.footprint_bytes = live;
    b.in.now_ns = e->outcome.end_ns;
  }
  *s = b.s;
}

static void a_tape_gives_the_same_decisions(void **unused)
{
  (void)unused;
  for (unsigned kind = TM_POLICY_FIXED; kind <= TM_POLICY_SHARED; kind <<= 1) {
    tm_policy policy;
    static tm_policy_state recorded, again;
    uint64_t fired = 0;
    tm_policy_init(&policy);
    policy.kinds = kind | TM_POLICY_PRESSURE | TM_POLICY_YIELD;
    start(kind);
    record(&policy, &recorded);
    tm_policy_state_init(&again, &policy, SECOND);
    for (size_t i = 0; i < EVENTS; i++) {
      tm_decision d;
      if (i == EVENTS / 2) { /* plain data: a copy goes on where it was */
        tm_policy_state copy = again;
        memset(&again, 0x5a, sizeof again);
        again = copy;
      }
      tm_decide(&tape[i].in, &again, &d);
      CHECK(!memcmp(&d, &tape[i].decision, sizeof d));
      if (tape[i].acted)
        tm_decide_outcome(&again, &tape[i].outcome);
      fired += tape[i].acted;
    }
    assert_memory_equal(&again, &recorded, sizeof again);
    assert_true(fired > 10);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(more_memory_never_means_more_collections),
      cmocka_unit_test(trips_are_above_what_lives),
      cmocka_unit_test(trips_rise_with_the_limits),
      cmocka_unit_test(nothing_wraps_and_nothing_is_nan),
      cmocka_unit_test(a_tape_gives_the_same_decisions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
