/* The ring: order, laps, lost records, and readers that race with writers. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hints.h"
#include "gc/log.h"

static tm__log ring; /* zero memory, as a log has to find it */

static void write_one(uint64_t value)
{
  tm_record r;
  /* Every word tells the same, so that a mixture of two records would show. */
  uint64_t words[TM__LOG_WORDS];
  for (size_t i = 0; i < TM__LOG_WORDS; i++)
    words[i] = value;
  memcpy(&r, words, sizeof r);
  tm__log_write(&ring, &r);
}

static uint64_t value_of(const tm_record *r)
{
  uint64_t words[TM__LOG_WORDS];
  memcpy(words, r, sizeof words);
  for (size_t i = 3; i < TM__LOG_WORDS; i++) /* after sequence and lost */
    assert_int_equal(words[i], words[2]);
  return words[2];
}

static int empty_ring(void **unused)
{
  (void)unused;
  tm__log_clear(&ring);
  return 0;
}

static void nothing_to_read(void **unused)
{
  (void)unused;
  uint64_t cursor = 0;
  tm_record r;
  assert_int_equal(tm__log_read(&ring, &cursor, &r), 0);
  assert_int_equal(cursor, 0);
  cursor = 12345; /* from another heap: nothing for it, and no crash */
  assert_int_equal(tm__log_read(&ring, &cursor, &r), 0);
  assert_int_equal(cursor, 12345);
  cursor = UINT64_MAX;
  write_one(1);
  assert_int_equal(tm__log_read(&ring, &cursor, &r), 0); /* there is no record 0 */
}

static void in_order_and_once(void **unused)
{
  (void)unused;
  uint64_t cursor = 0, other = 0;
  tm_record r;
  for (uint64_t i = 1; i <= 10; i++)
    write_one(100 + i);
  for (uint64_t i = 1; i <= 10; i++) {
    assert_int_equal(tm__log_read(&ring, &cursor, &r), 1);
    assert_int_equal(r.sequence, i);
    assert_int_equal(r.lost, 0);
    assert_int_equal(value_of(&r), 100 + i);
  }
  assert_int_equal(tm__log_read(&ring, &cursor, &r), 0);
  write_one(7);
  assert_int_equal(tm__log_read(&ring, &cursor, &r), 1);
  assert_int_equal(r.sequence, 11);
  assert_int_equal(tm__log_read(&ring, &other, &r), 1); /* cursors are their readers' own */
  assert_int_equal(r.sequence, 1);
}

static void lapped(void **unused)
{
  (void)unused;
  static const struct {
    uint64_t written, first, lost;
  } table[] = {{255, 1, 0}, {256, 1, 0}, {257, 2, 1}, {512, 257, 256}, {1000, 745, 744}};
  for (size_t i = 0; i < TM_ARRAY_LEN(table); i++) {
    uint64_t cursor = 0, count = 0;
    tm_record r;
    tm__log_clear(&ring);
    for (uint64_t n = 1; n <= table[i].written; n++)
      write_one(n);
    while (tm__log_read(&ring, &cursor, &r)) {
      assert_int_equal(r.sequence, table[i].first + count);
      assert_int_equal(r.lost, count ? 0 : table[i].lost);
      assert_int_equal(value_of(&r), r.sequence);
      count++;
    }
    assert_int_equal(count, table[i].written - table[i].first + 1);
    assert_int_equal(cursor, table[i].written);
  }
}

static void lapped_in_the_middle(void **unused)
{
  (void)unused;
  uint64_t cursor = 0;
  tm_record r;
  for (uint64_t n = 1; n <= 5; n++)
    write_one(n);
  for (int i = 0; i < 3; i++)
    assert_int_equal(tm__log_read(&ring, &cursor, &r), 1);
  for (uint64_t n = 6; n <= 300; n++)
    write_one(n);
  assert_int_equal(tm__log_read(&ring, &cursor, &r), 1);
  assert_int_equal(r.sequence, 45);
  assert_int_equal(r.lost, 41); /* 4 to 44 */
}

static void a_cleared_log_is_a_new_one(void **unused)
{
  (void)unused;
  uint64_t cursor = 0;
  tm_record r;
  for (uint64_t n = 1; n <= 600; n++)
    write_one(n);
  tm__log_clear(&ring);
  assert_int_equal(tm__log_read(&ring, &cursor, &r), 0);
  write_one(9);
  assert_int_equal(tm__log_read(&ring, &cursor, &r), 1);
  assert_int_equal(r.sequence, 1);
  assert_int_equal(tm__log_read(&ring, &cursor, &r), 0);
}

/* ---- Readers and a writer -------------------------------------------------------------------- */

enum { WRITES = 60000, READERS = 3 };
static _Atomic(int) writer_done;

static void *write_many(void *unused)
{
  for (uint64_t n = 1; n <= WRITES; n++)
    write_one(n);
  atomic_store(&writer_done, 1);
  return unused;
}

/* What a thread found wrong: cmocka's asserts belong to the main thread. */
static void *read_many(void *unused)
{
  uint64_t cursor = 0, before = 0, seen = 0, lost = 0;
  tm_record r;
  for (;;) {
    bool last_look = atomic_load(&writer_done);
    while (tm__log_read(&ring, &cursor, &r)) {
      uint64_t words[TM__LOG_WORDS];
      memcpy(words, &r, sizeof words);
      for (size_t i = 2; i < TM__LOG_WORDS; i++)
        if (words[i] != r.sequence)
          return "a mixture of two records";
      if (r.sequence <= before)
        return "out of order";
      if (r.sequence != before + r.lost + 1)
        return "lost does not add up";
      before = r.sequence;
      seen++;
      lost += r.lost;
    }
    if (last_look)
      break;
  }
  if (before != WRITES || seen + lost != WRITES)
    return "the end is missing";
  return unused;
}

static void readers_race_with_a_writer(void **unused)
{
  (void)unused;
  pthread_t writer, readers[READERS];
  void *complaint = NULL;
  atomic_store(&writer_done, 0);
  for (size_t i = 0; i < READERS; i++)
    assert_int_equal(pthread_create(&readers[i], NULL, read_many, NULL), 0);
  assert_int_equal(pthread_create(&writer, NULL, write_many, NULL), 0);
  assert_int_equal(pthread_join(writer, NULL), 0);
  for (size_t i = 0; i < READERS; i++) {
    assert_int_equal(pthread_join(readers[i], &complaint), 0);
    if (complaint)
      fail_msg("%s", (const char *)complaint);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(nothing_to_read, empty_ring),
      cmocka_unit_test_setup(in_order_and_once, empty_ring),
      cmocka_unit_test_setup(lapped, empty_ring),
      cmocka_unit_test_setup(lapped_in_the_middle, empty_ring),
      cmocka_unit_test_setup(a_cleared_log_is_a_new_one, empty_ring),
      cmocka_unit_test_setup(readers_race_with_a_writer, empty_ring),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
