/* Lines: who owns them, what a reader sees of a writer that is anywhere, also dead. */
#include "gc/group_table.h"

#include <sys/mman.h>

#include "base/os.h"
#include "support/check.h"
#include "support/child.h"
#include "support/random.h"

static tm__group_table *table; /* shared with children */

static int set_up(void **state)
{
  (void)state;
  if (!table)
    table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  memset((void *)table, 0, sizeof *table);
  tm__group_table_init(table, 1000);
  return 0;
}

/* An entry whose words all follow from one number. */
static tm__group_entry entry_from(tm__process_id author, uint64_t n)
{
  return (tm__group_entry){.author = author,
                           .heartbeat_ns = n,
                           .live_bytes = n * 3,
                           .footprint_bytes = n * 5,
                           .soft_limit_bytes = n * 7,
                           .growth_rate = (float)(n % 1000),
                           .collect_speed = (float)(n % 1000 * 2)};
}

static bool whole(const tm__group_entry *e)
{
  tm__group_entry same = entry_from(e->author, e->heartbeat_ns);
  return e->live_bytes == same.live_bytes && e->footprint_bytes == same.footprint_bytes &&
         e->soft_limit_bytes == same.soft_limit_bytes && e->growth_rate == same.growth_rate &&
         e->collect_speed == same.collect_speed;
}

static void a_table_is_checked(void **state)
{
  (void)state;
  assert_int_equal(tm__group_table_check(table), 0);
  assert_int_equal(atomic_load(&table->budget_bytes), 1000);
  _Atomic(uint64_t) *words[] = {&table->magic, &table->version, &table->slots,
                                &table->pid_namespace};
  for (size_t i = 0; i < TM_ARRAY_LEN(words); i++) {
    atomic_fetch_add(words[i], 1);
    assert_int_equal(tm__group_table_check(table), TM_ENOTSUP);
    atomic_fetch_sub(words[i], 1);
  }
  atomic_store(&table->pid_namespace, 0); /* made where it was not known */
  assert_int_equal(tm__group_table_check(table), 0);
}

static void what_is_written_is_read(void **state)
{
  (void)state;
  tm__process_id me = tm__process_self(), owner;
  tm__group_entry out = {.author = 0}, in = entry_from(me, 12345);
  assert_int_equal(tm__group_look(table, 0, &owner, &out), TM__LINE_FREE);
  assert_int_equal(tm__group_claim(table, me, NULL), 0);
  assert_int_equal(tm__group_look(table, 0, &owner, &out), TM__LINE_MUTE);
  assert_int_equal(owner, me);
  tm__group_write(table, 0, &in);
  assert_int_equal(tm__group_look(table, 0, &owner, &out), TM__LINE_SAID);
  assert_int_equal(out.author, me);
  assert_int_equal(out.heartbeat_ns, 12345);
  assert_true(whole(&out));
  assert_true(tm__group_owns(table, 0, me));
  tm__group_release(table, 0, me);
  assert_int_equal(tm__group_look(table, 0, &owner, &out), TM__LINE_FREE);
}

/* Claimed by one, the words still those of another: nothing is believed. */
static void a_former_owner_is_not_heard(void **state)
{
  (void)state;
  tm__process_id me = tm__process_self(), other = me + (UINT64_C(1) << TM__PID_BITS), owner;
  tm__group_entry out = {.author = 0}, in = entry_from(other, 7);
  assert_int_equal(tm__group_claim(table, other, NULL), 0);
  tm__group_write(table, 0, &in);
  tm__group_expire(table, 0, me); /* not his: nothing happens */
  assert_true(tm__group_owns(table, 0, other));
  tm__group_expire(table, 0, other);
  assert_int_equal(tm__group_claim(table, me, NULL), 0);
  assert_int_equal(tm__group_look(table, 0, &owner, &out), TM__LINE_MUTE);
}

static void claims_take_the_free_then_the_dead(void **state)
{
  (void)state;
  tm__process_id me = tm__process_self(), dead = me + (UINT64_C(1) << TM__PID_BITS);
  for (int i = 0; i < TM_GROUP_MEMBERS; i++)
    assert_int_equal(tm__group_claim(table, me, NULL), i);
  assert_int_equal(tm__group_claim(table, me, NULL), -1);
  atomic_store(&table->lines[77].owner, dead);
  assert_int_equal(tm__group_claim(table, me, NULL), 77);
  atomic_store(&table->lines[80].owner, dead);
  tm__group_release(table, 90, me);
  assert_int_equal(tm__group_claim(table, me, NULL), 90);
  assert_int_equal(tm__group_claim(table, me, NULL), 80);
  assert_int_equal(tm__group_claim(table, me, NULL), -1);
}

/* After an exec the process is the same, and its lines are there without anybody who writes. */
static void lines_from_before_an_exec_are_taken_up(void **state)
{
  (void)state;
  tm__process_id me = tm__process_self();
  uint64_t held[TM__GROUP_HELD] = {0};
  for (int i = 0; i < 70; i++)
    assert_int_equal(tm__group_claim(table, me, NULL), i);
  memset(held, 0xff, sizeof held);
  held[0] &= ~(UINT64_C(1) << 5);
  held[1] &= ~(UINT64_C(1) << 2); /* line 66 */
  assert_int_equal(tm__group_claim(table, me, held), 5);
  assert_true(tm__group_owns(table, 5, me));
  assert_false(tm__group_owns(table, 66, me)); /* one is enough */
  assert_true(tm__group_owns(table, 67, me));
  held[0] |= UINT64_C(1) << 5;
  assert_int_equal(tm__group_claim(table, me, held), 66);
}

/* Every place where a writer can die, once. */
static void a_writer_that_stopped_anywhere(void **state)
{
  (void)state;
  tm__process_id me = tm__process_self(), owner;
  tm__group_entry out = {.author = 0}, first = entry_from(me, 100), second = entry_from(me, 101);
  for (size_t stores = 0; stores <= TM__GROUP_WORDS; stores++) {
    (void)set_up(NULL);
    assert_int_equal(tm__group_claim(table, me, NULL), 0);
    tm__group_write(table, 0, &second);
    uint64_t words[TM__GROUP_WORDS];
    for (size_t i = 0; i < TM__GROUP_WORDS; i++)
      words[i] = atomic_load(&table->lines[0].words[i]);
    tm__group_write(table, 0, &first);
    assert_int_equal(tm__group_look(table, 0, &owner, &out), TM__LINE_SAID);
    atomic_fetch_add(&table->lines[0].sequence, 1);
    for (size_t i = 0; i < stores; i++)
      atomic_store(&table->lines[0].words[i], words[i]);
    assert_int_equal(tm__group_look(table, 0, &owner, &out), TM__LINE_MUTE);
    assert_int_equal(owner, me);
    tm__group_write(table, 0, &second); /* the next one is not disturbed */
    assert_int_equal(tm__group_look(table, 0, &owner, &out), TM__LINE_SAID);
    assert_int_equal(out.heartbeat_ns, 101);
    assert_true(whole(&out));
  }
}

/* ---- Real processes -------------------------------------------------------------------------- */

static void write_for_ever(void *ctx, int in, int out)
{
  tm__process_id me = tm__process_self();
  (void)ctx, (void)in;
  int slot = tm__group_claim(table, me, NULL);
  must(slot >= 0);
  for (uint64_t n = 1;; n++) {
    tm__group_entry entry = entry_from(me, n);
    tm__group_write(table, slot, &entry);
    if (n == 1)
      child_say(out, (uint64_t)slot);
  }
}

/* Killed at random points, read all the while: what is read is whole, and the line is usable. */
static void writers_are_killed(void **state)
{
  (void)state;
  enum { ROUNDS = TEST_SANITIZED ? 20 : 60 };
  test_random random = {20};
  uint64_t said = 0;
  for (int round = 0; round < ROUNDS; round++) {
    tm__process_id owner = 0;
    tm__group_entry out = {.author = 0};
    test_child child = child_start(write_for_ever, NULL);
    int slot = (int)child_hear(child.said);
    must_equal(slot, 0); /* the last one's */
    uint64_t last = 0, looks = 200 + random_below(&random, 3000);
    for (uint64_t i = 0; i < looks; i++)
      if (tm__group_look(table, slot, &owner, &out) == TM__LINE_SAID) {
        assert_true(whole(&out));
        assert_true(out.heartbeat_ns >= last);
        last = out.heartbeat_ns;
        said++;
      }
    child_kill(&child);
    assert_false(tm__process_alive(owner));
    if (tm__group_look(table, slot, &owner, &out) == TM__LINE_SAID)
      assert_true(whole(&out));
    if (round % 2) /* else the next one finds it dead by itself, behind all free ones */
      tm__group_expire(table, slot, owner);
    else
      for (int i = 1; i < TM_GROUP_MEMBERS; i++)
        atomic_store(&table->lines[i].owner, tm__process_self());
  }
  assert_true(said > ROUNDS);
}

static void claim_one(void *ctx, int in, int out)
{
  (void)ctx;
  (void)child_hear(in); /* all together */
  child_say(out, (uint64_t)tm__group_claim(table, tm__process_self(), NULL));
  (void)child_hear(in);
}

static void no_line_is_given_twice(void **state)
{
  (void)state;
  enum { CHILDREN = 8 };
  test_child children[CHILDREN];
  uint64_t seen = 0;
  for (int i = CHILDREN - 1; i < TM_GROUP_MEMBERS; i++) /* one less than there are children */
    atomic_store(&table->lines[i].owner, tm__process_self());
  for (int i = 0; i < CHILDREN; i++)
    children[i] = child_start(claim_one, NULL);
  for (int i = 0; i < CHILDREN; i++)
    child_say(children[i].told, 1);
  int without = 0;
  for (int i = 0; i < CHILDREN; i++) {
    int slot = (int)child_hear(children[i].said);
    without += slot < 0;
    if (slot < 0)
      continue;
    assert_false(seen >> slot & 1);
    seen |= UINT64_C(1) << slot;
  }
  assert_int_equal(without, 1);
  for (int i = 0; i < CHILDREN; i++) {
    child_say(children[i].told, 1);
    child_end(&children[i]);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(a_table_is_checked, set_up),
      cmocka_unit_test_setup(what_is_written_is_read, set_up),
      cmocka_unit_test_setup(a_former_owner_is_not_heard, set_up),
      cmocka_unit_test_setup(claims_take_the_free_then_the_dead, set_up),
      cmocka_unit_test_setup(lines_from_before_an_exec_are_taken_up, set_up),
      cmocka_unit_test_setup(a_writer_that_stopped_anywhere, set_up),
      cmocka_unit_test_setup(writers_are_killed, set_up),
      cmocka_unit_test_setup(no_line_is_given_twice, set_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
