/* decay.c - see decay.h. */
#include "heap/decay.h"

void tm__decay_init(tm__decay *decay, uint64_t window_ns)
{
  *decay = (tm__decay){.window_ns = window_ns};
}

/* 65536 * (1 - smoothstep(age / EPOCHS)). */
static uint64_t weight(uint64_t age)
{
  uint64_t n = TM_DECAY_EPOCHS;
  if (age >= n)
    return 0;
  uint64_t left = n - age; /* smoothstep is symmetric: 1 - s(x) = s(1 - x) */
  return 65536 * left * left * (3 * n - 2 * left) / (n * n * n);
}

uint64_t tm__decay_limit(tm__decay *decay, uint64_t now_ns, uint64_t dirty_bytes)
{
  uint64_t epoch_ns = decay->window_ns / TM_DECAY_EPOCHS;
  uint64_t epoch = epoch_ns ? now_ns / epoch_ns : decay->epoch;
  uint64_t passed = epoch > decay->epoch ? epoch - decay->epoch : 0;
  for (uint64_t i = 1; i <= passed && i <= TM_DECAY_EPOCHS; i++)
    decay->added[(decay->epoch + i) % TM_DECAY_EPOCHS] = 0;
  decay->epoch = epoch > decay->epoch ? epoch : decay->epoch;
  if (dirty_bytes > decay->dirty_bytes)
    decay->added[decay->epoch % TM_DECAY_EPOCHS] += dirty_bytes - decay->dirty_bytes;
  decay->dirty_bytes = dirty_bytes;

  uint64_t limit = 0;
  for (uint64_t age = 0; age < TM_DECAY_EPOCHS; age++) {
    if (age > decay->epoch)
      break;
    uint64_t added = decay->added[(decay->epoch - age) % TM_DECAY_EPOCHS];
    limit += (added >> 16) * weight(age) + (((added & 65535) * weight(age)) >> 16);
  }
  return limit;
}
