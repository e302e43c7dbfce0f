/* tables.c - see tables.h. */
#include "profile/tables.h"

#include <string.h>
#include <tidemark/version.h>

#include "profile/sampler.h"

tm__table_set tm__tables = {.reading = TM__LOCK_INIT, .lock = TM__LOCK_INIT};

static uint64_t mix(uint64_t hash, uint64_t value)
{
  hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}

static uint32_t *bucket(uint32_t *buckets, uint64_t hash)
{
  return &buckets[hash & (TM__BUCKETS - 1)];
}

/* ---- Starting ------------------------------------------------------------------------------- */

int tm__tables_start(uint64_t mean_bytes)
{
  tm__table_set *t = &tm__tables;
  if (!t->rooms) {
    t->rooms = tm__os_map((sizeof *t->rooms + TM_OS_PAGE - 1) & ~(size_t)(TM_OS_PAGE - 1));
    if (!t->rooms)
      return TM_ENOMEM;
  }
  memset(t->rooms->site_buckets, 0, sizeof t->rooms->site_buckets);
  memset(t->rooms->function_buckets, 0, sizeof t->rooms->function_buckets);
  for (uint32_t i = 0; i < t->sample_count; i++)
    t->rooms->samples[i].site = 0;
  t->mean_bytes = mean_bytes;
  atomic_fetch_add(&t->number, 1);
  t->site_count = t->frame_count = t->owner_count = t->function_count = t->text_length = 0;
  t->live = 0;
  t->taken = t->dropped = t->cut = 0;
  t->running = true;
  return 0;
}

/* ---- Sites ---------------------------------------------------------------------------------- */

/* The last one takes all that are too many. */
static uint32_t owner_index(const tm__owner *owner)
{
  tm__table_set *t = &tm__tables;
  for (uint32_t i = 0; i < t->owner_count; i++)
    if (strcmp(t->rooms->owners[i].heap, owner->heap) == 0 &&
        strcmp(t->rooms->owners[i].pool, owner->pool) == 0)
      return i;
  if (t->owner_count == TM__OWNERS)
    return TM__OWNERS - 1;
  t->rooms->owners[t->owner_count] = *owner;
  if (t->owner_count == TM__OWNERS - 1)
    t->rooms->owners[t->owner_count] = (tm__owner){.heap = "other", .pool = "other"};
  return t->owner_count++;
}

static uint64_t hash_of(const tm__stack *stack, uint32_t owner)
{
  uint64_t hash = mix(owner, stack->depth);
  for (uint32_t i = 0; i < stack->depth; i++)
    hash = mix(hash, stack->frames[i]);
  return hash ^ (hash >> 32);
}

/* The site, plus 1; 0 iff there is no room for a new one. */
static uint32_t site_of(const tm__stack *stack, uint32_t owner)
{
  tm__table_set *t = &tm__tables;
  uint64_t hash = hash_of(stack, owner);
  uint32_t *head = bucket(t->rooms->site_buckets, hash);
  for (uint32_t at = *head; at; at = t->rooms->sites[at - 1].next) {
    const tm__site *site = &t->rooms->sites[at - 1];
    if (site->hash == (uint32_t)hash && site->owner == owner && site->depth == stack->depth &&
        memcmp(&t->rooms->frames[site->first], stack->frames,
               stack->depth * sizeof *stack->frames) == 0)
      return at;
  }
  if (t->site_count == TM__SITES || t->frame_count + stack->depth > TM__SITE_FRAMES)
    return 0;
  t->rooms->sites[t->site_count] = (tm__site){.next = *head,
                                              .hash = (uint32_t)hash,
                                              .first = t->frame_count,
                                              .depth = stack->depth,
                                              .owner = owner};
  memcpy(&t->rooms->frames[t->frame_count], stack->frames, stack->depth * sizeof *stack->frames);
  t->frame_count += stack->depth;
  *head = ++t->site_count;
  return *head;
}

/* ---- Samples -------------------------------------------------------------------------------- */

static uint32_t *bucket_of(const void *address)
{
  return bucket(tm__tables.rooms->sample_buckets, mix(0, (uintptr_t)address));
}

bool tm__tables_enter(const void *address)
{
  tm__table_set *t = &tm__tables;
  if (!t->sample_free && t->sample_count == TM__SAMPLES) {
    t->taken++;
    t->dropped++;
    return false;
  }
  uint32_t index = t->sample_free ? t->sample_free - 1 : t->sample_count++;
  tm__sample *made = &t->rooms->samples[index];
  if (t->sample_free)
    t->sample_free = made->next;
  uint32_t *head = bucket_of(address);
  *made = (tm__sample){.address = address, .next = *head};
  *head = index + 1;
  return true;
}

void tm__tables_describe(const tm__sample *sample, const tm__owner *owner, const tm__stack *stack)
{
  tm__table_set *t = &tm__tables;
  tm__sample *made = tm__tables_find(sample->address);
  if (!made)
    return; /* it was not added: there is nothing to tell of */
  uint32_t site = site_of(stack, owner_index(owner));
  t->taken++;
  t->cut += stack->cut;
  made->bytes = sample->bytes;
  made->charged = sample->charged;
  made->site = site;
  if (!site) {
    t->dropped++;
    return;
  }
  double weight = tm__sampler_weight(sample->charged, t->mean_bytes);
  t->rooms->sites[site - 1].blocks += weight;
  t->rooms->sites[site - 1].bytes += weight * (double)sample->bytes;
  t->live++;
}

tm__sample *tm__tables_find(const void *address)
{
  if (!tm__tables.rooms)
    return NULL;
  tm__sample *samples = tm__tables.rooms->samples;
  uint32_t at = *bucket_of(address);
  while (at && samples[at - 1].address != address)
    at = samples[at - 1].next;
  return at ? &samples[at - 1] : NULL;
}

bool tm__tables_remove(const void *address)
{
  tm__table_set *t = &tm__tables;
  if (!t->rooms)
    return false;
  uint32_t *link = bucket_of(address);
  while (*link && t->rooms->samples[*link - 1].address != address)
    link = &t->rooms->samples[*link - 1].next;
  if (!*link)
    return false;
  uint32_t index = *link - 1;
  tm__sample *sample = &t->rooms->samples[index];
  *link = sample->next;
  t->live -= sample->site != 0;
  *sample = (tm__sample){.next = t->sample_free};
  t->sample_free = index + 1;
  return true;
}

void tm__tables_remove_if(tm__address_fn fn, void *ctx)
{
  for (uint32_t i = 0; i < tm__tables.sample_count; i++) {
    const void *address = tm__tables.rooms->samples[i].address;
    if (address && fn(ctx, address))
      (void)tm__tables_remove(address);
  }
}

/* ---- A host's functions --------------------------------------------------------------------- */

static uint64_t hash_text(uint64_t hash, const char *text)
{
  for (; *text; text++)
    hash = mix(hash, (unsigned char)*text);
  return mix(hash, 0);
}

static int64_t function_index(const char *name, const char *file)
{
  tm__table_set *t = &tm__tables;
  uint64_t hash = hash_text(hash_text(1, name), file);
  hash ^= hash >> 32;
  uint32_t *head = bucket(t->rooms->function_buckets, hash);
  for (uint32_t at = *head; at; at = t->rooms->functions[at - 1].next) {
    const tm__function *f = &t->rooms->functions[at - 1];
    if (f->hash == (uint32_t)hash && strcmp(t->rooms->text + f->name, name) == 0 &&
        strcmp(t->rooms->text + f->file, file) == 0)
      return at - 1;
  }
  size_t name_bytes = strlen(name) + 1, file_bytes = strlen(file) + 1;
  if (t->function_count == TM__FUNCTIONS ||
      name_bytes + file_bytes > TM__TEXT_BYTES - t->text_length)
    return -1;
  tm__function *made = &t->rooms->functions[t->function_count];
  *made = (tm__function){.next = *head,
                         .hash = (uint32_t)hash,
                         .name = t->text_length,
                         .file = t->text_length + (uint32_t)name_bytes};
  memcpy(t->rooms->text + made->name, name, name_bytes);
  memcpy(t->rooms->text + made->file, file, file_bytes);
  t->text_length += (uint32_t)(name_bytes + file_bytes);
  *head = ++t->function_count;
  return *head - 1;
}

uint64_t tm__tables_number(void)
{
  return atomic_load(&tm__tables.number);
}

int64_t tm__tables_function(const char *name, const char *file)
{
  tm__lock_acquire(&tm__tables.lock);
  int64_t index = tm__tables.rooms ? function_index(name, file) : -1;
  tm__lock_release(&tm__tables.lock);
  return index;
}
