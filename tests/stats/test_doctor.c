/* Each rule of the doctor: a patient that has it, and patients that are just below either gate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <tidemark/doctor.h>

#include "base/hints.h"

#define MIB (UINT64_C(1) << 20)
#define S UINT64_C(1000000000)

enum { HISTORY = 5 };
static tm_checkup visits[HISTORY];
static const tm_checkup *const history[HISTORY] = {&visits[0], &visits[1], &visits[2], &visits[3],
                                                   &visits[4]};
static tm_checkup *const now = &visits[HISTORY - 1];
static tm_finding found[TM_FINDING_COUNT];

/* A heap that is well: 100 MiB in use, a minute apart each time. */
static int healthy(void **state)
{
  (void)state;
  memset(visits, 0, sizeof visits);
  for (uint64_t i = 0; i < HISTORY; i++) {
    tm_checkup *c = &visits[i];
    c->size = sizeof *c;
    c->time_ns = (1000 + 60 * i) * S;
    strcpy(c->heap, "ward");
    c->first = 1;
    c->cpu_cap_percent = 50;
    c->stats.live_bytes = c->stats.footprint_bytes = 100 * MIB;
    c->stats.free_bytes = 10 * MIB;
    c->stats.committed_bytes = c->known_bytes = 112 * MIB;
    c->stats.trip_bytes = 200 * MIB;
    c->stats.frees_total = 1000000 * i;
    c->stats.freed_bytes_total = 100000000 * i;
    c->resident_bytes = 130 * MIB;
  }
  return 0;
}

/* The finding with this id over the whole history, or NULL; it has both of its sentences. */
static const tm_finding *seen(tm_finding_id id, size_t count)
{
  size_t n = tm_doctor_examine(history + HISTORY - count, count, found, TM_FINDING_COUNT);
  for (size_t i = 0; i < n; i++)
    if (found[i].id == id) {
      assert_true(strlen(found[i].what) > 20 && found[i].what[strlen(found[i].what) - 1] == '.');
      assert_true(strlen(found[i].remedy) > 20);
      assert_int_equal(found[i].remedy[strlen(found[i].remedy) - 1], '.');
      return &found[i];
    }
  return NULL;
}

static void assert_level(tm_finding_id id, tm_finding_level level)
{
  const tm_finding *f = seen(id, HISTORY);
  assert_non_null(f);
  assert_int_equal(f->level, level);
}

static void says(const tm_finding *f, const char *part)
{
  if (!f || !strstr(f->what, part))
    fail_msg("'%s' does not say '%s'", f ? f->what : "nothing", part);
}

static void healthy_heaps_have_nothing(void **state)
{
  (void)state;
  for (size_t count = 1; count <= HISTORY; count++)
    assert_int_equal(tm_doctor_examine(history + HISTORY - count, count, found, 1), 0);
}

static void near_the_hard_limit(void **state)
{
  (void)state;
  now->stats.hard_limit_bytes = 112 * MIB;
  assert_null(seen(TM_FINDING_NEAR_LIMIT, HISTORY)); /* 89 % */
  now->stats.hard_limit_bytes = 105 * MIB;
  assert_level(TM_FINDING_NEAR_LIMIT, TM_LEVEL_WARNING);
  says(seen(TM_FINDING_NEAR_LIMIT, 1), "95 % of the hard limit of 105 MiB; 0 requests failed");
  now->stats.failures_total[TM_FAIL_LIMIT] = 3;
  assert_level(TM_FINDING_NEAR_LIMIT, TM_LEVEL_ALARM);
  visits[0].stats.failures_total[TM_FAIL_LIMIT] = 3; /* that was long ago */
  assert_level(TM_FINDING_NEAR_LIMIT, TM_LEVEL_WARNING);
  now->stats.footprint_bytes = 15 * MIB; /* a small heap may be full */
  now->stats.hard_limit_bytes = 15 * MIB;
  assert_null(seen(TM_FINDING_NEAR_LIMIT, HISTORY));
}

static void near_the_soft_limit(void **state)
{
  (void)state;
  for (size_t i = 0; i < HISTORY; i++)
    visits[i].stats.soft_limit_bytes = 110 * MIB;
  assert_level(TM_FINDING_NEAR_LIMIT, TM_LEVEL_NOTE);
  assert_null(seen(TM_FINDING_NEAR_LIMIT, 1)); /* one look: it may just be about to collect */
  visits[2].stats.footprint_bytes = 90 * MIB;  /* it got away in between */
  assert_null(seen(TM_FINDING_NEAR_LIMIT, HISTORY));
  now->stats.footprint_bytes = 111 * MIB;
  assert_int_equal(seen(TM_FINDING_NEAR_LIMIT, 1)->level, TM_LEVEL_WARNING);
}

static void collections_that_free_nothing(void **state)
{
  tm_action_row *row = &now->actions[TM_COLLECT];
  (void)state;
  visits[0].actions[TM_COLLECT].runs_total = 100;
  visits[0].actions[TM_COLLECT].reclaimed_bytes_total = 500 * MIB;
  row->runs_total = 105;
  row->reclaimed_bytes_total = 504 * MIB; /* 0.8 MiB a run, of 100 */
  row->duration_ns_total = 2 * S;
  assert_level(TM_FINDING_NOTHING_FREED, TM_LEVEL_NOTE);
  says(seen(TM_FINDING_NOTHING_FREED, HISTORY),
       "5 full collections took 2.00 s and freed 4.00 MiB");
  row->reclaimed_bytes_total = 506 * MIB;
  assert_null(seen(TM_FINDING_NOTHING_FREED, HISTORY));
  row->reclaimed_bytes_total = 500 * MIB;
  row->runs_total = 104; /* too few to judge */
  assert_null(seen(TM_FINDING_NOTHING_FREED, HISTORY));
  row->runs_total = 200;
  now->stats.footprint_bytes = 31 * MIB;
  assert_null(seen(TM_FINDING_NOTHING_FREED, HISTORY));
}

static void nobody_polls(void **state)
{
  (void)state;
  now->stats.footprint_bytes = 221 * MIB;
  now->stats.pending_since = now->time_ns - 11 * S;
  assert_level(TM_FINDING_NOT_SERVED, TM_LEVEL_WARNING);
  now->stats.soft_limit_bytes = 220 * MIB;
  assert_level(TM_FINDING_NOT_SERVED, TM_LEVEL_ALARM);
  now->next_due_ns = now->time_ns + 1; /* it is held back, not forgotten */
  assert_null(seen(TM_FINDING_NOT_SERVED, HISTORY));
  now->next_due_ns = now->time_ns;
  assert_non_null(seen(TM_FINDING_NOT_SERVED, HISTORY));
  now->stats.pending_since = now->time_ns - 9 * S;
  assert_null(seen(TM_FINDING_NOT_SERVED, HISTORY));
  now->stats.pending_since = now->time_ns - 11 * S;
  now->stats.footprint_bytes = 219 * MIB;
  assert_null(seen(TM_FINDING_NOT_SERVED, HISTORY));
  now->stats.footprint_bytes = 7 * MIB; /* twice the trip, but what is it? */
  now->stats.trip_bytes = 7 * MIB / 2;
  assert_null(seen(TM_FINDING_NOT_SERVED, HISTORY));
}

static void fragmentation(void **state)
{
  (void)state;
  for (size_t i = 0; i < HISTORY; i++) {
    visits[i].stats.free_bytes = 70 * MIB;
    visits[i].stats.waste_bytes = 2 * MIB;
    visits[i].stats.committed_bytes = 140 * MIB;
  }
  assert_level(TM_FINDING_FRAGMENTED, TM_LEVEL_WARNING);
  says(seen(TM_FINDING_FRAGMENTED, HISTORY), "72.0 MiB of 140 MiB");
  assert_null(strstr(found[0].remedy, "Moving blocks"));
  now->stats.fragmentation_bytes = 30 * MIB;
  visits[0].stats.fragmentation_bytes = 30 * MIB;
  assert_non_null(seen(TM_FINDING_FRAGMENTED, 1));
  assert_non_null(strstr(found[0].remedy, "Moving blocks would release 30.0 MiB"));
  visits[3].stats.free_bytes = 10 * MIB; /* it was only free for a moment */
  assert_null(seen(TM_FINDING_FRAGMENTED, HISTORY));
  visits[3].stats.free_bytes = 70 * MIB;
  now->stats.committed_bytes = 146 * MIB;
  assert_null(seen(TM_FINDING_FRAGMENTED, HISTORY));
  now->stats.free_bytes = 61 * MIB;
  now->stats.committed_bytes = 70 * MIB;
  assert_null(seen(TM_FINDING_FRAGMENTED, 1));
}

static void dirty_memory_is_kept(void **state)
{
  (void)state;
  for (size_t i = 0; i < HISTORY; i++) {
    visits[i].stats.dirty_bytes = 65 * MIB;
    visits[i].stats.committed_bytes = 180 * MIB;
  }
  assert_level(TM_FINDING_DIRTY_KEPT, TM_LEVEL_NOTE);
  says(seen(TM_FINDING_DIRTY_KEPT, HISTORY), "system for 4 min: ");
  assert_null(seen(TM_FINDING_DIRTY_KEPT, 1)); /* it may be decaying */
  visits[3].time_ns = now->time_ns - 29 * S;
  assert_null(seen(TM_FINDING_DIRTY_KEPT, 2));
  visits[1].stats.dirty_bytes = 1 * MIB;
  assert_null(seen(TM_FINDING_DIRTY_KEPT, HISTORY));
  visits[1].stats.dirty_bytes = 65 * MIB;
  visits[2].stats.committed_bytes = 230 * MIB; /* 28 % */
  assert_null(seen(TM_FINDING_DIRTY_KEPT, HISTORY));
  for (size_t i = 0; i < HISTORY; i++)
    visits[i].stats.dirty_bytes = 63 * MIB, visits[i].stats.committed_bytes = 100 * MIB;
  assert_null(seen(TM_FINDING_DIRTY_KEPT, HISTORY));
}

static void memory_that_no_heap_knows(void **state)
{
  (void)state;
  now->resident_bytes = 112 * MIB + 130 * MIB;
  assert_level(TM_FINDING_OUTSIDE, TM_LEVEL_WARNING);
  assert_string_equal(found[0].heap, ""); /* the process's, not the heap's */
  says(&found[0], "242 MiB in memory, of which the heaps know 112 MiB: 130 MiB");
  now->known_bytes = 122 * MIB; /* 198 % */
  assert_null(seen(TM_FINDING_OUTSIDE, HISTORY));
  now->known_bytes = 20 * MIB;
  now->resident_bytes = 147 * MIB;
  assert_null(seen(TM_FINDING_OUTSIDE, HISTORY));
  now->resident_bytes = 1000 * MIB;
  now->known_bytes = 0; /* regression: heaps that held nothing hid it */
  assert_level(TM_FINDING_OUTSIDE, TM_LEVEL_WARNING);
  now->first = 0; /* said once per process */
  assert_null(seen(TM_FINDING_OUTSIDE, HISTORY));
}

static void give_tags(const int64_t (*mib)[HISTORY])
{
  for (size_t i = 0; i < HISTORY; i++) {
    visits[i].tag_count = 2;
    strcpy(visits[i].tags[0].name, "still");
    visits[i].tags[0].informed_bytes = 500 * (int64_t)MIB;
    strcpy(visits[i].tags[1].name, "tiles");
    visits[i].tags[1].informed_bytes = (*mib)[i] * (int64_t)MIB;
  }
}

static void a_tag_grows(void **state)
{
  static const int64_t grows[HISTORY] = {70, 80, 90, 100, 110},
                       falls[HISTORY] = {70, 80, 79, 100, 110},
                       little[HISTORY] = {70, 72, 74, 76, 104},
                       small[HISTORY] = {8, 16, 24, 30, 39},
                       negative[HISTORY] = {-9, 80, 90, 100, 110};
  (void)state;
  give_tags(&grows);
  assert_level(TM_FINDING_TAG_GROWS, TM_LEVEL_WARNING);
  says(seen(TM_FINDING_TAG_GROWS, HISTORY), "'tiles' grew by 40.0 MiB to 110 MiB within 4 min");
  assert_null(seen(TM_FINDING_TAG_GROWS, 3)); /* too short a time to judge */
  visits[0].tag_count = 1;                    /* not there yet */
  assert_null(seen(TM_FINDING_TAG_GROWS, HISTORY));
  give_tags(&falls);
  assert_null(seen(TM_FINDING_TAG_GROWS, HISTORY));
  give_tags(&little); /* 34 MiB, 49 % */
  assert_null(seen(TM_FINDING_TAG_GROWS, HISTORY));
  give_tags(&small); /* 31 MiB, nearly five times as much */
  assert_null(seen(TM_FINDING_TAG_GROWS, HISTORY));
  give_tags(&negative);
  assert_null(seen(TM_FINDING_TAG_GROWS, HISTORY));
}

static void families_are_mixed(void **state)
{
  (void)state;
  now->stats.family_mismatches_total = 41; /* of 4 million, 100 bytes each */
  assert_level(TM_FINDING_FAMILIES_MIXED, TM_LEVEL_WARNING);
  says(seen(TM_FINDING_FAMILIES_MIXED, HISTORY), "41 blocks, 41 since the start");
  visits[0].stats.family_mismatches_total = 39;
  assert_null(seen(TM_FINDING_FAMILIES_MIXED, HISTORY));
  visits[0].stats.family_mismatches_total = 0;
  now->stats.family_mismatches_total = 39; /* below one in 100,000 */
  assert_null(seen(TM_FINDING_FAMILIES_MIXED, HISTORY));
  now->stats.frees_total = 100;
  now->stats.freed_bytes_total = 2600;
  now->stats.family_mismatches_total = 39; /* 39 * 26 bytes */
  assert_null(seen(TM_FINDING_FAMILIES_MIXED, 1));
  now->stats.freed_bytes_total = 2800;
  assert_non_null(seen(TM_FINDING_FAMILIES_MIXED, 1));
}

static void the_cap_is_reached(void **state)
{
  (void)state;
  now->actions[TM_COLLECT].suppressed_total[TM_SUPPRESSED_CAP] = 6;
  now->actions[TM_COLLECT].runs_total = 10;
  now->actions[TM_COLLECT].reclaimed_bytes_total = 500 * MIB;
  now->actions[TM_COLLECT_MINOR].runs_total = 40;
  assert_level(TM_FINDING_CPU_CAP, TM_LEVEL_WARNING);
  says(seen(TM_FINDING_CPU_CAP, HISTORY), "6 of 56 actions were held back");
  says(&found[0], "50 % of the time");
  now->actions[TM_COLLECT_MINOR].runs_total = 50;
  assert_null(seen(TM_FINDING_CPU_CAP, HISTORY));
  now->actions[TM_COLLECT_MINOR].runs_total = 0;
  now->stats.footprint_bytes = 15 * MIB;
  assert_null(seen(TM_FINDING_CPU_CAP, HISTORY));
}

static void a_limit_above_the_groups(void **state)
{
  (void)state;
  now->group_limit_bytes = 512 * MIB;
  now->stats.hard_limit_bytes = 512 * MIB + MIB / 2;
  assert_null(seen(TM_FINDING_ABOVE_GROUP, HISTORY));
  now->stats.hard_limit_bytes = 600 * MIB;
  assert_level(TM_FINDING_ABOVE_GROUP, TM_LEVEL_WARNING);
  says(seen(TM_FINDING_ABOVE_GROUP, HISTORY), "The hard limit of 600 MiB is above the 512 MiB");
  now->stats.hard_limit_bytes = 500 * MIB;
  now->stats.soft_limit_bytes = 600 * MIB; /* cannot be, but the tighter one counts */
  assert_null(seen(TM_FINDING_ABOVE_GROUP, HISTORY));
  now->stats.hard_limit_bytes = 0;
  says(seen(TM_FINDING_ABOVE_GROUP, HISTORY), "The soft limit of 600 MiB");
  now->group_limit_bytes = 0;
  assert_null(seen(TM_FINDING_ABOVE_GROUP, HISTORY));
}

static void the_worst_comes_first(void **state)
{
  (void)state;
  for (size_t i = 0; i < HISTORY; i++) /* a note, found first */
    visits[i].stats.soft_limit_bytes = 110 * MIB;
  now->resident_bytes = 1000 * MIB;
  now->stats.hard_limit_bytes = 120 * MIB;
  now->group_limit_bytes = 60 * MIB;
  assert_int_equal(tm_doctor_examine(history, HISTORY, found, TM_FINDING_COUNT), 3);
  assert_int_equal(found[0].id, TM_FINDING_OUTSIDE);
  assert_int_equal(found[1].id, TM_FINDING_ABOVE_GROUP);
  assert_int_equal(found[2].id, TM_FINDING_NEAR_LIMIT);
  assert_string_equal(found[2].heap, "ward");
  memset(found, 0, sizeof found);
  assert_int_equal(tm_doctor_examine(history, HISTORY, found, 1), 3);
  assert_int_equal(found[0].id, TM_FINDING_OUTSIDE);
  assert_string_equal(found[1].what, ""); /* no room for it */
  assert_int_equal(tm_doctor_examine(history, HISTORY, NULL, 9), 3);
}

static void what_is_not_understood_is_not_judged(void **state)
{
  const tm_checkup *none = NULL;
  (void)state;
  now->resident_bytes = 1000 * MIB;
  assert_int_equal(tm_doctor_examine(NULL, 3, found, 1), 0);
  assert_int_equal(tm_doctor_examine(history, 0, found, 1), 0);
  assert_int_equal(tm_doctor_examine(&none, 1, found, 1), 0);
  visits[1].size--;
  assert_int_equal(tm_doctor_examine(history, HISTORY, found, 1), 0);
  assert_int_equal(tm_doctor_examine(history + 2, 3, found, 1), 1);
  now->tag_count = TM_CHECKUP_TAGS + 1;
  assert_int_equal(tm_doctor_examine(history + 2, 3, found, 1), 0);
}

#define RULE(name) cmocka_unit_test_setup(name, healthy)

int main(void)
{
  const struct CMUnitTest tests[] = {
      RULE(healthy_heaps_have_nothing),
      RULE(near_the_hard_limit),
      RULE(near_the_soft_limit),
      RULE(collections_that_free_nothing),
      RULE(nobody_polls),
      RULE(fragmentation),
      RULE(dirty_memory_is_kept),
      RULE(memory_that_no_heap_knows),
      RULE(a_tag_grows),
      RULE(families_are_mixed),
      RULE(the_cap_is_reached),
      RULE(a_limit_above_the_groups),
      RULE(the_worst_comes_first),
      RULE(what_is_not_understood_is_not_judged),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
