/*
 * Hooks that do what they should not, at every rung: the engine stays one action at a time, its
 * polls end, it holds no lock, and when the hostile hook is gone an honest one is called again.
 */
#include "gc/fake_port.h"

#include "base/hints.h"

/* No tests of a hook's bytes here: only that it ends, and what state it leaves. */
typedef struct hostility {
  const char *name;
  int answer;
  int answers_more;
  uint64_t takes_ns;
  void (*inside)(fake_hook *hook, const tm_event *event);
} hostility;

static int depth, deepest, stranger_calls;
static fake_hook stranger;

/* Between entering and leaving a hook; fake_hook_run has checked that no lock is held. */
static void enter(void)
{
  depth++;
  deepest = depth > deepest ? depth : deepest;
}

static void poll_inside(fake_hook *hook, const tm_event *event)
{
  (void)event;
  enter();
  for (int i = 0; i < 3; i++)
    assert_int_equal(tm__engine_poll(&hook->f->engine), 0);
  depth--;
}

static void emergency_inside(fake_hook *hook, const tm_event *event)
{
  (void)event;
  enter();
  assert_false(tm__engine_emergency(&hook->f->engine, MIB));
  tm__engine_failed(&hook->f->engine, MIB, false);
  tm__engine_failed(&hook->f->engine, UINT64_MAX, false);
  depth--;
}

static void allocate_inside(fake_hook *hook, const tm_event *event)
{
  (void)event;
  enter();
  fake_allocate(hook->f, 8 * MIB);
  depth--;
}

static void lose_everything(fake_hook *hook, const tm_event *event)
{
  (void)event;
  enter();
  atomic_store(&hook->f->footprint, 0);
  atomic_store(&hook->f->committed, 0);
  depth--;
}

/* Numbers that contradict each other: less allocated than before, more dirty than committed. */
static void corrupt_readings(fake_hook *hook, const tm_event *event)
{
  (void)event;
  enter();
  atomic_store(&hook->f->allocated, 0);
  atomic_store(&hook->f->dirty, UINT64_MAX / 2);
  atomic_store(&hook->f->fixable, UINT64_MAX);
  atomic_store(&hook->f->informed, UINT64_MAX);
  depth--;
}

static void move_limits(fake_hook *hook, const tm_event *event)
{
  tm__engine *engine = &hook->f->engine;
  enter();
  int64_t near = (int64_t)(event->footprint_bytes / 2 + 1);
  assert_int_equal(tm__engine_limit_set(engine, TM_SOFT, 0), 0);
  assert_int_equal(tm__engine_limit_set(engine, TM_HARD, near), 0);
  assert_int_equal(tm__engine_limit_set(engine, TM_SOFT, near), 0);
  assert_int_equal(tm__engine_limit_set(engine, TM_HARD, 0), 0);
  assert_int_equal(tm__engine_limit_set(engine, TM_SOFT, (int64_t)(64 * MIB)), 0);
  depth--;
}

static void change_policies(fake_hook *hook, const tm_event *event)
{
  static unsigned turn;
  tm_policy p;
  (void)event;
  enter();
  tm_policy_init(&p);
  p.kinds = ++turn % (1u << 7);
  p.fixed_bytes = 1;
  p.debt_bytes = 1;
  p.end = (tm_end)(turn % 3);
  assert_int_equal(tm__engine_policy_set(&hook->f->engine, &p), 0);
  depth--;
}

static void post_pressure(fake_hook *hook, const tm_event *event)
{
  (void)event;
  enter();
  assert_int_equal(tm__engine_pressure_post(&hook->f->engine, TM_PRESSURE_CRITICAL), 0);
  depth--;
}

static int be_called(void *ctx, const tm_event *event)
{
  (void)ctx;
  (void)event;
  stranger_calls++;
  return TM_HOOK_DONE;
}

/* Adds another hook of its kind and takes it away again; every fourth time it leaves it a while. */
static void change_hooks(fake_hook *hook, const tm_event *event)
{
  static unsigned turn;
  enter();
  if (stranger.handle)
    assert_int_equal(tm_hook_remove(stranger.handle), 0);
  stranger.handle = NULL;
  assert_int_equal(
      tm__engine_hook_add(&hook->f->engine, event->kind, be_called, &stranger, &stranger.handle),
      0);
  if (turn++ % 4) {
    assert_int_equal(tm_hook_remove(stranger.handle), 0);
    stranger.handle = NULL;
  }
  depth--;
}

static void close_inside(fake_hook *hook, const tm_event *event)
{
  (void)event;
  enter();
  assert_int_equal(tm__engine_close(&hook->f->engine), TM_EBUSY);
  depth--;
}

static void turn_time_back(fake_hook *hook, const tm_event *event)
{
  (void)event;
  enter();
  atomic_fetch_sub(&hook->f->now_ns, 100 * MS);
  depth--;
}

static void read_the_log(fake_hook *hook, const tm_event *event)
{
  tm_record r;
  tm_action_row row;
  uint64_t cursor = 0;
  (void)event;
  enter();
  while (tm__log_read(&hook->f->engine.log, &cursor, &r)) {
  }
  assert_int_equal(tm__engine_action_row(&hook->f->engine, event->kind, &row), 1);
  depth--;
}

static const hostility hostilities[] = {
    {"answers a number that is none", 77, 0, 0, NULL},
    {"answers less than nothing", INT32_MIN, 0, 0, NULL},
    {"always has more to do", TM_HOOK_MORE, 0, 0, NULL},
    {"is always busy", TM_HOOK_BUSY, 0, 0, NULL},
    {"always fails", TM_HOOK_ERROR, 0, 0, NULL},
    {"has more to do and then fails", TM_HOOK_ERROR, 3, MS, NULL},
    {"takes ten minutes", TM_HOOK_DONE, 0, 600 * SECOND, NULL},
    {"polls", TM_HOOK_DONE, 0, 0, poll_inside},
    {"asks for a round", TM_HOOK_DONE, 0, 0, emergency_inside},
    {"allocates", TM_HOOK_DONE, 0, 0, allocate_inside},
    {"allocates and has more to do", TM_HOOK_MORE, 0, 0, allocate_inside},
    {"frees what is not its own", TM_HOOK_DONE, 0, 0, lose_everything},
    {"breaks the readings", TM_HOOK_DONE, 0, 0, corrupt_readings},
    {"moves the limits", TM_HOOK_DONE, 0, 0, move_limits},
    {"changes the policies", TM_HOOK_DONE, 0, 0, change_policies},
    {"posts pressure", TM_HOOK_DONE, 0, 0, post_pressure},
    {"changes the hooks", TM_HOOK_DONE, 0, 0, change_hooks},
    {"closes the heap", TM_HOOK_DONE, 0, 0, close_inside},
    {"turns the clock back", TM_HOOK_DONE, 0, 0, turn_time_back},
    {"reads the log", TM_HOOK_DONE, 0, 0, read_the_log},
};

static void check_idle(fake *f, const char *name)
{
  if (depth || deepest > 1)
    fail_msg("%s: actions nested %d deep", name, deepest);
  assert_int_equal(atomic_load(&f->engine.owner), 0);
  assert_int_equal(atomic_load(&f->engine.pending) & TM__PENDING_BUSY, 0);
  assert_int_equal(f->engine.running, -1);
  fake_lock_is_free(f);
  assert_int_equal(fake_pending(f), tm__counter_read(&f->engine.pending_since_ns) != 0);
}

/* A host at work, with everything that makes a rung due. */
static void live_with_it(fake *f, const char *name)
{
  for (unsigned i = 0; i < 300; i++) {
    fake_allocate(f, 512 * KIB);
    atomic_fetch_add(&f->committed, 512 * KIB);
    atomic_store(&f->dirty, atomic_load(&f->committed) / 4);
    atomic_store(&f->fixable, atomic_load(&f->committed) / 4);
    atomic_fetch_add(&f->now_ns, 10 * MS);
    if (i % 20 == 0)
      assert_int_equal(tm__engine_pressure_post(&f->engine, TM_PRESSURE_LOW), 0);
    assert_in_range(tm__engine_poll(&f->engine), 0, 16);
    check_idle(f, name);
    if (i % 50 == 49) {
      (void)tm__engine_emergency(&f->engine, MIB);
      check_idle(f, name);
      tm__engine_failed(&f->engine, MIB, i % 100 == 99);
    }
  }
}

static void restore(fake *f)
{
  tm_policy p;
  tm_policy_init(&p);
  if (stranger.handle)
    assert_int_equal(tm_hook_remove(stranger.handle), 0);
  stranger.handle = NULL;
  atomic_store(&f->footprint, MIB);
  atomic_store(&f->committed, MIB);
  atomic_store(&f->dirty, 0);
  atomic_store(&f->fixable, 0);
  atomic_store(&f->informed, 0);
  atomic_store(&f->now_ns, 100000 * SECOND);
  assert_int_equal(tm__engine_limit_set(&f->engine, TM_HARD, 0), 0);
  assert_int_equal(tm__engine_limit_set(&f->engine, TM_SOFT, 0), 0);
  assert_int_equal(tm__engine_policy_set(&f->engine, &p), 0);
  (void)tm__engine_poll(&f->engine);
}

/* The hostile hook is gone, and the host grows until its honest collector has to be called. */
static void all_is_well_again(fake *f, const char *name)
{
  fake_hook honest = {.frees = 64 * MIB};
  fake_hook_add(f, TM_COLLECT, &honest);
  for (unsigned i = 0; i < 4000 && !atomic_load(&honest.calls); i++) {
    fake_allocate(f, MIB);
    atomic_fetch_add(&f->now_ns, 100 * MS);
    (void)tm__engine_poll(&f->engine);
  }
  if (!atomic_load(&honest.calls))
    fail_msg("%s: the honest hook is never called again", name);
  assert_int_equal(tm_hook_remove(honest.handle), 0);
}

static void every_hostility_at_every_rung(void **unused)
{
  (void)unused;
  for (size_t i = 0; i < TM_ARRAY_LEN(hostilities); i++)
    for (int kind = 0; kind < TM_HOOK_KIND_COUNT; kind++) {
      const hostility *h = &hostilities[i];
      fake *f = fake_fresh();
      fake_hook bad = {.frees = 256 * KIB,
                       .takes_ns = h->takes_ns,
                       .answer = h->answer,
                       .answers_more = h->answers_more,
                       .inside = h->inside};
      depth = deepest = 0;
      fake_hook_add(f, (tm_hook_kind)kind, &bad);
      assert_int_equal(tm__engine_limit_set(&f->engine, TM_HARD, (int64_t)(96 * MIB)), 0);
      assert_int_equal(tm__engine_limit_set(&f->engine, TM_SOFT, (int64_t)(64 * MIB)), 0);
      live_with_it(f, h->name);
      if (kind != TM_NEAR_LIMIT && !atomic_load(&bad.calls))
        fail_msg("%s: rung %d was never run", h->name, kind);
      assert_int_equal(tm_hook_remove(bad.handle), 0);
      unsigned calls = atomic_load(&bad.calls);
      restore(f);
      all_is_well_again(f, h->name);
      assert_int_equal(atomic_load(&bad.calls), calls);
    }
  assert_true(stranger_calls > 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_hostility_at_every_rung),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
