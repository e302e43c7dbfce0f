/*
 * doctor.h - what is wrong with a heap, and what to do about it, in sentences.
 *
 * A checkup is what a heap, its process and its control group look like at one moment. The rules
 * look at one checkup or at several of the same heap, oldest first: some troubles are only seen
 * over time. The monitor keeps eight, a minute apart, and serves the findings as /doctor; a host
 * without one can ask for itself:
 *
 *   tm_checkup now;
 *   tm_finding findings[TM_FINDING_COUNT];
 *   const tm_checkup *history[] = {&now};
 *   tm_checkup_read(heap, &now);
 *   size_t count = tm_doctor_examine(history, 1, findings, TM_FINDING_COUNT);
 */
#ifndef TIDEMARK_DOCTOR_H
#define TIDEMARK_DOCTOR_H

#include <tidemark/gc.h>
#include <tidemark/stats.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The rules. X(enumerator, id, percent, bytes, what the percentage is of)
 * Each has two gates, a ratio and an amount, and speaks only when both are passed: half of a small
 * heap is no trouble, and neither is a small part of a large one.
 */
#define TM_DOCTOR_RULES(X)                                                                         \
  X(TM_FINDING_NEAR_LIMIT, "near-limit", 90, 16 << 20, "footprint of the limit")                   \
  X(TM_FINDING_NOTHING_FREED, "nothing-freed", 1, 32 << 20, "freed by a collection, at most")      \
  X(TM_FINDING_NOT_SERVED, "not-served", 110, 4 << 20, "footprint of the trip, for 10 s")          \
  X(TM_FINDING_FRAGMENTED, "fragmented", 50, 64 << 20, "free in pages, of what is committed")      \
  X(TM_FINDING_DIRTY_KEPT, "dirty-kept", 30, 64 << 20, "dirty of what is committed, for 30 s")     \
  X(TM_FINDING_OUTSIDE, "outside", 200, 128 << 20, "resident of what all heaps know of")           \
  X(TM_FINDING_TAG_GROWS, "tag-grows", 50, 32 << 20, "growth of a tag, without a fall")            \
  X(TM_FINDING_FAMILIES_MIXED, "families-mixed", 0.001, 1 << 10, "frees by another family")        \
  X(TM_FINDING_CPU_CAP, "cpu-cap", 10, 16 << 20, "actions held back by the cap on their time")     \
  X(TM_FINDING_ABOVE_GROUP, "limit-above-cgroup", 100, 1 << 20, "a limit, of the control group's")

#define TM__FINDING_ENUM(name, id, percent, bytes, of) name,
typedef enum { TM_DOCTOR_RULES(TM__FINDING_ENUM) TM_FINDING_COUNT } tm_finding_id;
#undef TM__FINDING_ENUM

/* NOTE: it costs something. WARNING: it will go wrong. ALARM: it goes wrong now. */
typedef enum { TM_LEVEL_NOTE, TM_LEVEL_WARNING, TM_LEVEL_ALARM } tm_finding_level;

typedef struct tm_finding {
  tm_finding_id id;
  tm_finding_level level;
  char heap[32];    /* whose; "" = the whole process's */
  char what[320];   /* what was found and what it means */
  char remedy[320]; /* what to do about it */
} tm_finding;

enum { TM_CHECKUP_TAGS = 65 };

/* Filled by tm_checkup_read. Its fields are for reading in tests and tools. */
typedef struct tm_checkup {
  size_t size;      /* stamped by tm_checkup_read */
  uint64_t time_ns; /* the engine's clock, CLOCK_MONOTONIC */
  char heap[32];
  int first;            /* 1: it is tm_heap_at(0), and speaks for the process too */
  uint64_t next_due_ns; /* as tm_next_due_ns; 0 when nothing is held back */
  unsigned cpu_cap_percent;
  unsigned tag_count;
  uint64_t known_bytes;       /* committed and informed, of all heaps */
  uint64_t resident_bytes;    /* of the process; 0 = not known */
  uint64_t group_limit_bytes; /* tightest of the control group and its ancestors; 0 = none */
  tm_stats stats;
  tm_action_row actions[TM_HOOK_KIND_COUNT];
  tm_tag_row tags[TM_CHECKUP_TAGS];
} tm_checkup;

/* Takes a checkup. 0, or TM_EINVAL iff an argument is NULL. Any thread; allocates nothing; some
 * small files of the kernel's are read for the first heap: about 100 microseconds. */
TM_API int tm_checkup_read(tm_heap *heap, tm_checkup *out);

/*
 * Applies the rules to checkups of one heap, oldest first; the last one is now. Totals are looked
 * at as they grew since the first one, or, with one checkup, since the heap was made. Writes at
 * most `capacity` findings, the worst first, and returns how many there are. Pure.
 */
TM_API size_t tm_doctor_examine(const tm_checkup *const *history, size_t count, tm_finding *out,
                                size_t capacity);

/* "near-limit", "note": the words of both; "?" for what is out of range. */
TM_API const char *tm_finding_name(tm_finding_id id);
TM_API const char *tm_finding_level_name(tm_finding_level level);

/* A finding as one JSON object: {"id", "level", "heap", "what", "do"}. Buffer rule of
 * tm_stats_json. */
TM_API size_t tm_finding_json(const tm_finding *finding, char *buffer, size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
