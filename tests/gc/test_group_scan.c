/* From lines to members: who is counted, who sleeps, who is dead, and what a torn line means. */
#include "gc/group_scan.h"

#include <math.h>

#include "support/check.h"

enum { MS = 1000000 };
static const uint64_t mib = 1u << 20, second = 1000000000u;

static tm__group_table table;
static tm__group_peer peers[TM_GROUP_MEMBERS];
static tm__group_members members;
static tm__process_id me, dead;

static int set_up(void **state)
{
  (void)state;
  memset((void *)&table, 0, sizeof table);
  memset(peers, 0, sizeof peers);
  me = tm__process_self();
  dead = me + (UINT64_C(1) << TM__PID_BITS); /* this pid, another start: recycled */
  return 0;
}

static void line(int slot, tm__process_id author, uint64_t heartbeat_ns)
{
  tm__group_entry entry = {.author = author,
                           .heartbeat_ns = heartbeat_ns,
                           .live_bytes = 10 * mib,
                           .footprint_bytes = 15 * mib,
                           .growth_rate = 1e8F,
                           .collect_speed = 1e9F};
  atomic_store(&table.lines[slot].owner, author);
  tm__group_write(&table, slot, &entry);
}

static void scan(uint64_t now_ns)
{
  tm__group_scan(&table, peers, -1, NULL, now_ns, true, &members);
}

static void living_members_in_order(void **state)
{
  (void)state;
  line(3, me, 100 * second);
  line(200, me, 100 * second);
  tm__group_entry own = {.author = me, .live_bytes = mib, .footprint_bytes = 2 * mib};
  tm__group_scan(&table, peers, 7, &own, 100 * second + MS, true, &members);
  assert_int_equal(members.count, 3);
  assert_int_equal(members.self, 1);
  assert_int_equal(members.slots[0], 3);
  assert_int_equal(members.slots[1], 7);
  assert_int_equal(members.slots[2], 200);
  assert_int_equal(members.live_bytes, 21 * mib);
  assert_int_equal(members.footprint_bytes, 32 * mib);
  assert_true(members.shares[0].growth_rate == (double)1e8F);
  assert_true(members.shares[1].collect_speed == 0);
  scan(100 * second + MS);
  assert_int_equal(members.count, 2);
  assert_int_equal(members.self, 2); /* it has no line */
}

/* The clock is moved: the line of a dead process is believed for one second and no more. */
static void a_dead_line_expires(void **state)
{
  (void)state;
  line(0, dead, 100 * second);
  scan(100 * second);
  assert_int_equal(members.count, 1);
  scan(101 * second - 1);
  assert_int_equal(members.count, 1);
  tm__group_scan(&table, peers, -1, NULL, 101 * second, false, &members);
  assert_int_equal(members.count, 0);
  assert_true(tm__group_owns(&table, 0, dead)); /* who only looks changes nothing */
  scan(101 * second);
  assert_int_equal(members.count, 0);
  assert_int_equal(atomic_load(&table.lines[0].owner), 0);
}

static void a_process_that_is_idle_lives(void **state)
{
  (void)state;
  line(0, me, 100 * second);
  for (uint64_t s = 100; s < 200; s += 3) {
    scan(s * second);
    assert_int_equal(members.count + members.asleep, 1);
  }
  assert_true(tm__group_owns(&table, 0, me));
}

/* Found alive once, then it dies: it is asked for again after a second. */
static void a_pulse_is_believed_for_a_second(void **state)
{
  (void)state;
  line(0, dead, 100 * second);
  peers[0].checked = dead;
  peers[0].checked_ns = 105 * second;
  scan(106 * second - 1);
  assert_int_equal(members.count, 1);
  scan(106 * second);
  assert_int_equal(members.count, 0);
}

static void a_pulse_belongs_to_a_process(void **state)
{
  (void)state;
  line(0, dead, 100 * second);
  peers[0].checked = me; /* of who had the line before */
  peers[0].checked_ns = 105 * second;
  scan(105 * second);
  assert_int_equal(members.count, 0);
}

static void who_is_silent_grows_slowly_and_then_sleeps(void **state)
{
  (void)state;
  line(0, me, 100 * second);
  scan(101 * second - 1);
  assert_true(members.shares[0].growth_rate == (double)1e8F);
  scan(104 * second);
  assert_true(members.shares[0].growth_rate == (double)mib / 4);
  assert_int_equal(members.asleep, 0);
  assert_int_equal(members.live_bytes, 10 * mib);
  scan(110 * second);
  assert_int_equal(members.count, 0);
  assert_int_equal(members.asleep, 1);
  assert_int_equal(members.slots[TM_GROUP_MEMBERS - 1], 0);
  assert_int_equal(members.asleep_bytes, 15 * mib); /* what it holds stays held */
  assert_int_equal(members.live_bytes, 0);
  assert_int_equal(members.footprint_bytes, 15 * mib);
}

static void a_master_that_only_forks(void **state)
{
  (void)state;
  tm__group_entry entry = {.author = me, .heartbeat_ns = 100 * second, .footprint_bytes = 9 * mib};
  line(0, me, 102 * second);
  assert_int_equal(tm__group_claim(&table, me, NULL), 1);
  tm__group_write(&table, 1, &entry);
  scan(102 * second - 1);
  assert_int_equal(members.count, 2);
  assert_int_equal(tm__group_part(&members, 1, 110 * mib), 50 * mib);
  scan(102 * second);
  assert_int_equal(members.count, 1);
  assert_int_equal(members.asleep_bytes, 9 * mib);
  assert_int_equal(tm__group_part(&members, 0, 119 * mib), 100 * mib);
}

/* A heartbeat that is ahead: by a moment it is a race, by more it is from before a boot. */
static void clocks_ahead(void **state)
{
  (void)state;
  line(0, me, 100 * second + 5);
  line(1, dead, 9000 * second);
  line(2, me, 9000 * second);
  scan(100 * second);
  assert_int_equal(members.count, 1);
  assert_int_equal(members.slots[0], 0);
  assert_int_equal(members.asleep, 1);
  assert_int_equal(members.slots[TM_GROUP_MEMBERS - 1], 2);
}

static void a_torn_line_means_what_it_said(void **state)
{
  (void)state;
  line(0, me, 100 * second);
  scan(100 * second);
  atomic_fetch_add(&table.lines[0].sequence, 1); /* its writer was stopped in here */
  atomic_store(&table.lines[0].words[2], 999 * mib);
  scan(100 * second + MS);
  assert_int_equal(members.count, 1);
  assert_int_equal(members.live_bytes, 10 * mib);
  scan(103 * second); /* stopped, not dead */
  assert_int_equal(members.count, 1);
  atomic_store(&table.lines[0].owner, dead);
  scan(104 * second); /* another owner: what the last one said is nothing */
  assert_int_equal(members.count, 0);
}

static void a_member_that_said_nothing_is_counted(void **state)
{
  (void)state;
  assert_int_equal(tm__group_claim(&table, me, NULL), 0);
  atomic_store(&table.lines[1].owner, dead); /* died before its first word */
  scan(100 * second);
  assert_int_equal(members.count, 1);
  assert_int_equal(members.shares[0].live_bytes, 0);
}

static void a_table_that_is_full(void **state)
{
  (void)state;
  for (int i = 0; i < TM_GROUP_MEMBERS; i++)
    line(i, me, 100 * second);
  scan(100 * second);
  assert_int_equal(members.count, TM_GROUP_MEMBERS);
  uint64_t sum = members.live_bytes, budget = 4096 * mib;
  for (size_t i = 0; i < members.count; i++)
    sum += tm__group_part(&members, i, budget);
  assert_int_equal(sum, budget);
}

/* What sleepers hold is taken off first; the rest is shared by those that are awake. */
static void parts_and_sleepers_are_the_budget(void **state)
{
  (void)state;
  line(0, me, 100 * second);
  line(1, me, 120 * second);
  line(2, me, 90 * second);
  line(3, me, 120 * second);
  scan(120 * second);
  assert_int_equal(members.count, 2);
  assert_int_equal(members.asleep, 2);
  assert_int_equal(tm__group_part(&members, 0, 150 * mib), 50 * mib);
  assert_int_equal(tm__group_part(&members, 1, 150 * mib), 50 * mib);
  assert_int_equal(tm__group_part(&members, 2, 150 * mib), 0);
  assert_int_equal(tm__group_part(&members, 0, 50 * mib), 0); /* all of it is live or held */
  assert_int_equal(tm__group_part(&members, 0, 20 * mib), 0);
}

/* Other processes write these numbers. */
static void any_bits_are_survived(void **state)
{
  (void)state;
  const float odd[] = {NAN, INFINITY, -INFINITY, -1, -0.0F, 1e-45F, 3.4e38F, 1e30F, 1, 1e9F};
  for (size_t g = 0; g < TM_ARRAY_LEN(odd); g++)
    for (size_t s = 0; s < TM_ARRAY_LEN(odd); s++)
      for (uint64_t age = 0; age < 5; age += 2) {
        (void)set_up(NULL);
        line(0, me, 100 * second);
        line(1, me, 100 * second);
        tm__group_entry entry = {.author = me,
                                 .heartbeat_ns = (100 - age) * second,
                                 .live_bytes = 10 * mib,
                                 .growth_rate = odd[g],
                                 .collect_speed = odd[s]};
        tm__group_write(&table, 1, &entry);
        scan(100 * second);
        uint64_t first = tm__group_part(&members, 0, 100 * mib);
        assert_int_equal(first + tm__group_part(&members, 1, 100 * mib), 80 * mib);
        entry.live_bytes = entry.footprint_bytes = UINT64_MAX;
        tm__group_write(&table, 1, &entry);
        scan(100 * second);
        assert_int_equal(tm__group_part(&members, 0, 100 * mib), 0);
      }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(living_members_in_order, set_up),
      cmocka_unit_test_setup(a_dead_line_expires, set_up),
      cmocka_unit_test_setup(a_process_that_is_idle_lives, set_up),
      cmocka_unit_test_setup(a_pulse_is_believed_for_a_second, set_up),
      cmocka_unit_test_setup(a_pulse_belongs_to_a_process, set_up),
      cmocka_unit_test_setup(who_is_silent_grows_slowly_and_then_sleeps, set_up),
      cmocka_unit_test_setup(a_master_that_only_forks, set_up),
      cmocka_unit_test_setup(clocks_ahead, set_up),
      cmocka_unit_test_setup(a_torn_line_means_what_it_said, set_up),
      cmocka_unit_test_setup(a_member_that_said_nothing_is_counted, set_up),
      cmocka_unit_test_setup(a_table_that_is_full, set_up),
      cmocka_unit_test_setup(parts_and_sleepers_are_the_budget, set_up),
      cmocka_unit_test_setup(any_bits_are_survived, set_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
