/* stream.c - samples out of the rings, decisions out of the logs, the books as they are. */
#define _GNU_SOURCE
#include "monitor/stream.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "monitor/routes.h"
#include "monitor/sampler.h"
#include "stats/process.h"

enum {
  PIECE_BYTES = 48 * 1024, /* a piece ends with the event that reaches it */
  RETRY_MS = 1000,
  AGAIN_NS = 1000000000 /* decisions of this last moment are told again: see stream.h */
};

/* ---- Slots ---------------------------------------------------------------------------------- */

/* Where a client wants to go on. An id that lies ahead is one of before the machine's start. */
static uint64_t known_to(const tm__request *request)
{
  const char *text = request->last_event.bytes;
  uint64_t id;
  if (request->last_event.cut || !tm__number_read(&text, &id) || text[strspn(text, " \t")])
    return 0;
  return id <= uv_hrtime() ? id : 0;
}

bool tm__stream_open(tm__connection *c)
{
  tm__monitor *m = c->monitor;
  for (size_t i = 0; i < TM__STREAMS; i++)
    if (!m->streams[i].connection) {
      uint64_t known_ns = known_to(&c->request);
      m->streams[i] =
          (tm__stream){.connection = c, .more = true, .after_ns = known_ns, .decided_ns = known_ns};
      c->stream = &m->streams[i];
      return true;
    }
  return false;
}

void tm__stream_close(tm__connection *c)
{
  if (c->stream)
    c->stream->connection = NULL;
  c->stream = NULL;
}

/* ---- Events --------------------------------------------------------------------------------- */

static bool is_long(const tm__emit *e)
{
  return e->length >= PIECE_BYTES;
}

static void emit_event(tm__emit *e, const char *name)
{
  tm__emit_text(e, "event: ");
  tm__emit_text(e, name);
  tm__emit_text(e, "\ndata: ");
}

static void emit_member(tm__emit *e, const char *name, uint64_t value)
{
  tm__emit_text(e, ",\"");
  tm__emit_text(e, name);
  tm__emit_text(e, "\":");
  tm__emit_u64(e, value);
}

/* Who speaks, and what time it is on both clocks, so that a reader can date time_ns. */
static void emit_hello(tm__emit *e, const tm__monitor *m)
{
  struct timespec now;
  tm__emit_text(e, "retry: ");
  tm__emit_u64(e, RETRY_MS);
  tm__emit_text(e, "\n\n");
  emit_event(e, "hello");
  tm__emit_text(e, "{\"version\":");
  tm__emit_json_string(e, tm_version());
  emit_member(e, "pid", (uint64_t)getpid());
  emit_member(e, "sample_period_ms", m->options.sample_period_ms);
  emit_member(e, "time_ns", uv_hrtime());
  if (clock_gettime(CLOCK_REALTIME, &now) == 0 && now.tv_sec > 0)
    emit_member(e, "unix_ms", (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
  tm__emit_text(e, "}\n\n");
}

static bool is_known(const tm__stream *s, const tm_record *record)
{
  return record->time_ns + record->duration_ns + AGAIN_NS < s->decided_ns;
}

static void emit_decision(tm__emit *e, const tm_record *record)
{
  size_t room;
  emit_event(e, record->verdict == TM_FIRED ? "action" : "decision");
  char *rest = tm__emit_rest(e, &room);
  e->length += tm_record_json(record, rest, room);
  tm__emit_text(e, "\n\n");
}

/* Whether log i is the one that was read so far: a heap may be closed, and another one be at the
 * same address, between two looks. */
static bool is_same_log(const tm__stream *s, size_t i, tm_heap *heap)
{
  tm_record record;
  uint64_t before = s->logs[i].cursor - 1;
  if (s->logs[i].heap != heap)
    return false;
  return s->logs[i].cursor == 0 ||
         (tm_log_read(heap, &before, &record) == 1 && before == s->logs[i].cursor &&
          record.time_ns == s->logs[i].last_ns);
}

static void emit_decisions(tm__emit *e, tm__stream *s)
{
  tm_record record;
  tm_heap *heap;
  for (size_t i = 0; i < TM__LOGS && (heap = tm_heap_at(i)); i++) {
    if (!is_same_log(s, i, heap)) /* what was lapped begins again at its oldest, as it would */
      s->logs[i].cursor = 0;
    s->logs[i].heap = heap;
    while (!is_long(e) && tm_log_read(heap, &s->logs[i].cursor, &record) == 1) {
      s->logs[i].last_ns = record.time_ns;
      if (!is_known(s, &record))
        emit_decision(e, &record);
    }
  }
}

/* ---- Samples -------------------------------------------------------------------------------- */

/* The next sample of a ring that the stream has not sent. */
static bool peek(tm__stream *s, const tm__monitor *m, size_t i, tm_monitor_sample *out)
{
  uint64_t cursor = s->cursors[i];
  while (tm__sample_read(&m->rings[i], &cursor, out)) {
    if (out->time_ns > s->after_ns)
      return true;
    s->cursors[i] = cursor;
  }
  return false;
}

/* The time of the next sample that any heap has; 0: none. */
static uint64_t next_time(tm__stream *s, const tm__monitor *m)
{
  uint64_t next_ns = 0;
  tm_monitor_sample sample;
  for (size_t i = 0; i < TM_MONITOR_HEAPS; i++)
    if (peek(s, m, i, &sample) && (!next_ns || sample.time_ns < next_ns))
      next_ns = sample.time_ns;
  return next_ns;
}

static uint64_t per_second(uint64_t before, uint64_t now, uint64_t ns)
{
  return now > before ? (uint64_t)((double)(now - before) * 1e9 / (double)ns) : 0;
}

static void emit_rates(tm__emit *e, const tm_monitor_sample *before, const tm_monitor_sample *now)
{
  uint64_t ns = now->time_ns - before->time_ns;
  if (now->time_ns <= before->time_ns)
    return;
#define EMIT_RATE(name, counter)                                                                   \
  emit_member(e, name, per_second(before->counter, now->counter, ns));
  EMIT_RATE("allocated_bytes_per_s", allocated_bytes_total)
  EMIT_RATE("freed_bytes_per_s", freed_bytes_total)
  EMIT_RATE("allocs_per_s", allocs_total)
  EMIT_RATE("actions_per_s", actions_total)
  EMIT_RATE("action_ns_per_s", action_ns_total)
#undef EMIT_RATE
}

static void emit_heap(tm__emit *e, const tm__ring *ring, size_t index, uint64_t cursor,
                      const tm_monitor_sample *now)
{
  tm_monitor_sample before;
  tm__emit_text(e, "{\"index\":");
  tm__emit_u64(e, index);
  tm__emit_text(e, ",\"name\":");
  tm__emit_json_string(e, tm_heap_name(ring->heap));
  emit_member(e, "sequence", now->sequence);
#define EMIT_MEMBER(name) emit_member(e, #name, now->name);
  TM__SAMPLE_LEVELS(EMIT_MEMBER)
  TM__SAMPLE_TOTALS(EMIT_MEMBER)
#undef EMIT_MEMBER
  tm__emit_text(e, ",\"informed_bytes\":");
  tm__emit_i64(e, now->informed_bytes);
  emit_member(e, "actions_total", now->actions_total);
  emit_member(e, "action_ns_total", now->action_ns_total);
  if (tm__sample_before(ring, cursor, &before))
    emit_rates(e, &before, now);
  tm__emit_char(e, '}');
}

/* All heaps at one moment. */
static void emit_sample(tm__emit *e, tm__stream *s, const tm__monitor *m, uint64_t time_ns)
{
  tm_monitor_sample sample;
  const char *before = "";
  tm__emit_text(e, "id: ");
  tm__emit_u64(e, time_ns);
  tm__emit_char(e, '\n');
  emit_event(e, "sample");
  tm__emit_text(e, "{\"time_ns\":");
  tm__emit_u64(e, time_ns);
  tm__emit_text(e, ",\"heaps\":[");
  for (size_t i = 0; i < TM_MONITOR_HEAPS; i++) {
    const tm__ring *ring = &m->rings[i];
    if (!peek(s, m, i, &sample) || sample.time_ns != time_ns)
      continue;
    (void)tm__sample_read(ring, &s->cursors[i], &sample);
    if (tm_heap_at(i) != ring->heap) /* it was closed since */
      continue;
    tm__emit_text(e, before);
    emit_heap(e, ring, i, s->cursors[i] - 1, &sample);
    before = ",";
  }
  tm__emit_text(e, "]}\n\n");
  s->after_ns = time_ns;
}

/* ---- Pieces --------------------------------------------------------------------------------- */

/* The present state, as long as it fits: who asks for /stats.json gets it in any case. */
static void emit_books(tm__emit *e, tm__stream *s, tm__monitor *m)
{
  size_t room, start = e->length;
  if (s->booked == m->cost.samples)
    return;
  s->booked = m->cost.samples;
  emit_event(e, "books");
  char *rest = tm__emit_rest(e, &room);
  e->length += tm__body_stats(m, TM_TEXT_PROMETHEUS, rest, room); /* ends with a newline */
  tm__emit_char(e, '\n');
  if (e->length >= e->capacity)
    e->length = start;
}

size_t tm__stream_fill(tm__connection *c, bool comment)
{
  tm__monitor *m = c->monitor;
  tm__stream *s = c->stream;
  uint64_t time_ns;
  tm__emit e;
  c->body = c->answer + TM__HEAD_BYTES;
  tm__emit_init(&e, c->answer + TM__HEAD_BYTES, TM__ANSWER_BYTES - TM__HEAD_BYTES);
  if (!s->greeted)
    emit_hello(&e, m);
  s->greeted = true;
  emit_decisions(&e, s);
  while (!is_long(&e) && (time_ns = next_time(s, m)))
    emit_sample(&e, s, m, time_ns);
  s->more = is_long(&e);
  if (!s->more)
    emit_books(&e, s, m);
  if (e.length == 0 && comment)
    tm__emit_text(&e, ": nothing new\n\n");
  size_t length = tm__emit_end(&e);
  if (c->touched < TM__HEAD_BYTES + length)
    c->touched = TM__HEAD_BYTES + length;
  return length;
}
