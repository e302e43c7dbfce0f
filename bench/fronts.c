/*
 * fronts.c - a simulated heap under the real tm_decide: how much memory, how much collector time?
 *
 * Stands for: programs with one tracing collector, of different size, allocation rate and collector
 * speed. Nothing is measured, all numbers are the model's: the host allocates at its rate, the
 * collector takes time in proportion to what lives, the clock moves by both. What is not live stays
 * until a collection. Prints the footprint's mean over time and its peak, the collector's time, the
 * whole time, and the number of collections.
 */
#include "bench.h"

#include <inttypes.h>
#include <tidemark/tidemark.h>

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define SECOND 1e9

/* A host. Rates are MiB per second of its own time, of which it has `seconds`. */
typedef struct host {
  double seconds;
  double live_mib, more_live_mib; /* lives from live to live + more, */
  double period_s;                /* up and down (0: it stays; at `seconds` / 2: it is built) */
  double rate, other_rate;        /* allocates at one of them, then at the other, */
  double switch_s;                /* each that long (0: always the first), */
  bool once;                      /* or the second for good */
  double speed;                   /* the collector's, of live bytes */
} host;

static const char host_names[] = "archive,service,cruncher,script,phases,waves,building,startup";
static const host hosts[] = {
    {.seconds = 3600, .live_mib = 1024, .rate = 2, .speed = 500},
    {.seconds = 120, .live_mib = 200, .rate = 50, .speed = 1000},
    {.seconds = 30, .live_mib = 8, .rate = 400, .speed = 1000},
    {.seconds = 120, .live_mib = 40, .rate = 30, .speed = 300},
    {.seconds = 200, .live_mib = 100, .rate = 1, .other_rate = 200, .switch_s = 10, .speed = 800},
    {.seconds = 240,
     .live_mib = 50,
     .more_live_mib = 250,
     .period_s = 60,
     .rate = 60,
     .speed = 800},
    {.seconds = 120,
     .live_mib = 10,
     .more_live_mib = 990,
     .period_s = 120,
     .rate = 40,
     .speed = 800},
    {.seconds = 300,
     .live_mib = 300,
     .rate = 400,
     .other_rate = 2,
     .switch_s = 3,
     .once = true,
     .speed = 800},
};

static const char policy_names[] = "fixed,growth,debt,sqrt,share";
enum { BY_FIXED, BY_GROWTH, BY_DEBT, BY_SQRT, BY_SHARE };

typedef struct run {
  const host *host;
  tm_policy_state state;
  double now_ns, host_ns;
  double live, footprint, allocated; /* bytes; whole numbers below 2^53 */
  double next_due_ns, wake_bytes;
  double area, peak, collector_ns; /* area: footprint times time */
  uint64_t collections;
} run;

static tm_policy policy_of(uint64_t kind, uint64_t knob)
{
  static const unsigned bits[] = {TM_POLICY_FIXED, TM_POLICY_GROWTH, TM_POLICY_DEBT, TM_POLICY_SQRT,
                                  TM_POLICY_SQRT};
  tm_policy policy;
  tm_policy_init(&policy);
  policy.kinds = bits[kind];
  switch (kind) {
  case BY_FIXED:
    policy.fixed_bytes = knob * MIB;
    break;
  case BY_GROWTH:
    policy.growth_percent = (unsigned)knob;
    break;
  case BY_DEBT:
    policy.debt_bytes = knob * MIB;
    break;
  case BY_SQRT:
    policy.collector_share_percent = (unsigned)knob;
    break;
  default:
    policy.target_share_percent = (unsigned)knob;
    break;
  }
  return policy;
}

/* What lives when the host has worked for `s` seconds: a triangle. */
static double live_at(const host *h, double s)
{
  double more = 0;
  if (h->period_s > 0) {
    double part = s / h->period_s - (double)(uint64_t)(s / h->period_s);
    more = (part < 0.5 ? part : 1 - part) * 2 * h->more_live_mib;
  }
  return (double)(uint64_t)((h->live_mib + more) * (double)MIB);
}

static double rate_at(const host *h, double s)
{
  uint64_t turn = h->switch_s > 0 ? (uint64_t)(s / h->switch_s) : 0;
  bool other = h->once ? turn > 0 : turn % 2 == 1;
  return (other ? h->other_rate : h->rate) * (double)MIB;
}

static void pass(run *r, double ns)
{
  r->area += r->footprint * ns;
  r->now_ns += ns;
}

static void collect(run *r)
{
  double ns = 1e5 + r->live * 1e9 / (r->host->speed * (double)MIB);
  tm_outcome outcome = {.kind = TM_COLLECT,
                        .result = TM_HOOK_DONE,
                        .start_ns = (uint64_t)r->now_ns,
                        .footprint_before_bytes = (uint64_t)r->footprint,
                        .allocated_bytes_total = (uint64_t)r->allocated};
  pass(r, ns);
  r->footprint = r->live;
  r->collector_ns += ns;
  r->collections++;
  outcome.end_ns = (uint64_t)r->now_ns;
  outcome.footprint_after_bytes = (uint64_t)r->footprint;
  tm_decide_outcome(&r->state, &outcome);
}

/* As tm_poll: until nothing is due, or what is due is held back. */
static void poll(run *r)
{
  tm_decision decision;
  for (;;) {
    tm_inputs inputs = {.size = sizeof inputs,
                        .now_ns = (uint64_t)r->now_ns,
                        .footprint_bytes = (uint64_t)r->footprint,
                        .allocated_bytes_total = (uint64_t)r->allocated,
                        .committed_bytes = (uint64_t)r->footprint,
                        .hooks = 1u << TM_COLLECT};
    tm_decide(&inputs, &r->state, &decision);
    if (decision.verdict != TM_FIRED) {
      break;
    }
    collect(r);
  }
  r->next_due_ns = (double)decision.next_due_ns;
  r->wake_bytes = (double)decision.wake_bytes;
}

static void work(run *r)
{
  const host *h = r->host;
  double quantum = 64.0 * (double)KIB;
  while (r->host_ns < h->seconds * SECOND) {
    double seconds = r->host_ns / SECOND, ns = quantum / rate_at(h, seconds) * SECOND;
    pass(r, ns);
    r->host_ns += ns;
    double live = live_at(h, r->host_ns / SECOND);
    r->allocated += quantum;
    r->footprint += quantum;
    r->live = live < r->footprint ? live : r->footprint;
    r->peak = r->footprint > r->peak ? r->footprint : r->peak;
    bool crossed = r->footprint >= (double)r->state.look_bytes;
    bool held = r->next_due_ns > 0;
    if (held ? r->now_ns >= r->next_due_ns || r->footprint >= r->wake_bytes : crossed) {
      poll(r);
    }
  }
}

int main(int argc, char **argv)
{
  bench_option options[] = {{"host", 0, 0, sizeof hosts / sizeof *hosts - 1, host_names},
                            {"policy", BY_GROWTH, BY_FIXED, BY_SHARE, policy_names},
                            {"knob", 100, 1, UINT32_MAX, NULL}};
  bench_begin(argc, argv, options, 3);
  tm_policy policy = policy_of(options[1].value, options[2].value);
  run r = {.host = &hosts[options[0].value], .now_ns = SECOND};
  tm_policy_state_init(&r.state, &policy, (uint64_t)r.now_ns);
  if (r.state.policy.kinds != policy.kinds) {
    bench_die(BENCH_EXIT_USAGE, "the policy does not take this knob");
  }
  r.live = r.host->once ? 0 : live_at(r.host, 0); /* it starts, or was there before */
  r.footprint = r.allocated = r.live;
  poll(&r);
  work(&r);
  double elapsed = r.now_ns - SECOND;
  (void)printf("mean_mib=%.3f peak_mib=%.3f collector_s=%.4f elapsed_s=%.3f collections=%" PRIu64
               "\n",
               r.area / elapsed / (double)MIB, r.peak / (double)MIB, r.collector_ns / SECOND,
               elapsed / SECOND, r.collections);
  return EXIT_SUCCESS;
}
