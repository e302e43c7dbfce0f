/*
 * 03_small_host.c - a host on one page: a tiny object machine that lives inside a soft limit.
 *
 * Shows: the five lines of a host. It registers what it can do about memory (collect, compact,
 * trim), says where it wants to stay, allocates every object in its heap and polls at its safe
 * point. When to act is the engine's affair; the log at the end says what it did and why.
 *
 * Objects point to each other in rings, so that only a collector can free them.
 *
 *   cc 03_small_host.c -o 03_small_host $(pkg-config --cflags --libs tidemark)
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tidemark/tidemark.h>

enum { ROOTS = 500, REQUESTS = 8000, SOFT_LIMIT = 24 << 20 };

typedef struct object object;
struct object {
  object *next;  /* every object of the machine, for the sweep */
  object *link;  /* the object that this one refers to */
  object *moved; /* while compacting: where it went */
  size_t bytes;  /* of text */
  bool marked;
  char text[];
};

typedef struct vm {
  tm_heap *heap;
  object *all;
  object *roots[ROOTS];
  char *scratch; /* for printing; kept from request to request */
  uint64_t collected, moved;
} vm;

static object *object_new(vm *m, object *link, size_t bytes)
{
  object *o = tm_malloc(m->heap, TM_OBJ, sizeof *o + bytes);
  if (!o) {
    fputs("out of memory\n", stderr);
    exit(1);
  }
  *o = (object){.next = m->all, .link = link, .bytes = bytes};
  memset(o->text, 'x', bytes);
  return m->all = o;
}

/* ---- What the machine can do about memory --------------------------------------------------- */

/* Mark what the roots reach, sweep the rest. */
static int collect(void *ctx, const tm_event *event)
{
  vm *m = ctx;
  uint64_t freed = 0;
  for (int i = 0; i < ROOTS; i++)
    for (object *o = m->roots[i]; o && !o->marked; o = o->link)
      o->marked = true;
  for (object **place = &m->all; *place;) {
    object *o = *place;
    if (o->marked) {
      o->marked = false;
      place = &o->next;
    } else {
      *place = o->next;
      tm_free(event->heap, TM_OBJ, o);
      freed++;
    }
  }
  m->collected += freed;
  return freed ? TM_HOOK_DONE : TM_HOOK_NOTHING;
}

/* Copy objects off sparse pages, then mend every reference, then free the old copies. */
static int compact(void *ctx, const tm_event *event)
{
  vm *m = ctx;
  object *old = NULL;
  for (object **place = &m->all; *place; place = &(*place)->next) {
    object *o = *place, *copy;
    if (!tm_should_move(o) || !(copy = tm_malloc(event->heap, TM_OBJ, sizeof *o + o->bytes)))
      continue;
    memcpy(copy, o, sizeof *o + o->bytes);
    o->moved = *place = copy;
    o->next = old;
    old = o;
    m->moved++;
  }
  for (object *o = m->all; o; o = o->next)
    if (o->link && o->link->moved)
      o->link = o->link->moved;
  for (int i = 0; i < ROOTS; i++)
    if (m->roots[i] && m->roots[i]->moved)
      m->roots[i] = m->roots[i]->moved;
  int result = old ? TM_HOOK_DONE : TM_HOOK_NOTHING;
  for (object *next; old; old = next) {
    next = old->next;
    tm_free(event->heap, TM_OBJ, old);
  }
  return result;
}

/* Give back what is only kept for speed. The heap's own trim follows by itself. */
static int trim(void *ctx, const tm_event *event)
{
  vm *m = ctx;
  tm_free(event->heap, TM_OBJ, m->scratch);
  m->scratch = NULL;
  return TM_HOOK_DONE;
}

/* ---- What the machine is for ---------------------------------------------------------------- */

/* One request: build a ring of objects, work on it, and let it replace an older one, which is
 * garbage then. */
static uint64_t serve(vm *m, uint32_t *random)
{
  object *first = NULL, *last = NULL;
  uint64_t bytes = 0, hash = 0;
  for (int i = 0; i < 4; i++) {
    *random = *random * 1664525u + 1013904223u;
    object *o = object_new(m, last, 500 + (*random >> 16) % 8000);
    first = first ? first : o;
    last = o;
    bytes += o->bytes;
  }
  first->link = last;
  m->roots[(*random >> 8) % ROOTS] = first;

  if (!m->scratch)
    m->scratch = tm_malloc(m->heap, TM_OBJ, 65536);
  for (int round = 0; m->scratch && round < 5; round++)
    for (object *o = first->link; o != first; o = o->link) {
      memcpy(m->scratch, o->text, o->bytes);
      for (size_t i = 0; i < o->bytes; i++)
        hash = (hash ^ (unsigned char)m->scratch[i]) * 0x100000001b3u;
    }
  return hash ? bytes : 0;
}

/* ---- What is said at the end ---------------------------------------------------------------- */

#define NAME(enumerator, text) [enumerator] = text,
static const char *const kinds[] = {TM_HOOK_KINDS(NAME)};
static const char *const verdicts[] = {TM_VERDICTS(NAME)};

static void print_actions(const tm_heap *heap)
{
  static const tm_hook_kind shown[] = {TM_COLLECT, TM_COMPACT, TM_TRIM};
  tm_action_row row;
  for (size_t i = 0; i < 3; i++)
    if (tm_action_stats_read(heap, shown[i], &row) == 1)
      printf("  %-8s %3llu times, %4llu ms\n", kinds[shown[i]], (unsigned long long)row.runs_total,
             (unsigned long long)row.duration_ns_total / 1000000);
}

/* The newest records: what was done, or what was not done and why. */
static void print_log(tm_heap *heap)
{
  enum { LINES = 4 };
  tm_record r, last[LINES] = {{0}};
  uint64_t cursor = 0;
  size_t n = 0;
  while (tm_log_read(heap, &cursor, &r) == 1)
    if (r.kind >= 0)
      last[n++ % LINES] = r;
  for (size_t i = n > LINES ? n - LINES : 0; i < n; i++) {
    r = last[i % LINES];
    printf("  %-8s %-9s %6llu -> %5llu KiB, of the system %6llu -> %5llu KiB\n", kinds[r.kind],
           verdicts[r.verdict], (unsigned long long)r.footprint_before_bytes / 1024,
           (unsigned long long)r.footprint_after_bytes / 1024,
           (unsigned long long)r.committed_before_bytes / 1024,
           (unsigned long long)r.committed_after_bytes / 1024);
  }
}

int main(void)
{
  static vm m;
  tm_heap_config config;
  tm_heap_config_init(&config);
  config.name = "vm";
  config.soft_limit_bytes = SOFT_LIMIT;
  if (tm_heap_new(&m.heap, &config) != 0)
    return 1;
  (void)tm_hook_add(m.heap, TM_COLLECT, collect, &m, NULL);
  (void)tm_hook_add(m.heap, TM_COMPACT, compact, &m, NULL);
  (void)tm_hook_add(m.heap, TM_TRIM, trim, &m, NULL);

  uint64_t made = 0;
  uint32_t random = 1;
  for (int i = 0; i < REQUESTS; i++) {
    made += serve(&m, &random);
    (void)tm_poll(m.heap); /* the safe point: every object is reachable from the roots */
  }
  /* The work is done, and somebody else on this machine needs memory. */
  (void)tm_pressure_post(m.heap, TM_PRESSURE_MEDIUM);
  (void)tm_poll(m.heap);

  tm_stats stats;
  tm_stats_init(&stats);
  (void)tm_stats_read(m.heap, &stats);
  printf("%d requests made %llu MiB of text, %llu objects were collected, %llu moved\n", REQUESTS,
         (unsigned long long)made >> 20, (unsigned long long)m.collected,
         (unsigned long long)m.moved);
  printf("the footprint was never above %llu %% of the soft limit of %d MiB\n",
         (unsigned long long)stats.footprint_peak_bytes * 100 / SOFT_LIMIT, SOFT_LIMIT >> 20);
  puts("what was done:");
  print_actions(m.heap);
  puts("the end of the log:");
  print_log(m.heap);
  printf("the books balance: %s\n", tm_heap_check(m.heap) == 0 ? "yes" : "no");
  return tm_heap_close(m.heap);
}
