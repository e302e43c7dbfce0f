/* recorder.c - see recorder.h. Everything here runs with the engine's lock held. */
#define _GNU_SOURCE
#include "gc/recorder.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/outlet.h"
#include "gc/ladder.h"
#include "gc/policy.h"
#include "gc/trace.h"

#define DETAIL_BYTES (16 * TM__MIB) /* of file, until samples become half as many */
#define MOST_BYTES (256 * TM__MIB)
#define QUANTUM_BYTES ((uint64_t)256 << 10)
#define GAP_NS (TM__MILLISECOND / 10)
#define FLUSH_NS TM__SECOND

typedef struct recorder {
  tm__watch *watch;
  tm__outlet file;
  pid_t pid;
  uint64_t start_ns, flushed_ns; /* of the engine's clock */
  uint64_t written_bytes;
  bool failed;                                  /* said; nothing is written any more */
  bool has_state;                               /* what follows was written once */
  unsigned char policy[TM__TRACE_RECORD_BYTES]; /* as a record, of so many */
  size_t policy_bytes;
  uint64_t soft_bytes, hard_bytes;
  unsigned hooks;
  tm__trace_past past;
  size_t used; /* of the payload */
  char path[160];
  unsigned char block[TM__TRACE_BLOCK_HEAD_BYTES + TM__TRACE_BLOCK_BYTES];
} recorder;

/* ---- The file -------------------------------------------------------------------------------- */

/* Nothing is recorded any more; the program runs on. */
static void fail(recorder *r, const char *why)
{
  r->failed = true;
  tm__counter_set(&r->watch->next_ns, UINT64_MAX);
  tm__counter_set(&r->watch->low_bytes, 0);
  tm__counter_set(&r->watch->high_bytes, UINT64_MAX);
  tm__report("the recording ends here, %s: %s", r->path, why);
}

static void flush(recorder *r, uint64_t now_ns)
{
  r->flushed_ns = now_ns;
  if (r->failed || !r->used)
    return;
  if (getpid() != r->pid) { /* a child that was made without our knowledge: not its file */
    r->failed = true;
    return;
  }
  int saved = errno; /* this runs inside the program's malloc */
  size_t length = TM__TRACE_BLOCK_HEAD_BYTES + r->used;
  tm__trace_block_head(r->block + TM__TRACE_BLOCK_HEAD_BYTES, r->used, r->block);
  int error = tm__outlet_append(&r->file, r->block, length);
  r->written_bytes += length;
  r->used = 0;
  if (error == EBADF)
    fail(r, "the program closed the file");
  else if (error)
    fail(r, strerrordesc_np(error));
  else if (r->written_bytes > MOST_BYTES)
    fail(r, "it is 256 MiB long, which is the most");
  errno = saved;
}

/* Samples get rarer as the file grows. */
static unsigned detail_lost(const recorder *r)
{
  return (unsigned)(r->written_bytes / DETAIL_BYTES);
}

static uint64_t since_start(const recorder *r, uint64_t now_ns)
{
  return tm__less(now_ns, r->start_ns);
}

static void write_record(recorder *r, const tm__trace_record *record)
{
  if (r->failed)
    return;
  unsigned char *payload = r->block + TM__TRACE_BLOCK_HEAD_BYTES;
  r->used += tm__trace_write(record, &r->past, payload + r->used);
  uint64_t now_ns = r->start_ns + r->past.time_ns;
  if (r->used > TM__TRACE_BLOCK_BYTES - TM__TRACE_RECORD_BYTES ||
      now_ns - r->flushed_ns >= FLUSH_NS)
    flush(r, now_ns);
}

/* ---- Events ---------------------------------------------------------------------------------- */

static tm__trace_levels levels_of(const tm_inputs *in)
{
  return (tm__trace_levels){.footprint_bytes = in->footprint_bytes,
                            .allocated_bytes_total = in->allocated_bytes_total,
                            .committed_bytes = in->committed_bytes,
                            .dirty_bytes = in->dirty_bytes,
                            .fixable_bytes = in->fixable_bytes,
                            .informed_bytes = in->informed_bytes};
}

static void write_sample(recorder *r, const tm_inputs *in, uint64_t request_bytes)
{
  tm__trace_record record = {.kind = TM__TRACE_SAMPLE,
                             .time_ns = since_start(r, in->now_ns),
                             .levels = levels_of(in),
                             .request_bytes = request_bytes};
  write_record(r, &record);
}

static void on_sample(recorder *r, const tm__watch_event *event)
{
  unsigned lost = detail_lost(r);
  uint64_t bound = event->bound_bytes;
  uint64_t step = tm__max(QUANTUM_BYTES, bound / 64) << lost;
  write_sample(r, event->in, event->request_bytes);
  if (r->failed)
    return;
  tm__counter_set(&r->watch->next_ns, event->in->now_ns + (GAP_NS << lost));
  tm__counter_set(&r->watch->low_bytes, tm__less(bound, step));
  tm__counter_set(&r->watch->high_bytes, tm__add(bound, step));
}

static void on_action(recorder *r, const tm__action *action)
{
  const tm_outcome *o = &action->outcome;
  tm__trace_record record = {.kind = TM__TRACE_ACTION,
                             .time_ns = since_start(r, o->start_ns),
                             .levels = levels_of(&action->before),
                             .after = levels_of(&action->after)};
  record.action = (tm__trace_action){.kind = o->kind,
                                     .result = o->result,
                                     .reasons = action->decision.reasons,
                                     .duration_ns = tm__less(o->end_ns, o->start_ns),
                                     .live_bytes = action->record.live_bytes,
                                     .returned_bytes = o->returned_bytes};
  write_record(r, &record);
}

/* Is it another policy than the last one? Compared as they are written. */
static bool policy_changed(recorder *r, const tm_policy *policy)
{
  unsigned char bytes[TM__TRACE_RECORD_BYTES];
  tm__trace_record record = {.kind = TM__TRACE_POLICY, .policy = *policy};
  tm__trace_past none = {0};
  size_t n = tm__trace_write(&record, &none, bytes);
  bool same = n == r->policy_bytes && memcmp(bytes, r->policy, n) == 0;
  memcpy(r->policy, bytes, n);
  r->policy_bytes = n;
  return !same;
}

/* What is different from what was written last. */
static void on_change(recorder *r, const tm__watch_event *event)
{
  const tm_inputs *in = event->in;
  tm__trace_record record = {.time_ns = since_start(r, in->now_ns)};
  bool first = !r->has_state;
  write_sample(r, in, 0);
  if (policy_changed(r, event->policy)) {
    record.kind = TM__TRACE_POLICY;
    record.policy = *event->policy;
    write_record(r, &record);
  }
  if (first || r->hooks != in->hooks) {
    record.kind = TM__TRACE_HOOKS;
    record.hooks = r->hooks = in->hooks;
    write_record(r, &record);
  }
  if (first || r->soft_bytes != in->soft_limit_bytes || r->hard_bytes != in->hard_limit_bytes) {
    record.kind = TM__TRACE_LIMITS;
    record.soft_bytes = r->soft_bytes = in->soft_limit_bytes;
    record.hard_bytes = r->hard_bytes = in->hard_limit_bytes;
    write_record(r, &record);
  }
  if (event->pressure >= 0) {
    record.kind = TM__TRACE_PRESSURE;
    record.pressure = (tm_pressure)event->pressure;
    write_record(r, &record);
  }
  r->has_state = true;
}

static void write_start(recorder *r, const char *heap)
{
  tm__trace_record record = {.kind = TM__TRACE_START, .pid = (uint64_t)r->pid};
  struct timespec wall = {0};
  (void)clock_gettime(CLOCK_REALTIME, &wall);
  record.wall_seconds = (uint64_t)wall.tv_sec;
  for (size_t i = 0; heap[i] && i < sizeof record.heap - 1; i++)
    record.heap[i] = heap[i];
  write_record(r, &record);
}

static void release(recorder *r)
{
  tm__outlet_close(&r->file);
  (void)munmap(r, sizeof *r);
}

static int on_end(recorder *r, const tm_inputs *in)
{
  tm__trace_record record = {.kind = TM__TRACE_END, .time_ns = since_start(r, in->now_ns)};
  write_sample(r, in, 0);
  write_record(r, &record);
  flush(r, in->now_ns);
  int result = r->failed ? TM_EIO : TM_OK;
  release(r);
  return result;
}

static int record_event(void *ctx, const tm__watch_event *event)
{
  recorder *r = ctx;
  switch (event->kind) {
  case TM__WATCH_SAMPLE:
    on_sample(r, event);
    break;
  case TM__WATCH_ACTION:
    on_action(r, event->action);
    break;
  case TM__WATCH_CHANGE:
    on_change(r, event);
    break;
  case TM__WATCH_END:
    return on_end(r, event->in);
  case TM__WATCH_FORKED:
    release(r);
    break;
  }
  return TM_OK;
}

/* ---- Start and stop -------------------------------------------------------------------------- */

/* Opens and cuts the file and writes its head. 0 or an errno. */
static int open_file(recorder *r, const char *path)
{
  unsigned char head[TM__TRACE_HEAD_BYTES];
  struct stat st;
  tm__trace_head(head);
  r->file = tm__outlet_open(path);
  if (r->file.fd < 0)
    return errno ? errno : EMFILE;
  if (fstat(r->file.fd, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(r->file.fd, 0) != 0)
    return errno;
  return tm__outlet_append(&r->file, head, sizeof head);
}

int tm__recorder_start(tm__engine *engine, const char *path)
{
  if (tm__watch_on(&engine->watch)) /* before a file is cut */
    return TM_EBUSY;
  size_t bytes = (sizeof(recorder) + TM_OS_PAGE - 1) & ~((size_t)TM_OS_PAGE - 1);
  recorder *r = tm__os_map(bytes);
  if (!r)
    return TM_ENOMEM;
  errno = 0;
  int error = open_file(r, path);
  if (error) {
    release(r);
    errno = error;
    return TM_EIO;
  }
  (void)tm__format(r->path, sizeof r->path, "%s", path);
  r->watch = &engine->watch;
  r->pid = getpid();
  r->start_ns = r->flushed_ns = engine->port.now_ns(engine->port.ctx);
  write_start(r, engine->port.name ? engine->port.name : "");
  int result = tm__watch_start(engine, record_event, r);
  if (result)
    release(r);
  return result;
}

int tm__recorder_stop(tm__engine *engine)
{
  return tm__watch_stop(engine);
}
