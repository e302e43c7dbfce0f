/*
 * tables.h - what a profile remembers: sites, live samples, and a host's functions.
 *
 *   site    a stack, and the pool and heap that the block is of: what was ever allocated there
 *   sample  one live sampled block: its address, its site. It goes when the block does
 *
 * All in one mapping of fixed size, touched as it fills: a profile needs no memory of the heap that
 * it looks at. What finds no room is counted, not kept. The caller holds tm__tables.lock for
 * everything here.
 */
#ifndef TM_PROFILE_TABLES_H
#define TM_PROFILE_TABLES_H

#include "base/atomics.h"
#include "base/os.h"
#include "profile/stack.h"

enum {
  TM__SITES = 16384,
  TM__SITE_FRAMES = 1 << 19, /* of all sites */
  TM__SAMPLES = 1 << 18,     /* 128 GiB live at the usual mean */
  TM__OWNERS = 1024,
  TM__FUNCTIONS = 16384,
  TM__TEXT_BYTES = 1 << 20, /* names of functions and their files */
  TM__BUCKETS = 1 << 14,    /* of each table */
};

/* Whose block: names, because a pool may be gone when the profile is written. */
typedef struct tm__owner {
  char heap[32], pool[32];
} tm__owner;

typedef struct tm__site {
  uint32_t next; /* of its bucket, plus 1 */
  uint32_t hash;
  uint32_t first, depth; /* in frames */
  uint32_t owner;
  double blocks, bytes; /* estimates of all that was ever allocated here */
} tm__site;

typedef struct tm__sample {
  const void *address;
  uint64_t bytes;   /* what the block is charged with now */
  uint64_t charged; /* all that it was charged with since it was made: what could be sampled */
  uint32_t site;    /* plus 1; 0: of a profile that was started anew since */
  uint32_t next;    /* of its bucket, or of the free ones, plus 1 */
} tm__sample;

/* Offsets in text, which holds names that end with NUL. */
typedef struct tm__function {
  uint32_t next, hash;
  uint32_t name, file;
} tm__function;

typedef struct tm__table_rooms {
  tm__site sites[TM__SITES];
  tm__frame frames[TM__SITE_FRAMES];
  tm__sample samples[TM__SAMPLES];
  tm__owner owners[TM__OWNERS];
  tm__function functions[TM__FUNCTIONS];
  char text[TM__TEXT_BYTES];
  uint32_t site_buckets[TM__BUCKETS], sample_buckets[TM__BUCKETS], function_buckets[TM__BUCKETS];
} tm__table_rooms;

typedef struct tm__table_set {
  tm__lock reading; /* taken first, by who reads for long: no profile starts meanwhile */
  tm__lock lock;
  tm__table_rooms *rooms; /* NULL until a profile was started; then for ever */
  uint64_t mean_bytes;
  _Atomic(uint64_t) number; /* of profiles so far */
  uint32_t site_count, frame_count, owner_count, function_count, text_length;
  uint32_t sample_count; /* ever used at a time */
  uint32_t sample_free;  /* first of those that are free again, plus 1 */
  uint32_t live;         /* samples of this profile that are not freed */
  uint64_t taken;        /* samples since the start */
  uint64_t dropped;      /* of them: found no room */
  uint64_t cut;          /* of them: with a stack deeper than is kept */
  bool running;          /* samples are taken */
} tm__table_set;

TM_HIDDEN extern tm__table_set tm__tables;

/* An empty profile; live blocks of the one before are known, but no more told of. 0, or
 * TM_ENOMEM. */
TM_HIDDEN int tm__tables_start(uint64_t mean_bytes);

/* A block is going to be sampled. false iff there is no room: then it is not. */
TM_HIDDEN bool tm__tables_enter(const void *address);
/* What is known of it, once its stack was taken. Without room for that, the block stays known, but
 * is not told of. */
TM_HIDDEN void tm__tables_describe(const tm__sample *sample, const tm__owner *owner,
                                   const tm__stack *stack);
/* The sample of a live block, or NULL. */
TM_HIDDEN tm__sample *tm__tables_find(const void *address);
/* It is freed. false iff it was not known. */
TM_HIDDEN bool tm__tables_remove(const void *address);
/* The same for all blocks that fn says yes to. */
typedef bool (*tm__address_fn)(void *ctx, const void *address);
TM_HIDDEN void tm__tables_remove_if(tm__address_fn fn, void *ctx);

/* The number of this profile: what a host remembers of functions is of one profile only. */
TM_HIDDEN uint64_t tm__tables_number(void);
/* The number of a host's function; made if it is new. -1 iff there is no room. Takes the lock. */
TM_HIDDEN int64_t tm__tables_function(const char *name, const char *file);

#endif
