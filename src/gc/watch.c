/* watch.c - see watch.h. */
#include "gc/watch.h"

#include "gc/ladder.h"
#include "gc/policy.h"

/* Lock held. */
static int tell(tm__engine *engine, const tm__watch_event *event)
{
  tm__watch_fn fn = atomic_load_explicit(&engine->watch.fn, memory_order_relaxed);
  return fn ? fn(engine->watch.ctx, event) : TM_EINVAL;
}

int tm__watch_start(tm__engine *engine, tm__watch_fn fn, void *ctx)
{
  tm_inputs in;
  tm__engine_look(engine, &in);
  tm__lock_acquire(&engine->lock);
  bool busy = tm__watch_on(&engine->watch);
  if (!busy) {
    engine->watch.ctx = ctx;
    tm__counter_set(&engine->watch.next_ns, 0);
    atomic_store(&engine->watch.fn, fn);
    tm__watch_change(engine, &in, -1);
  }
  tm__lock_release(&engine->lock);
  return busy ? TM_EBUSY : TM_OK;
}

int tm__watch_stop(tm__engine *engine)
{
  tm_inputs in;
  if (!tm__watch_on(&engine->watch))
    return TM_EINVAL;
  tm__engine_look(engine, &in);
  tm__lock_acquire(&engine->lock);
  int result = tell(engine, &(tm__watch_event){.kind = TM__WATCH_END, .in = &in});
  atomic_store(&engine->watch.fn, NULL);
  tm__lock_release(&engine->lock);
  return result;
}

static bool due(const tm__engine *engine, uint64_t bound)
{
  const tm__watch *watch = &engine->watch;
  return bound < tm__counter_read(&watch->low_bytes) ||
         bound > tm__counter_read(&watch->high_bytes) ||
         engine->port.now_ns(engine->port.ctx) >= tm__counter_read(&watch->next_ns);
}

void tm__watch_sample(tm__engine *engine, uint64_t bytes, uint64_t bound_bytes)
{
  if (!due(engine, bound_bytes))
    return;
  tm_inputs in;
  tm__engine_look(engine, &in);
  in.footprint_bytes = tm__add(in.footprint_bytes, bytes);
  in.allocated_bytes_total = tm__add(in.allocated_bytes_total, bytes);
  tm__lock_acquire(&engine->lock);
  (void)tell(engine, &(tm__watch_event){.kind = TM__WATCH_SAMPLE,
                                        .in = &in,
                                        .request_bytes = bytes,
                                        .bound_bytes = bound_bytes});
  tm__lock_release(&engine->lock);
}

void tm__watch_action(tm__engine *engine, const tm__action *action)
{
  (void)tell(engine, &(tm__watch_event){.kind = TM__WATCH_ACTION, .action = action});
}

void tm__watch_change(tm__engine *engine, const tm_inputs *in, int pressure)
{
  (void)tell(engine, &(tm__watch_event){.kind = TM__WATCH_CHANGE,
                                        .in = in,
                                        .policy = &engine->state.policy,
                                        .pressure = pressure});
}

void tm__watch_forked(tm__engine *engine)
{
  tm__lock_acquire(&engine->lock);
  (void)tell(engine, &(tm__watch_event){.kind = TM__WATCH_FORKED});
  atomic_store(&engine->watch.fn, NULL);
  tm__lock_release(&engine->lock);
}
