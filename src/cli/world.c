/* world.c - see world.h. */
#include "cli/world.h"

#include <stdlib.h>
#include <string.h>

#include "gc/policy.h"

/* Where no action of any kind was recorded: a collector that walks 2 GB a second. */
#define GUESSED_NS_PER_BYTE 0.5

/* ---- Growing arrays -------------------------------------------------------------------------- */

/* Room for one more of `size` bytes: the array, perhaps moved, or NULL; it is then unchanged. */
static void *grow(void *items, size_t count, size_t *capacity, size_t size)
{
  if (count < *capacity)
    return items;
  size_t more = *capacity ? 2 * *capacity : 64;
  void *moved = realloc(items, more * size);
  if (moved)
    *capacity = more;
  return moved;
}

/* ---- Reading the tape ------------------------------------------------------------------------ */

typedef struct builder {
  tm__world *world;
  uint64_t soft_bytes, last_ns, last_footprint;
  uint64_t base_bytes; /* footprint after the last collection, or the lowest since */
  int chain_kind;      /* an action that said MORE, -1 = none */
  tm__past_run chain;
  uint64_t chain_freed;
  bool chain_refused;
  bool started;
  uint64_t first_allocated, first_footprint;
  tm__found *found; /* what each run found */
  size_t found_count, found_capacity;
} builder;

/* Time passes up to this footprint. */
static void see(builder *b, uint64_t now_ns, uint64_t footprint)
{
  tm__tally *t = &b->world->recorded;
  if (b->soft_bytes && b->last_footprint > b->soft_bytes)
    t->above_soft_ns += now_ns - b->last_ns;
  b->last_ns = now_ns;
  b->last_footprint = footprint;
  t->peak_bytes = tm__max(t->peak_bytes, footprint);
  b->base_bytes = b->started ? tm__min(b->base_bytes, footprint) : footprint;
}

static void start(builder *b, const tm__trace_levels *levels)
{
  if (!b->started) {
    b->first_allocated = levels->allocated_bytes_total;
    b->first_footprint = levels->footprint_bytes;
  }
  b->started = true;
}

static bool add_found(builder *b, const tm__found *found)
{
  tm__found *more = grow(b->found, b->found_count, &b->found_capacity, sizeof *more);
  if (!more)
    return false;
  b->found = more;
  more[b->found_count++] = *found;
  return true;
}

static bool end_action(builder *b, tm_hook_kind kind, const tm__trace_record *r)
{
  tm__tally *t = &b->world->recorded;
  b->chain_kind = -1;
  if (b->chain_refused)
    return tm__cost_refuse(&b->world->cost[kind], b->chain.allocated_bytes);
  if (!tm__cost_add(&b->world->cost[kind], &b->chain))
    return false;
  t->runs[kind]++;
  t->freed_bytes[kind] += b->chain_freed;
  tm__found found = {.allocated_bytes = b->chain.allocated_bytes,
                     .freed_bytes = b->chain_freed,
                     .after_bytes = r->after.footprint_bytes};
  switch (kind) {
  case TM_DROP_CACHES:
    found.by = TM__BY_DROPPING;
    break;
  case TM_COLLECT_MINOR:
    found.by = TM__BY_MINOR;
    break;
  case TM_COLLECT:
    found.by = TM__BY_FULL;
    break;
  default:
    return true;
  }
  if (found.by != TM__BY_DROPPING)
    b->base_bytes = found.after_bytes;
  return add_found(b, &found);
}

static bool read_action(builder *b, const tm__trace_record *r)
{
  tm_hook_kind kind = r->action.kind;
  uint64_t before = r->levels.footprint_bytes, after = r->after.footprint_bytes;
  see(b, r->time_ns, before);
  start(b, &r->levels);
  if (b->chain_kind != (int)kind) {
    uint64_t work = kind == TM_COLLECT         ? before
                    : kind == TM_COLLECT_MINOR ? before - b->base_bytes
                                               : 0;
    b->chain = (tm__past_run){.work_bytes = (double)work};
    b->chain_freed = 0;
    b->chain_kind = (int)kind;
  }
  b->chain.allocated_bytes = r->levels.allocated_bytes_total;
  b->chain.duration_ns += (double)r->action.duration_ns;
  b->chain_refused = r->action.result == TM_HOOK_BUSY || r->action.result == TM_HOOK_ERROR;
  b->chain_freed += tm__less(before, after);
  b->world->recorded.busy_ns[kind] += r->action.duration_ns;
  see(b, r->time_ns + r->action.duration_ns, after);
  return r->action.result == TM_HOOK_MORE || end_action(b, kind, r);
}

static bool read_record(builder *b, const tm__trace_record *r)
{
  switch (r->kind) {
  case TM__TRACE_SAMPLE:
    see(b, r->time_ns, r->levels.footprint_bytes);
    start(b, &r->levels);
    return true;
  case TM__TRACE_ACTION:
    return read_action(b, r);
  case TM__TRACE_POLICY:
    b->world->policy = r->policy;
    return true;
  case TM__TRACE_LIMITS:
    b->world->soft_bytes = b->soft_bytes = r->soft_bytes;
    b->world->hard_bytes = r->hard_bytes;
    return true;
  case TM__TRACE_END:
    see(b, r->time_ns, b->last_footprint);
    return true;
  default:
    return true;
  }
}

/* Kinds that never ran cost what another one cost, byte by byte. */
static void fit_costs(tm__world *world)
{
  tm__cost *minor = &world->cost[TM_COLLECT_MINOR], *full = &world->cost[TM_COLLECT];
  for (size_t i = 0; i < TM_HOOK_KIND_COUNT; i++)
    tm__cost_fit(&world->cost[i]);
  if (minor->assumed)
    minor->ns_per_byte = full->assumed ? GUESSED_NS_PER_BYTE : full->ns_per_byte;
  if (full->assumed)
    full->ns_per_byte = minor->ns_per_byte;
}

/* ---- The whole ------------------------------------------------------------------------------- */

int tm__world_build(const tm__tape *tape, tm__world *world)
{
  memset(world, 0, sizeof *world);
  tm_policy_init(&world->policy);
  builder b = {.world = world, .chain_kind = -1};
  tm__tape_cursor cursor = {0};
  tm__trace_record record;
  bool ok = true;
  while (ok && tm__tape_next(tape, &cursor, &record))
    ok = read_record(&b, &record);
  int error = ok ? tm__garbage_learn(&world->garbage, b.first_allocated, b.first_footprint, b.found,
                                     b.found_count)
                 : TM_ENOMEM;
  free(b.found);
  world->recorded.elapsed_ns = tape->duration_ns;
  fit_costs(world);
  return error;
}

void tm__world_free(tm__world *world)
{
  tm__garbage_free(&world->garbage);
  for (size_t i = 0; i < TM_HOOK_KIND_COUNT; i++)
    tm__cost_free(&world->cost[i]);
  memset(world, 0, sizeof *world);
}

uint64_t tm__tally_busy_ns(const tm__tally *tally)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < TM_HOOK_KIND_COUNT; i++)
    sum += tally->busy_ns[i];
  return sum;
}
