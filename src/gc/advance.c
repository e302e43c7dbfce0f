/* advance.c - what time and bytes alone change in the state: rates, bucket, pressure, edges. */
#include "gc/policy.h"

static void advance_rate(tm_policy_state *state, const tm_inputs *in, uint64_t now_ns)
{
  if (now_ns < state->rate_mark_ns + TM__MILLISECOND)
    return;
  double passed = (double)(now_ns - state->rate_mark_ns), weight = passed + TM__RATE_WINDOW_NS;
  double rate = (double)tm__less(in->allocated_bytes_total, state->rate_mark_bytes) * 1e9 / passed;
  weight = state->alloc_rate > 0 ? passed / weight : 1.0; /* however often somebody looks */
  state->alloc_rate += weight * (rate - state->alloc_rate);
  state->rate_mark_ns = now_ns;
  state->rate_mark_bytes = in->allocated_bytes_total;
}

static void advance_pressure(tm_policy_state *state, tm_pressure event, uint64_t now_ns)
{
  while (state->pressure > TM_PRESSURE_NONE &&
         now_ns - state->pressure_mark_ns >= TM__PRESSURE_STEP_NS) {
    state->pressure = (tm_pressure)(state->pressure - 1);
    state->pressure_mark_ns += TM__PRESSURE_STEP_NS;
  }
  if (event == TM_PRESSURE_NONE || (unsigned)event > TM_PRESSURE_CRITICAL)
    return;
  state->pressure = event;
  state->pressure_mark_ns = state->pressure_event_ns = now_ns;
}

static void advance_peaks(tm_policy_state *state, uint64_t footprint, uint64_t now_ns)
{
  if (now_ns - state->peak_mark_ns >= TM__DEMAND_NS) {
    bool recent = now_ns - state->peak_mark_ns < 2 * TM__DEMAND_NS;
    state->peak_bytes[1] = recent ? state->peak_bytes[0] : footprint;
    state->peak_bytes[0] = footprint;
    state->peak_mark_ns = now_ns;
  }
  state->peak_bytes[0] = tm__max(state->peak_bytes[0], footprint);
}

/* An edge where no rung helped is forgotten when U fell well below it, or the hooks changed. */
static void advance_edges(tm_policy_state *state, const tm_inputs *in)
{
  uint64_t u = in->footprint_bytes;
  for (size_t i = 0; i < TM__EDGE_COUNT; i++) {
    uint64_t slack = tm__max(state->edge_bytes[i] / 20, TM__MIB);
    if (in->hooks != state->hooks || tm__add(u, 2 * slack) < state->edge_bytes[i])
      state->edge_bytes[i] = 0;
  }
}

uint64_t tm__state_advance(tm_policy_state *state, const tm_inputs *in)
{
  uint64_t now_ns = tm__max(in->now_ns, state->last_now_ns);
  uint64_t u = in->footprint_bytes;
  state->last_now_ns = now_ns;
  advance_rate(state, in, now_ns);
  advance_pressure(state, in->pressure, now_ns);
  advance_peaks(state, u, now_ns);
  tm__bucket_drain(state, now_ns);
  if (!in->emergency && !in->need_bytes) { /* else its hooks are what is left of a round */
    advance_edges(state, in);
    state->hooks = in->hooks;
  }
  state->base_bytes = tm__min(state->base_bytes, u);
  bool fell = u < state->failed_bytes - state->failed_bytes / 20;
  bool raised = in->hard_limit_bytes != state->hard_limit_bytes;
  if (state->failed_ns && (fell || raised || now_ns - state->failed_ns >= TM__FAILED_NS)) {
    state->failed_ns = 0;
    state->strikes = 0;
  }
  state->soft_limit_bytes = in->soft_limit_bytes;
  state->hard_limit_bytes = in->hard_limit_bytes;
  return now_ns;
}
