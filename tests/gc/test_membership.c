/* One heap's place in a group, with time and numbers of the test's own: joining, budgets, parts,
 * forked children, members that are killed. */
#define _GNU_SOURCE
#include "gc/membership.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "gc/policy.h"
#include "support/check.h"
#include "support/child.h"

static const uint64_t mib = 1u << 20, second = 1000000000u, now = 1000000000000u;
static char folder[256], name[320], path[TM__GROUP_PATH];
static tm__membership ours, second_heap; /* as in two heaps of this process */
static tm_policy_state state;

static int set_up(void **unused)
{
  (void)unused;
  (void)snprintf(folder, sizeof folder, "/tmp/tidemark-test.%d", (int)getpid());
  (void)mkdir(folder, 0700);
  (void)snprintf(name, sizeof name, "%s/web", folder);
  (void)tm__group_path(name, path, NULL);
  memset((void *)&ours, 0, sizeof ours);
  memset((void *)&second_heap, 0, sizeof second_heap);
  tm_policy_state_init(&state, NULL, now - 10 * second);
  return 0;
}

static int tear_down(void **unused)
{
  (void)unused;
  (void)tm__membership_leave(&ours);
  (void)tm__membership_leave(&second_heap);
  (void)unlink(path);
  return rmdir(folder);
}

static int join(tm__membership *m, uint64_t budget_bytes)
{
  return tm__membership_join(m, name, budget_bytes, &state, now);
}

static uint64_t refresh(tm__membership *m, const tm_policy_state *of, uint64_t footprint,
                        uint64_t now_ns)
{
  tm__membership_news news = {.state = of, .footprint_bytes = footprint, .now_ns = now_ns};
  return tm__membership_refresh(m, &news);
}

/* A state as after full runs. */
static tm_policy_state ran(uint64_t live, double growth, double speed)
{
  tm_policy_state s;
  tm_policy_state_init(&s, NULL, now - 10 * second);
  s.live_bytes = live;
  s.alloc_rate = growth;
  s.net_share = 1.0;
  s.collect_speed = speed;
  s.speed_samples = 2;
  return s;
}

static void alone_it_has_the_budget(void **unused)
{
  (void)unused;
  tm_group_info info;
  assert_false(tm__membership_joined(&ours));
  assert_false(tm__membership_due(&ours, UINT64_MAX));
  assert_false(tm__membership_info(&ours, &info));
  assert_int_equal(tm__membership_leave(&ours), TM_EINVAL);
  assert_int_equal(join(&ours, 100 * mib), 0);
  assert_true(tm__membership_due(&ours, now));
  assert_int_equal(refresh(&ours, &state, 7 * mib, now), 100 * mib);
  assert_false(tm__membership_due(&ours, now + TM__GROUP_TICK_NS - 1));
  assert_true(tm__membership_due(&ours, now + TM__GROUP_TICK_NS));
  assert_true(tm__membership_info(&ours, &info));
  assert_string_equal(info.name, "web");
  assert_int_equal(info.budget_bytes, 100 * mib);
  assert_int_equal(info.members, 1);
  assert_int_equal(info.footprint_bytes, 7 * mib);
  assert_int_equal(info.share_bytes, 100 * mib);
  assert_int_equal(info.is_member, 1);
  assert_int_equal(join(&ours, 100 * mib), TM_EINVAL); /* in a group already */
  assert_int_equal(tm__membership_leave(&ours), 0);
  assert_int_equal(refresh(&ours, &state, 7 * mib, now), 0);
}

static void arguments(void **unused)
{
  (void)unused;
  assert_int_equal(tm__membership_join(&ours, "no/name", mib, &state, now), TM_EINVAL);
  assert_int_equal(tm__membership_join(&ours, NULL, mib, &state, now), TM_EINVAL);
  assert_int_equal(join(&ours, (uint64_t)INT64_MAX + 1), TM_EINVAL);
  assert_int_equal(join(&ours, 0), TM_EINVAL); /* no group to take a budget from */
  assert_int_equal(tm__membership_join(&ours, "/no/such/place", mib, &state, now), TM_EIO);
  assert_false(tm__membership_joined(&ours));
  assert_int_equal(join(&ours, mib), 0);
  assert_int_equal(join(&second_heap, 0), 0);
  assert_int_equal(refresh(&second_heap, &state, 0, now), mib / 2);
}

/* Never 0, which would mean "in no group". */
static void a_budget_that_is_used_up(void **unused)
{
  (void)unused;
  tm_policy_state full = ran(200 * mib, 1e6, 1e9);
  assert_int_equal(join(&ours, 100 * mib), 0);
  assert_int_equal(refresh(&ours, &full, 200 * mib, now), 1);
}

static void two_heaps_of_one_process(void **unused)
{
  (void)unused;
  tm_policy_state small = ran(10 * mib, 1e6, 1e9), large = ran(40 * mib, 1e6, 1e9);
  assert_int_equal(join(&ours, 350 * mib), 0);
  assert_int_equal(join(&second_heap, 350 * mib), 0);
  (void)refresh(&ours, &small, 10 * mib, now);
  uint64_t e2 = refresh(&second_heap, &large, 40 * mib, now);
  uint64_t e1 = refresh(&ours, &small, 10 * mib, now + 2 * TM__MILLISECOND);
  assert_int_equal(e1 + e2, 300 * mib);
  assert_in_range(e1, 100 * mib - 1, 100 * mib + 1); /* four times the live data: twice the part */
  assert_int_equal(tm__membership_leave(&second_heap), 0);
  assert_int_equal(refresh(&ours, &small, 10 * mib, now + second), 340 * mib);
}

static void a_look_is_cheap_within_a_millisecond(void **unused)
{
  (void)unused;
  assert_int_equal(join(&ours, 100 * mib), 0);
  assert_int_equal(refresh(&ours, &state, mib, now), 100 * mib);
  atomic_store(&ours.place.table->budget_bytes, 50 * mib);
  assert_int_equal(refresh(&ours, &state, mib, now + TM__MILLISECOND - 1), 100 * mib);
  assert_int_equal(refresh(&ours, &state, mib, now + TM__MILLISECOND), 50 * mib);
  tm_policy_state after = ran(10 * mib, 1e6, 1e9); /* unless L has moved */
  assert_int_equal(refresh(&ours, &after, mib, now + TM__MILLISECOND + 1), 40 * mib);
}

static void parts_that_moved(void **unused)
{
  (void)unused;
  static const struct {
    uint64_t now, applied;
    bool moved;
  } cases[] = {{160, 160, false}, {170, 160, false}, {171, 160, true}, {150, 160, false},
               {149, 160, true},  {1, 0, true},      {0, 1, true}};
  for (size_t i = 0; i < TM_ARRAY_LEN(cases); i++) {
    tm__counter_set(&ours.headroom_bytes, cases[i].now * mib);
    tm__counter_set(&ours.applied_bytes, cases[i].applied * mib);
    assert_int_equal(tm__membership_moved(&ours), cases[i].moved);
  }
  tm__counter_set(&ours.headroom_bytes, mib / 4);
  tm__counter_set(&ours.applied_bytes, 0); /* a quarter of a MiB is no reason */
  assert_false(tm__membership_moved(&ours));
}

/* ---- Budgets --------------------------------------------------------------------------------- */

static void be_a_member(void *budget, int in, int out)
{
  static tm__membership theirs;
  int error = tm__membership_join(&theirs, name, *(uint64_t *)budget, &state, now);
  (void)refresh(&theirs, &state, 5 * mib, now);
  child_say(out, (uint64_t)(int64_t)error);
  (void)child_hear(in); /* until it is told, or killed */
  (void)tm__membership_leave(&theirs);
}

static void a_budget_holds_as_long_as_somebody_lives(void **unused)
{
  (void)unused;
  uint64_t budget = 100 * mib;
  test_child child = child_start(be_a_member, &budget);
  assert_int_equal(child_hear(child.said), 0);
  assert_int_equal(join(&ours, 200 * mib), TM_ERANGE);
  assert_false(tm__membership_joined(&ours));
  assert_int_equal(join(&ours, 100 * mib), 0);
  assert_int_equal(refresh(&ours, &state, mib, now), 50 * mib);
  assert_int_equal(tm__membership_leave(&ours), 0);
  child_kill(&child); /* its line is still there */
  assert_int_equal(join(&ours, 200 * mib), 0);
  assert_int_equal(refresh(&ours, &state, mib, now + 2 * second), 200 * mib);
}

static void a_line_is_given_back_after_a_refusal(void **unused)
{
  (void)unused;
  uint64_t budget = 100 * mib;
  test_child child = child_start(be_a_member, &budget);
  assert_int_equal(child_hear(child.said), 0);
  for (int i = 0; i < 2 * TM_GROUP_MEMBERS; i++)
    assert_int_equal(join(&ours, mib), TM_ERANGE);
  assert_int_equal(join(&ours, 0), 0);
  child_say(child.told, 1);
  child_end(&child);
}

static void a_full_table(void **unused)
{
  (void)unused;
  tm__group_place place;
  assert_int_equal(tm__group_open(path, mib, &place), 0);
  tm__process_id parent = getppid() > 0 ? (tm__process_id)getppid() : 1; /* lives, and is not us */
  for (int i = 0; i < TM_GROUP_MEMBERS; i++)
    atomic_store(&place.table->lines[i].owner, parent);
  assert_int_equal(join(&ours, mib), TM_EBUSY);
  assert_false(tm__membership_joined(&ours));
  atomic_store(&place.table->lines[99].owner, tm__process_self() + (UINT64_C(1) << TM__PID_BITS));
  assert_int_equal(join(&ours, mib), 0);
  assert_int_equal(ours.slot, 99);
  tm__group_unmap(place.table);
}

static void no_memory(void **unused)
{
  (void)unused;
  tm__os_fault(1, false);
  assert_int_equal(join(&ours, mib), TM_ENOMEM);
  tm__os_fault(0, false);
  assert_false(tm__membership_joined(&ours));
  assert_int_equal(join(&ours, mib), 0);
}

/* ---- Death ----------------------------------------------------------------------------------- */

/* Four workers, one is killed: two seconds later, by a clock that the test moves, its part is with
 * the others. A stopped one keeps its part until it is taken for asleep. */
static void a_killed_member_gives_its_part_back(void **unused)
{
  (void)unused;
  enum { CHILDREN = 3 };
  test_child children[CHILDREN];
  uint64_t budget = 400 * mib;
  for (int i = 0; i < CHILDREN; i++) {
    children[i] = child_start(be_a_member, &budget);
    assert_int_equal(child_hear(children[i].said), 0);
  }
  assert_int_equal(join(&ours, budget), 0);
  assert_int_equal(refresh(&ours, &state, mib, now), 100 * mib);
  child_kill(&children[0]);
  assert_int_equal(kill(children[1].pid, SIGSTOP), 0);
  assert_int_equal(refresh(&ours, &state, mib, now + second / 2), 100 * mib);
  assert_in_range(refresh(&ours, &state, mib, now + 2 * second - TM__MILLISECOND), 133 * mib,
                  134 * mib);
  /* the others never collected and say nothing any more: what they hold, 5 MiB each, is theirs */
  assert_int_equal(refresh(&ours, &state, mib, now + 2 * second), 390 * mib);
  child_kill(&children[1]);
  child_kill(&children[2]);
  assert_int_equal(refresh(&ours, &state, mib, now + 4 * second), 400 * mib);
}

/* It was taken for dead, and its line went to somebody else. */
static void a_member_that_lost_its_line(void **unused)
{
  (void)unused;
  assert_int_equal(join(&ours, 100 * mib), 0);
  tm__process_id parent = (tm__process_id)getppid();
  atomic_store(&ours.place.table->lines[ours.slot].owner, parent);
  assert_int_equal(refresh(&ours, &state, mib, now), 50 * mib); /* mute, but alive */
  assert_int_equal(ours.slot, 1);
  assert_int_equal(atomic_load(&ours.place.table->lines[0].owner), parent);
}

/* ---- Fork ------------------------------------------------------------------------------------ */

static void claim_by_looking(void *unused, int in, int out)
{
  (void)unused;
  must(tm__membership_joined(&ours));
  int parents = ours.slot;
  /* as behind fork's back: only the pid tells */
  uint64_t part = refresh(&ours, &state, 3 * mib, now + second + TM__MILLISECOND);
  must(ours.slot >= 0 && ours.slot != parents);
  must(tm__group_owns(ours.place.table, ours.slot, tm__process_self()));
  child_say(out, part);
  if (child_hear(in))
    must(tm__membership_leave(&ours) == 0);
  _exit(0);
}

static void forked_children_join_by_themselves(void **unused)
{
  (void)unused;
  assert_int_equal(join(&ours, 120 * mib), 0);
  assert_int_equal(refresh(&ours, &state, mib, now + second), 120 * mib);
  test_child first = child_start(claim_by_looking, NULL);
  assert_int_equal(child_hear(first.said), 60 * mib);
  test_child other = child_start(claim_by_looking, NULL);
  assert_int_equal(child_hear(other.said), 40 * mib);
  assert_int_equal(refresh(&ours, &state, mib, now + second + 3 * TM__MILLISECOND), 40 * mib);
  assert_int_equal(ours.slot, 0);
  child_say(first.told, 1); /* leaves */
  child_end(&first);
  assert_int_equal(refresh(&ours, &state, mib, now + second + 9 * TM__MILLISECOND), 60 * mib);
  child_say(other.told, 0); /* ends without a word */
  child_end(&other);
  assert_int_equal(refresh(&ours, &state, mib, now + 3 * second), 120 * mib);
}

static void leave_at_once(void *unused, int in, int out)
{
  (void)unused, (void)in;
  must(tm__membership_leave(&ours) == 0); /* it never had a line: its parent's is left alone */
  child_say(out, 1);
}

static void a_child_does_not_take_its_parents_line(void **unused)
{
  (void)unused;
  assert_int_equal(join(&ours, 120 * mib), 0);
  test_child child = child_start(leave_at_once, NULL);
  assert_int_equal(child_hear(child.said), 1);
  child_end(&child);
  assert_true(tm__group_owns(ours.place.table, ours.slot, tm__process_self()));
}

/* The other threads of the parent held what they held. */
static void the_locks_of_a_child(void **unused)
{
  (void)unused;
  assert_int_equal(join(&ours, 120 * mib), 0);
  atomic_store(&ours.busy, true);                                 /* somebody is in a refresh */
  assert_int_equal(refresh(&ours, &state, mib, now + second), 1); /* of the last one; no wait */
  tm__membership_fork_child(&ours);
  assert_int_equal(refresh(&ours, &state, mib, now + second), 120 * mib);
}

static void crowded_out(void *unused, int in, int out)
{
  tm_group_info info;
  (void)unused, (void)in;
  tm__membership_fork_child(&ours);
  must_equal(refresh(&ours, &state, 95 * mib, now + second), 0);
  must(tm__membership_info(&ours, &info));
  must_equal(info.is_member, 0);
  must_equal(ours.slot, (uint64_t)-1);
  tm__group_release(ours.place.table, 9, (tm__process_id)getppid());
  must_equal(refresh(&ours, &state, 95 * mib, now + 2 * second - TM__MILLISECOND), 0);
  must(refresh(&ours, &state, 95 * mib, now + 2 * second) > 0); /* it does not ask at every look */
  must_equal(ours.slot, 9);
  child_say(out, 1);
}

/* No free line for a child: it goes on as without a group, and tries again. */
static void a_child_without_a_line(void **unused)
{
  (void)unused;
  assert_int_equal(join(&ours, 1000 * mib), 0);
  for (int i = 1; i < TM_GROUP_MEMBERS; i++)
    atomic_store(&ours.place.table->lines[i].owner, (tm__process_id)getpid());
  test_child child = child_start(crowded_out, NULL);
  assert_int_equal(child_hear(child.said), 1);
  child_end(&child);
}

#define group_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      group_test(alone_it_has_the_budget),
      group_test(arguments),
      group_test(a_budget_that_is_used_up),
      group_test(two_heaps_of_one_process),
      group_test(a_look_is_cheap_within_a_millisecond),
      group_test(parts_that_moved),
      group_test(a_budget_holds_as_long_as_somebody_lives),
      group_test(a_line_is_given_back_after_a_refusal),
      group_test(a_full_table),
      group_test(no_memory),
      group_test(a_killed_member_gives_its_part_back),
      group_test(a_member_that_lost_its_line),
      group_test(forked_children_join_by_themselves),
      group_test(a_child_does_not_take_its_parents_line),
      group_test(the_locks_of_a_child),
      group_test(a_child_without_a_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
