/* story.c - folding a tape. */
#include "cli/story.h"

#include <string.h>
#include <time.h>

typedef struct teller {
  tm__story *story;
  tm__trace_levels last;
  size_t filled; /* steps that have their levels */
  bool allocated_known, policy_known;
} teller;

static size_t step_at(const tm__story *story, uint64_t time_ns)
{
  uint64_t step = time_ns / story->step_ns;
  return step < TM__STORY_STEPS ? (size_t)step : TM__STORY_STEPS - 1;
}

static void raise(uint64_t *level, uint64_t value)
{
  if (value > *level)
    *level = value;
}

/* A step begins with the levels that the one before ended with. */
static void fill_up_to(teller *t, size_t step)
{
  for (; t->filled <= step; t->filled++) {
    tm__story_step *s = &t->story->steps[t->filled];
    s->footprint_bytes = t->last.footprint_bytes;
    s->committed_bytes = t->last.committed_bytes;
    s->informed_bytes = t->last.informed_bytes;
  }
}

static void tell_levels(teller *t, uint64_t time_ns, const tm__trace_levels *levels)
{
  tm__story *story = t->story;
  size_t step = step_at(story, time_ns);
  fill_up_to(t, step);
  tm__story_step *s = &story->steps[step];
  raise(&s->footprint_bytes, levels->footprint_bytes);
  raise(&s->committed_bytes, levels->committed_bytes);
  raise(&s->informed_bytes, levels->informed_bytes);
  raise(&story->committed_peak_bytes, levels->committed_bytes);
  if (levels->footprint_bytes > story->peak_bytes) {
    story->peak_bytes = levels->footprint_bytes;
    story->peak_ns = time_ns;
  }
  uint64_t allocated = levels->allocated_bytes_total - t->last.allocated_bytes_total;
  if (t->allocated_known) { /* what was before the first sample is not of this run's time */
    s->allocated_bytes += allocated;
    story->allocated_bytes += allocated;
  }
  t->allocated_known = true;
  t->last = *levels;
}

uint64_t tm__story_freed(const tm__trace_record *action)
{
  if (action->action.kind == TM_TRIM)
    return action->action.returned_bytes;
  uint64_t before = action->levels.footprint_bytes, after = action->after.footprint_bytes;
  return before > after ? before - after : 0;
}

static void remember_longest(tm__story *story, const tm__trace_record *action)
{
  size_t at = story->longest_count;
  while (at > 0 && story->longest[at - 1].action.duration_ns < action->action.duration_ns)
    at--;
  if (at == TM__STORY_LONGEST)
    return;
  size_t last =
      story->longest_count < TM__STORY_LONGEST ? story->longest_count++ : TM__STORY_LONGEST - 1;
  memmove(&story->longest[at + 1], &story->longest[at], (last - at) * sizeof story->longest[0]);
  story->longest[at] = *action;
}

/* An action that takes longer than a step is spread over those that it covers. */
static void spread(tm__story *story, uint64_t from_ns, uint64_t duration_ns)
{
  uint64_t to_ns = from_ns + duration_ns;
  for (size_t i = step_at(story, from_ns); i < TM__STORY_STEPS && from_ns < to_ns; i++) {
    uint64_t end_ns = ((uint64_t)i + 1) * story->step_ns;
    if (end_ns > to_ns || i == TM__STORY_STEPS - 1)
      end_ns = to_ns;
    story->steps[i].busy_ns += end_ns - from_ns;
    from_ns = end_ns;
  }
}

static void tell_action(teller *t, const tm__trace_record *r)
{
  tm__story *story = t->story;
  tm__story_sum *sum = &story->sums[r->action.kind];
  tell_levels(t, r->time_ns, &r->levels);
  tell_levels(t, r->time_ns + r->action.duration_ns, &r->after);
  story->steps[step_at(story, r->time_ns)].runs[r->action.kind]++;
  sum->runs++;
  sum->freed_bytes += tm__story_freed(r);
  sum->duration_ns += r->action.duration_ns;
  raise(&sum->longest_ns, r->action.duration_ns);
  spread(story, r->time_ns, r->action.duration_ns);
  remember_longest(story, r);
}

static void tell_record(teller *t, const tm__trace_record *r)
{
  switch (r->kind) {
  case TM__TRACE_SAMPLE:
    tell_levels(t, r->time_ns, &r->levels);
    return;
  case TM__TRACE_ACTION:
    tell_action(t, r);
    return;
  case TM__TRACE_LIMITS:
    t->story->soft_bytes = r->soft_bytes;
    t->story->hard_bytes = r->hard_bytes;
    return;
  case TM__TRACE_POLICY:
    if (!t->policy_known)
      t->story->policy = r->policy;
    t->policy_known = true;
    return;
  default:
    return;
  }
}

void tm__story_tell(const tm__tape *tape, tm__story *out)
{
  tm__tape_cursor cursor = {0};
  tm__trace_record record;
  teller t = {.story = out};
  memset(out, 0, sizeof *out);
  out->tape = tape;
  out->step_ns = tape->duration_ns / TM__STORY_STEPS + 1;
  tm_policy_init(&out->policy);
  while (tm__tape_next(tape, &cursor, &record))
    tell_record(&t, &record);
  fill_up_to(&t, TM__STORY_STEPS - 1);
}

const char *tm__story_when(const tm__story *story, char text[64])
{
  time_t when = (time_t)story->tape->start.wall_seconds;
  struct tm utc;
  if (!gmtime_r(&when, &utc) || !strftime(text, 64, "recorded %F %T UTC", &utc))
    text[0] = 0;
  return text;
}
