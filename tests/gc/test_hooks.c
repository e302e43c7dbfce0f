/* Registering, order, removal from everywhere, handles that are stale, and removal that races. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gc/hooks.h"

static tm__hooks table;

static int new_table(void **unused)
{
  (void)unused;
  tm__hooks_init(&table);
  return 0;
}

static int close_table(void **unused)
{
  (void)unused;
  return tm__hooks_close(&table);
}

static int nothing(void *ctx, const tm_event *event)
{
  (void)ctx;
  (void)event;
  return TM_HOOK_NOTHING;
}

static tm_hook *add(tm_hook_kind kind, tm_hook_fn fn, void *ctx)
{
  tm_hook *hook = NULL;
  assert_int_equal(tm__hooks_add(&table, kind, fn, ctx, &hook), 0);
  assert_non_null(hook);
  return hook;
}

static int drop(tm_hook *hook)
{
  tm__hooks *of;
  int result = tm__hooks_remove(hook, &of);
  if (!result)
    assert_ptr_equal(of, &table);
  return result;
}

/* Calls all hooks of a kind as the ladder does. */
static unsigned call_all(tm__hooks *t, tm_hook_kind kind)
{
  unsigned calls = 0;
  tm_event event = {.kind = kind};
  tm__hook_call call = {0};
  while (tm__hooks_begin(t, kind, call.order, &call)) {
    (void)call.fn(call.ctx, &event);
    tm__hooks_end(&call);
    calls++;
  }
  return calls;
}

static void bad_arguments(void **unused)
{
  (void)unused;
  tm_hook *out = (tm_hook *)(void *)&table;
  assert_int_equal(tm__hooks_add(&table, TM_COLLECT, NULL, NULL, &out), TM_EINVAL);
  assert_int_equal(tm__hooks_add(&table, TM_HOOK_KIND_COUNT, nothing, NULL, &out), TM_EINVAL);
  assert_int_equal(tm__hooks_add(&table, (tm_hook_kind)-1, nothing, NULL, &out), TM_EINVAL);
  assert_ptr_equal(out, &table); /* written on success only */
  assert_int_equal(tm__hooks_add(&table, TM_COLLECT, nothing, NULL, NULL), 0);
  assert_int_equal(drop(NULL), TM_EINVAL);
  assert_int_equal(tm__hooks_kinds(&table), 1u << TM_COLLECT);
}

static void sixty_four(void **unused)
{
  (void)unused;
  tm_hook *hooks[TM__HOOK_MAX];
  for (size_t i = 0; i < TM__HOOK_MAX; i++)
    hooks[i] = add((tm_hook_kind)(i % TM_HOOK_KIND_COUNT), nothing, NULL);
  for (size_t i = 0; i < TM__HOOK_MAX; i++)
    for (size_t j = 0; j < i; j++)
      assert_ptr_not_equal(hooks[i], hooks[j]);
  assert_int_equal(tm__hooks_add(&table, TM_TRIM, nothing, NULL, NULL), TM_ENOMEM);
  assert_int_equal(drop(hooks[17]), 0);
  assert_int_equal(tm__hooks_add(&table, TM_TRIM, nothing, NULL, NULL), 0);
  assert_int_equal(tm__hooks_add(&table, TM_TRIM, nothing, NULL, NULL), TM_ENOMEM);
  assert_int_equal(tm__hooks_kinds(&table), (1u << TM_HOOK_KIND_COUNT) - 1);
}

/* ---- Order ----------------------------------------------------------------------------------- */

static char trace[64];
static size_t traced;

static int note(void *ctx, const tm_event *event)
{
  (void)event;
  trace[traced++] = *(char *)ctx;
  return TM_HOOK_DONE;
}

static void order_of_registration(void **unused)
{
  (void)unused;
  static char names[] = "abcdef";
  tm_hook *hooks[6];
  memset(trace, 0, sizeof trace);
  traced = 0;
  for (size_t i = 0; i < 6; i++)
    hooks[i] = add(i == 3 ? TM_TRIM : TM_COLLECT, note, &names[i]);
  assert_int_equal(call_all(&table, TM_COLLECT), 5);
  assert_string_equal(trace, "abcef");
  /* A slot that is used again goes to the end of the line. */
  assert_int_equal(drop(hooks[0]), 0);
  (void)add(TM_COLLECT, note, &names[0]);
  assert_int_equal(call_all(&table, TM_COLLECT), 5);
  assert_string_equal(trace, "abcefbcefa");
  assert_int_equal(call_all(&table, TM_NEAR_LIMIT), 0);
}

static void stale_handles(void **unused)
{
  (void)unused;
  tm_hook *before = add(TM_COLLECT, nothing, NULL);
  assert_int_equal(drop(before), 0);
  assert_int_equal(drop(before), TM_EINVAL);
  for (int tenant = 0; tenant < TM__HOOK_NAMES - 1; tenant++) {
    tm_hook *now = add(TM_COLLECT, nothing, NULL); /* the same slot */
    assert_ptr_not_equal(now, before);
    assert_int_equal(drop(before), TM_EINVAL);
    assert_int_equal(tm__hooks_kinds(&table), 1u << TM_COLLECT); /* the tenant stays */
    assert_int_equal(drop(now), 0);
  }
}

/* ---- Removal from inside --------------------------------------------------------------------- */

static tm_hook *mine, *next_one;
static int result_inside, result_again;

static int remove_myself(void *ctx, const tm_event *event)
{
  (void)event;
  result_inside = drop(mine);
  result_again = drop(mine);
  if (ctx) /* a full table has room for the successor of a hook that still runs */
    mine = add(TM_COLLECT, nothing, NULL);
  return TM_HOOK_DONE;
}

static void a_hook_removes_itself(void **unused)
{
  (void)unused;
  mine = add(TM_COLLECT, remove_myself, NULL);
  assert_int_equal(call_all(&table, TM_COLLECT), 1);
  assert_int_equal(result_inside, 0);
  assert_int_equal(result_again, TM_EINVAL);
  assert_int_equal(call_all(&table, TM_COLLECT), 0);
  assert_int_equal(tm__hooks_kinds(&table), 0);
}

static void a_hook_replaces_itself_in_a_full_table(void **unused)
{
  (void)unused;
  for (size_t i = 1; i < TM__HOOK_MAX; i++)
    (void)add(TM_TRIM, nothing, NULL);
  mine = add(TM_COLLECT, remove_myself, &table);
  assert_int_equal(call_all(&table, TM_COLLECT), 2); /* the successor is called in its turn */
  assert_int_equal(call_all(&table, TM_COLLECT), 1);
}

static int remove_next(void *ctx, const tm_event *event)
{
  (void)ctx;
  (void)event;
  result_inside = drop(next_one);
  return TM_HOOK_DONE;
}

static void a_hook_removes_the_next(void **unused)
{
  (void)unused;
  (void)add(TM_COLLECT, remove_next, NULL);
  next_one = add(TM_COLLECT, nothing, NULL);
  assert_int_equal(call_all(&table, TM_COLLECT), 1); /* never called */
  assert_int_equal(result_inside, 0);                /* not in flight: no reason to refuse */
}

static tm__hooks other_table;

static int call_other_table(void *ctx, const tm_event *event)
{
  (void)ctx;
  (void)event;
  (void)call_all(&other_table, TM_TRIM);
  return TM_HOOK_DONE;
}

/* A hook of one heap polls another heap, whose hook removes the first: it is still its own call. */
static void through_another_heap(void **unused)
{
  (void)unused;
  tm__hooks_init(&other_table);
  assert_int_equal(tm__hooks_add(&other_table, TM_TRIM, remove_next, NULL, NULL), 0);
  next_one = add(TM_COLLECT, call_other_table, NULL);
  assert_int_equal(call_all(&table, TM_COLLECT), 1);
  assert_int_equal(result_inside, 0);
  assert_int_equal(call_all(&table, TM_COLLECT), 0);
  assert_int_equal(tm__hooks_close(&other_table), 0);
}

static int close_inside(void *ctx, const tm_event *event)
{
  (void)event;
  result_inside = tm__hooks_close(ctx);
  return TM_HOOK_DONE;
}

static void close_inside_is_busy(void **unused)
{
  (void)unused;
  (void)add(TM_COLLECT, close_inside, &table);
  assert_int_equal(call_all(&table, TM_COLLECT), 1);
  assert_int_equal(result_inside, TM_EBUSY);
  assert_int_equal(call_all(&table, TM_COLLECT), 1); /* nothing was removed */
}

/* ---- Removal while another thread calls ------------------------------------------------------ */

static _Atomic(int) entered, release_it, gone;

static int slow(void *ctx, const tm_event *event)
{
  (void)ctx;
  (void)event;
  atomic_store(&entered, 1);
  while (!atomic_load(&release_it))
    (void)sched_yield();
  /* The removal must still be waiting: the memory behind ctx would be gone otherwise. */
  return atomic_load(&gone) ? TM_HOOK_ERROR : TM_HOOK_DONE;
}

static int call_result;

static void *caller(void *unused)
{
  tm__hook_call call = {0};
  tm_event event = {0};
  if (tm__hooks_begin(&table, TM_COLLECT, 0, &call)) {
    call_result = call.fn(call.ctx, &event);
    tm__hooks_end(&call);
  }
  return unused;
}

static void *remover(void *hook)
{
  int result = drop(hook);
  atomic_store(&gone, 1);
  return result ? hook : NULL;
}

static void start_slow_call(pthread_t *thread, tm_hook **hook)
{
  atomic_store(&entered, 0);
  atomic_store(&release_it, 0);
  atomic_store(&gone, 0);
  *hook = add(TM_COLLECT, slow, NULL);
  assert_int_equal(pthread_create(thread, NULL, caller, NULL), 0);
  while (!atomic_load(&entered))
    (void)sched_yield();
}

static void removal_waits_for_the_call(void **unused)
{
  (void)unused;
  pthread_t call, removal;
  tm_hook *hook;
  void *failed = NULL;
  start_slow_call(&call, &hook);
  assert_int_equal(pthread_create(&removal, NULL, remover, hook), 0);
  while (tm__hooks_kinds(&table)) /* until it is marked: no new call from here on */
    (void)sched_yield();
  assert_int_equal(atomic_load(&gone), 0);
  assert_int_equal(drop(hook), TM_EINVAL); /* removed already, as far as others see */
  atomic_store(&release_it, 1);
  assert_int_equal(pthread_join(call, NULL), 0);
  assert_int_equal(pthread_join(removal, &failed), 0);
  assert_null(failed);
  assert_int_equal(call_result, TM_HOOK_DONE);
  assert_int_equal(atomic_load(&gone), 1);
}

static void inside_another_hook_it_is_busy(void **unused)
{
  (void)unused;
  pthread_t call;
  start_slow_call(&call, &next_one);
  tm__hooks_init(&other_table);
  assert_int_equal(tm__hooks_add(&other_table, TM_TRIM, remove_next, NULL, NULL), 0);
  assert_int_equal(tm__hooks_add(&other_table, TM_COMPACT, close_inside, &table, NULL), 0);
  assert_int_equal(call_all(&other_table, TM_TRIM), 1);
  assert_int_equal(result_inside, TM_EBUSY); /* waiting in there could be a deadlock */
  assert_int_equal(call_all(&other_table, TM_COMPACT), 1);
  assert_int_equal(result_inside, TM_EBUSY);
  atomic_store(&release_it, 1);
  assert_int_equal(pthread_join(call, NULL), 0);
  assert_int_equal(call_all(&other_table, TM_TRIM), 1);
  assert_int_equal(result_inside, 0); /* it was not removed before, and can be now */
  assert_int_equal(tm__hooks_close(&other_table), 0);
}

static void *closer(void *unused)
{
  (void)tm__hooks_close(&table);
  atomic_store(&gone, 1);
  return unused;
}

static void close_waits_for_the_call(void **unused)
{
  (void)unused;
  pthread_t call, closing;
  tm_hook *hook;
  start_slow_call(&call, &hook);
  (void)add(TM_TRIM, nothing, NULL);
  assert_int_equal(pthread_create(&closing, NULL, closer, NULL), 0);
  while (tm__hooks_kinds(&table) & 1u << TM_COLLECT)
    (void)sched_yield();
  assert_int_equal(atomic_load(&gone), 0);
  atomic_store(&release_it, 1);
  assert_int_equal(pthread_join(call, NULL), 0);
  assert_int_equal(pthread_join(closing, NULL), 0);
  assert_int_equal(call_result, TM_HOOK_DONE);
  assert_int_equal(tm__hooks_kinds(&table), 0);
}

/* ---- A race over and over -------------------------------------------------------------------- */

enum { ROUNDS = 3000 };
static _Atomic(int) racing;

typedef struct tenant {
  _Atomic(int) alive;
  _Atomic(unsigned) calls, after_removal;
} tenant;

static int visit(void *ctx, const tm_event *event)
{
  tenant *t = ctx;
  (void)event;
  atomic_fetch_add(&t->calls, 1);
  if (!atomic_load(&t->alive))
    atomic_fetch_add(&t->after_removal, 1);
  return TM_HOOK_DONE;
}

static void *visitor(void *unused)
{
  while (atomic_load(&racing))
    (void)call_all(&table, TM_COLLECT);
  return unused;
}

/* R7: after tm_hook_remove returned, the hook is never called again. */
static void never_called_again(void **unused)
{
  (void)unused;
  pthread_t visitors[2];
  unsigned calls = 0;
  atomic_store(&racing, 1);
  for (size_t i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&visitors[i], NULL, visitor, NULL), 0);
  for (int round = 0; round < ROUNDS || (!calls && round < 1000 * ROUNDS); round++) {
    tenant t = {.alive = 1};
    tm_hook *hook = add(TM_COLLECT, visit, &t);
    if (round % 3 == 0)
      (void)sched_yield();
    assert_int_equal(drop(hook), 0);
    atomic_store(&t.alive, 0);
    calls += atomic_load(&t.calls);
    assert_int_equal(atomic_load(&t.after_removal), 0);
  }
  atomic_store(&racing, 0);
  for (size_t i = 0; i < 2; i++)
    assert_int_equal(pthread_join(visitors[i], NULL), 0);
  assert_true(calls > 0); /* or nothing was tested */
}

/* ---- Fork ------------------------------------------------------------------------------------ */

static void a_child_forgets_calls_in_flight(void **unused)
{
  (void)unused;
  tm_hook *hook = add(TM_COLLECT, nothing, NULL), *dying = add(TM_TRIM, nothing, NULL);
  tm__hook_call first = {0}, second = {0};
  assert_true(tm__hooks_begin(&table, TM_COLLECT, 0, &first));
  assert_true(tm__hooks_begin(&table, TM_TRIM, 0, &second));
  assert_int_equal(drop(dying), 0); /* from inside: it dies when its call ends */
  tm__hooks_fork_child(&table);
  assert_int_equal(table.live, 1);
  assert_int_equal(tm__hooks_kinds(&table), 1u << TM_COLLECT);
  tm__hooks_end(&second); /* the thread that forked was inside: its return counts nothing */
  tm__hooks_end(&first);
  assert_int_equal(call_all(&table, TM_COLLECT), 1);
  assert_int_equal(drop(hook), 0);
  assert_int_equal(drop(dying), TM_EINVAL);
}

static void *token_of_thread(void *token)
{
  *(uintptr_t *)token = tm__thread_token();
  return NULL;
}

static void tokens(void **unused)
{
  (void)unused;
  pthread_t thread;
  uintptr_t other = 0;
  assert_int_not_equal(tm__thread_token(), 0);
  assert_int_equal(tm__thread_token(), tm__thread_token());
  assert_int_equal(pthread_create(&thread, NULL, token_of_thread, &other), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_not_equal(other, tm__thread_token());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_table, close_table)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(bad_arguments),
      TEST(sixty_four),
      TEST(order_of_registration),
      TEST(stale_handles),
      TEST(a_hook_removes_itself),
      TEST(a_hook_replaces_itself_in_a_full_table),
      TEST(a_hook_removes_the_next),
      TEST(through_another_heap),
      TEST(close_inside_is_busy),
      TEST(removal_waits_for_the_call),
      TEST(inside_another_hook_it_is_busy),
      TEST(close_waits_for_the_call),
      TEST(never_called_again),
      TEST(a_child_forgets_calls_in_flight),
      TEST(tokens),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
