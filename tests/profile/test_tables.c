/* test_tables.c - sites, samples and functions: kept, found, and counted when there is no room. */
#include "profile/tables.h"

#include "support/check.h"

static const tm__owner owner = {"heap", "pool"};

static int start(void **state)
{
  (void)state;
  assert_int_equal(tm__tables_start(1), 0);
  for (uint32_t i = 0; i < tm__tables.sample_count; i++)
    (void)tm__tables_remove(tm__tables.rooms->samples[i].address);
  return 0;
}

static const void *address_of(uint64_t i)
{
  return (const void *)(uintptr_t)(0x10000 + 16 * i);
}

static tm__stack stack_of(uint64_t leaf)
{
  return (tm__stack){.depth = 2, .frames = {leaf, 99}};
}

static void add(uint64_t i, uint64_t leaf)
{
  tm__sample sample = {.address = address_of(i), .bytes = 100, .charged = 100};
  tm__stack stack = stack_of(leaf);
  must(tm__tables_enter(sample.address));
  tm__tables_describe(&sample, &owner, &stack);
}

static void equal_stacks_are_one_site(void **state)
{
  (void)state;
  add(1, 7);
  add(2, 7);
  add(3, 8);
  assert_int_equal(tm__tables.site_count, 2);
  assert_true(tm__tables.rooms->sites[0].blocks == 2);
  assert_true(tm__tables.rooms->sites[0].bytes == 200);
  assert_int_equal(tm__tables_find(address_of(2))->bytes, 100);
  assert_int_equal(tm__tables.live, 3);
}

static void what_is_removed_is_gone_and_its_room_used_again(void **state)
{
  (void)state;
  for (uint64_t i = 0; i < 1000; i++)
    add(i, i % 10);
  uint32_t used = tm__tables.sample_count;
  for (uint64_t i = 0; i < 1000; i += 2)
    assert_true(tm__tables_remove(address_of(i)));
  assert_false(tm__tables_remove(address_of(0)));
  assert_int_equal(tm__tables.live, 500);
  for (uint64_t i = 0; i < 1000; i++)
    assert_int_equal(tm__tables_find(address_of(i)) != NULL, i % 2);
  for (uint64_t i = 2000; i < 2500; i++)
    add(i, 3);
  assert_int_equal(tm__tables.sample_count, used);
}

static void too_many_stacks_are_counted(void **state)
{
  (void)state;
  for (uint64_t i = 0; i < TM__SITES + 10; i++)
    add(i, 1000 + i);
  assert_int_equal(tm__tables.site_count, TM__SITES);
  assert_int_equal(tm__tables.dropped, 10);
  assert_int_equal(tm__tables.taken, TM__SITES + 10);
  assert_int_equal(tm__tables.live, TM__SITES);
  /* known all the same: the heap must find it when it is freed */
  assert_true(tm__tables_remove(address_of(TM__SITES + 5)));
  assert_int_equal(tm__tables.live, TM__SITES);
}

static void too_many_samples_are_refused(void **state)
{
  (void)state;
  for (uint64_t i = 0; i < TM__SAMPLES; i++)
    assert_true(tm__tables_enter(address_of(i)));
  assert_false(tm__tables_enter(address_of(TM__SAMPLES)));
  assert_int_equal(tm__tables.dropped, 1);
  assert_true(tm__tables_remove(address_of(12345)));
  assert_true(tm__tables_enter(address_of(TM__SAMPLES)));
}

static void functions_are_kept_once(void **state)
{
  (void)state;
  int64_t a = tm__tables_function("run", "/app/a.py");
  assert_true(a >= 0);
  assert_int_equal(tm__tables_function("run", "/app/a.py"), a);
  assert_true(tm__tables_function("run", "/app/b.py") != a);
  assert_true(tm__tables_function("ru", "n/app/a.py") != a);
  char name[32];
  int64_t last = 0;
  for (int i = 0; i < TM__FUNCTIONS + 5 && last >= 0; i++) {
    (void)snprintf(name, sizeof name, "f%d", i);
    last = tm__tables_function(name, "/app/c.py");
  }
  assert_int_equal(last, -1);
  assert_int_equal(tm__tables_function("run", "/app/a.py"), a);
}

static void owners_beyond_the_last_are_other(void **state)
{
  (void)state;
  tm__stack stack = stack_of(1);
  for (uint64_t i = 0; i < TM__OWNERS + 20; i++) {
    tm__sample sample = {.address = address_of(i), .bytes = 1, .charged = 1};
    tm__owner one = {.heap = "heap"};
    (void)snprintf(one.pool, sizeof one.pool, "pool %d", (int)i);
    must(tm__tables_enter(sample.address));
    tm__tables_describe(&sample, &one, &stack);
  }
  assert_int_equal(tm__tables.owner_count, TM__OWNERS);
  assert_string_equal(tm__tables.rooms->owners[TM__OWNERS - 1].pool, "other");
  assert_true(tm__tables.rooms->sites[TM__OWNERS - 1].blocks == 21);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, start)
      TEST(equal_stacks_are_one_site),   TEST(what_is_removed_is_gone_and_its_room_used_again),
      TEST(too_many_stacks_are_counted), TEST(too_many_samples_are_refused),
      TEST(functions_are_kept_once),     TEST(owners_beyond_the_last_are_other),
#undef TEST
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
