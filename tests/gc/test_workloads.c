/*
 * The policies at work: simulated hosts (model.h) that would thrash, or grow without need, if one
 * of the rules was missing. Where that can be shown, the same host runs without the rule beside it.
 */
#include "gc/model.h"

/* Numbers of a run, for the bounds below. */
static model m;

static void a_cpython_like_host(void)
{
  model_init(&m, NULL);
  m.work_ns_per_byte = 5;   /* small objects: 200 MB/s */
  m.scan_ns_per_byte = 0.4; /* 60 ns for an object of 150 bytes */
}

static void a_host_of_buffers(void)
{
  model_init(&m, NULL);
  m.work_ns_per_byte = 0.3; /* 1 MiB buffers, written once: 3 GB/s */
  m.share_scanned = 0.001;
}

static void build(uint64_t bytes)
{
  for (uint64_t done = 0; done < bytes; done += 64 * KIB)
    model_allocate(&m, 64 * KIB, 0);
}

/* Keeps the live bytes at `most`: what is oldest dies, and becomes garbage where it is. */
static void expire(uint64_t most)
{
  uint64_t live = model_sum(m.live), excess = live > most ? live - most : 0;
  for (int g = OLD; g >= YOUNG && excess; g--) {
    uint64_t dies = excess < m.live[g] ? excess : m.live[g];
    m.live[g] -= dies;
    m.garbage[g] += dies;
    excess -= dies;
  }
}

static double busy_share(tm_hook_kind kind)
{
  return (double)m.busy_ns[kind] / (double)(m.now_ns - m.started_ns);
}

/* ---- A structure that is only being built ---------------------------------------------------- */

static void building_costs_little(void **unused)
{
  (void)unused;
  for (uint64_t mib = 50; mib <= 1600; mib *= 2) {
    a_cpython_like_host();
    build(mib * MIB);
    /* Looking at each object twice when it is young is 16 % here; full runs come on top. */
    assert_true(busy_share(TM_COLLECT_MINOR) < 0.16);
    assert_true(busy_share(TM_COLLECT) < 0.10);
    assert_in_range(m.runs[TM_COLLECT], 1, 6);
    assert_in_range(m.runs[TM_COLLECT_MINOR], 1, 32);
  }
}

static void doubling_alone_would_cost_more(void **unused)
{
  (void)unused;
  tm_policy doubling;
  a_cpython_like_host();
  build(1600 * MIB);
  uint64_t postponed = m.runs[TM_COLLECT], postponed_ns = m.busy_ns[TM_COLLECT];
  uint64_t minors = m.runs[TM_COLLECT_MINOR];
  tm_policy_init(&doubling);
  doubling.kinds = TM_POLICY_GROWTH;
  model_init(&m, &doubling);
  m.work_ns_per_byte = 5;
  m.scan_ns_per_byte = 0.4;
  build(1600 * MIB);
  assert_true(m.runs[TM_COLLECT] >= postponed + 3);
  assert_true(m.busy_ns[TM_COLLECT] > postponed_ns / 4 * 5);
  assert_true(m.runs[TM_COLLECT_MINOR] > 2 * minors); /* and as often as the cooldown allows */
}

/* A host with one generation: the same, without young runs. */
static void building_with_one_generation(void **unused)
{
  (void)unused;
  a_cpython_like_host();
  m.hooks = 1u << TM_COLLECT;
  build(1600 * MIB);
  assert_true(model_share(&m) < 0.05);
  assert_in_range(m.runs[TM_COLLECT], 2, 5);
}

/* ---- Cycles that hold buffers ---------------------------------------------------------------- */

static void buffer_cycles_stay_near_live(void **unused)
{
  (void)unused;
  a_host_of_buffers();
  build(10 * MIB);
  for (int i = 0; i < 1500; i++)
    model_allocate(&m, 0, MIB);
  assert_true(m.peak_bytes <= (10 + 2 * 8) * MIB);
  assert_true(model_share(&m) < 0.02);
  assert_in_range(m.runs[TM_COLLECT_MINOR], 150, 300); /* one per 6 to 8 MiB */
  assert_in_range(m.runs[TM_COLLECT], 1, 5);
}

static void buffer_cycles_beside_an_old_heap(void **unused)
{
  (void)unused;
  a_cpython_like_host();
  build(400 * MIB);
  uint64_t full_before = m.runs[TM_COLLECT];
  m.work_ns_per_byte = 0.3;
  m.share_scanned = 0.001;
  for (int i = 0; i < 100; i++) /* the young budget comes down from what building made it */
    model_allocate(&m, 0, MIB);
  m.peak_bytes = 0;
  for (int i = 0; i < 3000; i++)
    model_allocate(&m, 0, MIB);
  assert_true(m.peak_bytes <= (400 + 2 * 12) * MIB);
  assert_in_range(m.runs[TM_COLLECT] - full_before, 0, 2); /* minor runs are enough */
  assert_true(m.state.young_bytes <= 12 * MIB);
}

/* ---- An old heap with churn ------------------------------------------------------------------ */

static void churn_on_an_old_heap(void **unused)
{
  (void)unused;
  a_cpython_like_host();
  build(200 * MIB);
  uint64_t full_before = m.runs[TM_COLLECT];
  uint64_t start_ns = m.now_ns, busy = m.busy_ns[TM_COLLECT_MINOR];
  for (int i = 0; i < 30000; i++) {
    model_allocate(&m, 0, 64 * KIB);
    model_churn(&m, 64 * KIB);
  }
  double share = (double)(m.busy_ns[TM_COLLECT_MINOR] - busy) / (double)(m.now_ns - start_ns);
  assert_in_range(m.runs[TM_COLLECT] - full_before, 0, 2);
  assert_true(share < 0.06);
  assert_true(m.peak_bytes <= 280 * MIB);
}

/* What dies by itself must not cause collections: 20 times from 100 to 500 MiB and back. */
static void reference_counts_do_not_collect(void **unused)
{
  (void)unused;
  a_cpython_like_host();
  m.work_ns_per_byte = 2;
  build(100 * MIB);
  for (int i = 0; i < 20; i++) {
    build(400 * MIB);
    m.live[YOUNG] = m.live[MIDDLE] = 0;
    m.live[OLD] = 100 * MIB;
  }
  assert_true(model_share(&m) < 0.05);
  assert_in_range(m.runs[TM_COLLECT], 1, 5);
}

/* Entries that get old and then die: only full runs help, and they must come. */
static void old_garbage_is_found(void **unused)
{
  (void)unused;
  a_cpython_like_host();
  build(100 * MIB);
  for (int i = 0; i < 40000; i++) {
    model_allocate(&m, 64 * KIB, 0);
    expire(100 * MIB);
  }
  assert_true(m.peak_bytes <= 350 * MIB); /* once, when it looked like a structure being built; */
  m.peak_bytes = 0;
  for (int i = 0; i < 40000; i++) {
    model_allocate(&m, 64 * KIB, 0);
    expire(100 * MIB);
  }
  assert_true(m.peak_bytes <= 230 * MIB); /* then it is known */
  assert_true(model_share(&m) < 0.25);
}

/* A service that leaks cycles slowly: no postponing, because there is time. */
static void a_slow_leak_is_found(void **unused)
{
  (void)unused;
  a_cpython_like_host();
  m.work_ns_per_byte = 100;
  build(50 * MIB);
  for (int i = 0; i < 40000; i++) {
    model_allocate(&m, 8 * KIB, 0);
    expire(50 * MIB);
    model_churn(&m, 64 * KIB);
  }
  assert_true(m.peak_bytes <= 116 * MIB);
  assert_true(model_share(&m) < 0.01);
}

/* ---- Limits ---------------------------------------------------------------------------------- */

static void garbage_stays_inside_the_soft_limit(void **unused)
{
  (void)unused;
  a_host_of_buffers();
  m.soft_bytes = 64 * MIB;
  build(40 * MIB);
  m.peak_bytes = 0;
  for (int i = 0; i < 5000; i++)
    model_allocate(&m, 0, MIB);
  assert_true(m.peak_bytes <= 64 * MIB);
  assert_true(model_share(&m) < 0.03);
}

/* More is live than the limit allows: collecting cannot help, and must not eat the program. */
static void live_above_the_soft_limit(void **unused)
{
  (void)unused;
  a_cpython_like_host();
  m.soft_bytes = 128 * MIB;
  build(512 * MIB);
  assert_true(model_share(&m) < 0.25);
  assert_in_range(m.runs[TM_COLLECT], 2, 12);
  uint64_t before = m.runs[TM_COLLECT];
  m.work_ns_per_byte = 0.3;
  m.share_scanned = 0.001;
  for (int i = 0; i < 2000; i++)
    model_allocate(&m, 0, MIB);
  assert_true(model_footprint(&m) <= 560 * MIB); /* garbage is still found, by minor runs */
  assert_in_range(m.runs[TM_COLLECT] - before, 0, 4);
}

/* ---- Each anti-thrash rule, with and without ------------------------------------------------- */

/* Floor: above the soft limit every allocation is a reason. */
static void the_floor(void **unused)
{
  (void)unused;
  a_cpython_like_host();
  m.hooks = 1u << TM_COLLECT;
  m.scan_ns_per_byte = m.fixed_ns = 0; /* so that no cooldown helps */
  m.soft_bytes = 64 * MIB;
  build(100 * MIB);
  uint64_t before = m.runs[TM_COLLECT];
  for (int i = 0; i < 20 * 1024; i++) /* 20 MiB: live grows */
    model_allocate(&m, KIB, 0);
  assert_in_range(m.runs[TM_COLLECT] - before, 0, 4); /* not 20,480 */
}

/* Cooldown: a run that takes longer than it takes to fill the budget again. */
static void the_cooldown(void **unused)
{
  (void)unused;
  a_host_of_buffers();
  m.hooks = 1u << TM_COLLECT;
  m.fixed_ns = 2e6;
  m.soft_bytes = 20 * MIB;
  build(16 * MIB);
  for (int i = 0; i < 20000; i++)
    model_allocate(&m, 0, MIB);
  assert_true(model_share(&m) <= 0.21); /* 1 ms of work for 2 ms of collecting otherwise */
  assert_true(m.held[TM_SUPPRESSED_COOLDOWN] > 0);
}

/* It ends where memory would run away: 64 MiB above the trip, or at twice the trip. */
static void the_price_of_a_cooldown(void **unused)
{
  (void)unused;
  a_host_of_buffers();
  m.hooks = 1u << TM_COLLECT;
  m.fixed_ns = 20e6;
  m.soft_bytes = 20 * MIB;
  build(16 * MIB);
  for (int i = 0; i < 20000; i++)
    model_allocate(&m, 0, MIB);
  assert_true(m.peak_bytes <= 86 * MIB); /* 273 MiB otherwise: 80 ms at 3 GB/s */
  assert_true(model_share(&m) <= 0.51);
}

/* The cap holds for all rungs together, each of which may have its own 20 %. */
static void the_cap(void **unused)
{
  (void)unused;
  static const unsigned caps[] = {5, 10};
  for (size_t i = 0; i < TM_ARRAY_LEN(caps); i++) {
    tm_policy p;
    tm_policy_init(&p);
    p.cpu_cap_percent = caps[i];
    model_init(&m, &p);
    m.work_ns_per_byte = 0.3;
    m.share_scanned = 0.001;
    m.fixed_ns = 50e6;
    m.soft_bytes = 20 * MIB;
    build(16 * MIB);
    for (int turn = 0; turn < 400000; turn++)
      model_allocate(&m, 0, MIB);
    /* A burst of one second is allowed; over two minutes it hardly shows. */
    assert_true(model_share(&m) <= 0.01 * caps[i] + 0.01);
    assert_true(m.held[TM_SUPPRESSED_CAP] > 0);
    assert_true(m.runs[TM_COLLECT] + m.runs[TM_COLLECT_MINOR] > 10);
  }
}

/* Edge: a host that hovers at the trip with nobody to help is told once per twentieth of growth. */
static void the_edge(void **unused)
{
  (void)unused;
  a_cpython_like_host();
  m.hooks = 0;
  build(100 * MIB);
  uint64_t said = m.held[TM_SUPPRESSED_NO_HOOK];
  for (int i = 0; i < 10000; i++) {
    model_allocate(&m, 64 * KIB, 0);
    m.live[YOUNG] -= 64 * KIB;
  }
  assert_in_range(m.held[TM_SUPPRESSED_NO_HOOK] - said, 0, 1);
  assert_in_range(said, 10, 70); /* 1.05^n from 4 MiB, by 1 MiB at first */
}

/* Trim: above the soft limit, memory is not given back and faulted in again all the time. */
static void trims_are_a_second_apart(void **unused)
{
  (void)unused;
  a_host_of_buffers();
  m.soft_bytes = 64 * MIB;
  build(40 * MIB);
  for (int i = 0; i < 20000; i++) { /* fragmented: the OS backs more than the limit */
    m.committed_bytes = 80 * MIB;
    m.dirty_bytes = 16 * MIB;
    model_allocate(&m, 0, MIB);
  }
  uint64_t seconds = (m.now_ns - m.started_ns) / SECOND;
  assert_in_range(m.runs[TM_TRIM], 2, seconds + 2);
}

/* A small program pays next to nothing, and its garbage is not let grow to many times itself. */
static void a_small_program(void **unused)
{
  (void)unused;
  a_cpython_like_host();
  build(14 * MIB);
  for (int i = 0; i < 8000; i++) {
    model_allocate(&m, 0, 16 * KIB);
    model_churn(&m, 100 * KIB);
  }
  assert_true(m.peak_bytes <= 23 * MIB);
  assert_true(model_share(&m) < 0.02);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(building_costs_little),
      cmocka_unit_test(doubling_alone_would_cost_more),
      cmocka_unit_test(building_with_one_generation),
      cmocka_unit_test(buffer_cycles_stay_near_live),
      cmocka_unit_test(buffer_cycles_beside_an_old_heap),
      cmocka_unit_test(churn_on_an_old_heap),
      cmocka_unit_test(reference_counts_do_not_collect),
      cmocka_unit_test(old_garbage_is_found),
      cmocka_unit_test(a_slow_leak_is_found),
      cmocka_unit_test(garbage_stays_inside_the_soft_limit),
      cmocka_unit_test(live_above_the_soft_limit),
      cmocka_unit_test(the_floor),
      cmocka_unit_test(the_cooldown),
      cmocka_unit_test(the_price_of_a_cooldown),
      cmocka_unit_test(the_cap),
      cmocka_unit_test(the_edge),
      cmocka_unit_test(trims_are_a_second_apart),
      cmocka_unit_test(a_small_program),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
