/*
 * sampler.h - which bytes are sampled, and what a sample stands for.
 *
 * Sample points lie on the line of all bytes that a shard ever allocates, `mean` apart on the
 * average and independent of each other (a Poisson process). A request is sampled iff one of its
 * bytes has a point, so a block of n bytes is sampled with probability 1 - exp(-n / mean), and each
 * sample stands for the inverse of that many blocks: then every sum is right on the average,
 * whatever the sizes are.
 */
#ifndef TM_PROFILE_SAMPLER_H
#define TM_PROFILE_SAMPLER_H

#include "base/hints.h"

/* Bytes to the next point; advances the seed. Never 0. */
TM_HIDDEN uint64_t tm__sampler_gap(uint64_t *seed, uint64_t mean_bytes);

/* How many blocks one sample of so many bytes stands for; 1 at least. */
TM_HIDDEN double tm__sampler_weight(uint64_t bytes, uint64_t mean_bytes);

#endif
