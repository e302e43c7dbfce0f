/*
 * recorded_host.h - a host that exists only as numbers, under the real engine: what it does can be
 * recorded, and done again under another policy, so that a replay can be compared with the truth.
 *
 *   footprint == live + young + old     young: garbage that a minor run finds; old: only a full one
 */
#ifndef TM_TESTS_CLI_RECORDED_HOST_H
#define TM_TESTS_CLI_RECORDED_HOST_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/simulate.h"
#include "gc/fake_port.h"
#include "gc/recorder.h"

#define STEP (16 * KIB)

typedef struct host {
  fake *f;
  uint64_t young, old; /* garbage */
  uint64_t since;      /* footprint after the last collection */
  double ns_per_byte;  /* its own work, by allocated byte */
  double scan_ns;      /* a collector's, by byte looked at */
  uint64_t peak_bytes;
  int refuses; /* 1: the program forbade collections */
} host;

/* What a host does from its start to its end. */
typedef void (*host_life)(host *h);

static int host_collect(host *h, uint64_t looked_at, uint64_t found)
{
  if (h->refuses)
    return TM_HOOK_BUSY;
  atomic_fetch_add(&h->f->now_ns, 20000 + (uint64_t)((double)looked_at * h->scan_ns));
  atomic_fetch_sub(&h->f->footprint, found);
  h->since = atomic_load(&h->f->footprint);
  return TM_HOOK_DONE;
}

static int host_minor(void *ctx, const tm_event *event)
{
  host *h = ctx;
  uint64_t u = event->footprint_bytes, found = h->refuses ? 0 : h->young;
  h->young -= found;
  return host_collect(h, u > h->since ? u - h->since : 0, found);
}

static int host_full(void *ctx, const tm_event *event)
{
  host *h = ctx;
  uint64_t found = h->refuses ? 0 : h->young + h->old;
  h->young -= h->refuses ? 0 : h->young;
  h->old -= h->refuses ? 0 : h->old;
  return host_collect(h, event->footprint_bytes, found);
}

/* One slow path and one safe point. */
static void host_step(host *h, uint64_t live, uint64_t young, uint64_t old)
{
  fake *f = h->f;
  uint64_t bytes = live + young + old;
  h->young += young;
  h->old += old;
  atomic_fetch_add(&f->now_ns, (uint64_t)((double)bytes * h->ns_per_byte));
  fake_allocate(f, bytes);
  uint64_t u = atomic_load(&f->footprint);
  h->peak_bytes = u > h->peak_bytes ? u : h->peak_bytes;
  atomic_store(&f->committed, u + u / 10);
  tm__watch_sample(&f->engine, 0, u);
  if (tm__engine_is_low(&f->engine, u))
    tm__engine_fell(&f->engine);
  if (fake_pending(f))
    (void)tm__engine_poll(&f->engine);
}

/* What died by itself. */
static void host_free(host *h, uint64_t live)
{
  atomic_fetch_sub(&h->f->footprint, live);
}

static uint64_t host_runs(const host *h, tm_hook_kind kind)
{
  tm_action_row row;
  assert_int_equal(tm__engine_action_row(&h->f->engine, kind, &row), 1);
  return row.runs_total - row.results_total[TM_HOOK_BUSY];
}

/* Lives under a policy and a soft limit, recorded into `path` (NULL: not). */
static tm__tally host_live(host_life life, bool generations, const tm_policy *policy, uint64_t soft,
                           const char *path)
{
  host h = {.f = fake_fresh(), .ns_per_byte = 5, .scan_ns = 0.4};
  tm__engine *engine = &h.f->engine;
  tm__tally t = {0};
  assert_int_equal(tm__engine_policy_set(engine, policy), 0);
  assert_int_equal(tm__engine_limit_set(engine, TM_SOFT, (int64_t)soft), 0);
  if (path)
    assert_int_equal(tm__recorder_start(engine, path), 0);
  assert_int_equal(tm__engine_hook_add(engine, TM_COLLECT, host_full, &h, NULL), 0);
  if (generations)
    assert_int_equal(tm__engine_hook_add(engine, TM_COLLECT_MINOR, host_minor, &h, NULL), 0);
  uint64_t start_ns = atomic_load(&h.f->now_ns);
  life(&h);
  if (path)
    assert_int_equal(tm__recorder_stop(engine), 0);
  t.runs[TM_COLLECT] = host_runs(&h, TM_COLLECT);
  t.runs[TM_COLLECT_MINOR] = host_runs(&h, TM_COLLECT_MINOR);
  t.peak_bytes = h.peak_bytes;
  t.elapsed_ns = atomic_load(&h.f->now_ns) - start_ns;
  return t;
}

/* ---- Lives ----------------------------------------------------------------------------------- */

/* A structure that is only built: 400 MiB. */
static inline void life_building(host *h)
{
  for (uint64_t done = 0; done < 400 * MIB; done += STEP)
    host_step(h, STEP, 0, 0);
}

/* 30 MiB live, then 4 GiB of garbage of which a tenth grows old first. */
static inline void life_of_garbage(host *h)
{
  for (uint64_t done = 0; done < 30 * MIB; done += STEP)
    host_step(h, STEP, 0, 0);
  for (uint64_t done = 0; done < 4096 * MIB; done += STEP)
    host_step(h, 0, STEP / 10 * 9, STEP - STEP / 10 * 9);
}

/* Buffers that die by themselves beside garbage, live bytes that rise and fall. */
static inline void life_of_waves(host *h)
{
  for (int wave = 0; wave < 12; wave++) {
    for (uint64_t done = 0; done < 60 * MIB; done += STEP)
      host_step(h, STEP / 2, STEP / 4, STEP / 4);
    for (uint64_t done = 0; done < 200 * MIB; done += STEP) {
      host_step(h, STEP / 2, STEP / 4, STEP / 4);
      host_free(h, STEP / 2);
    }
    host_free(h, 30 * MIB);
  }
}

/* ---- A recording in memory ------------------------------------------------------------------- */

static inline const char *fresh_path(void)
{
  static char path[40];
  static int fd = -1;
  if (fd >= 0)
    (void)close(fd);
  fd = memfd_create("recording", 0);
  assert_true(fd >= 0);
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return path;
}

/* Lives recorded and reads it back. */
static inline tm__tally host_record(host_life life, bool generations, const tm_policy *policy,
                                    uint64_t soft, tm__tape *tape, tm__world *world)
{
  const char *path = fresh_path();
  tm__complaint complaint = {0};
  tm__tally lived = host_live(life, generations, policy, soft, path);
  if (tm__tape_open(path, tape, &complaint) != 0)
    fail_msg("%s", complaint.text);
  assert_int_equal(tm__world_build(tape, world), 0);
  return lived;
}

static inline tm_policy growth(unsigned percent)
{
  tm_policy p;
  tm_policy_init(&p);
  p.growth_percent = percent;
  return p;
}

#endif
