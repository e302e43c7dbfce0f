/* trace.c - see trace.h. */
#include "gc/trace.h"

#include <limits.h>
#include <string.h>

/* The high bit and the line ends show a file that went through a conversion of text. */
static const unsigned char magic[8] = {0x8a, 'T', 'M', 'T', 'R', '\r', '\n', 0x1a};

#define MOST ((uint64_t)1 << 62)
enum { POLICY_FIELDS = 11 };

/* ---- Head and blocks ------------------------------------------------------------------------- */

static void put_u32(unsigned char *out, uint32_t value)
{
  for (int i = 0; i < 4; i++)
    out[i] = (unsigned char)(value >> (8 * i));
}

static uint32_t get_u32(const unsigned char *in)
{
  return (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

/* CRC-32 as in IEEE 802.3 (reflected, polynomial 0xedb88320), four bits at a time. */
static uint32_t crc32_of(const unsigned char *bytes, size_t length)
{
  static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                     0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                     0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                     0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    crc = crc >> 4 ^ table[crc & 15];
    crc = crc >> 4 ^ table[crc & 15];
  }
  return ~crc;
}

void tm__trace_head(unsigned char out[TM__TRACE_HEAD_BYTES])
{
  memcpy(out, magic, sizeof magic);
  put_u32(out + sizeof magic, TM__TRACE_VERSION);
}

int tm__trace_head_check(const unsigned char *bytes, size_t length, uint32_t *version)
{
  if (length < TM__TRACE_HEAD_BYTES || memcmp(bytes, magic, sizeof magic) != 0)
    return TM_EINVAL;
  *version = get_u32(bytes + sizeof magic);
  return *version == TM__TRACE_VERSION ? TM_OK : TM_ENOTSUP;
}

void tm__trace_block_head(const unsigned char *payload, size_t length,
                          unsigned char out[TM__TRACE_BLOCK_HEAD_BYTES])
{
  put_u32(out, (uint32_t)length);
  put_u32(out + 4, crc32_of(payload, length));
}

int tm__trace_block(const unsigned char *bytes, size_t available, const unsigned char **payload,
                    size_t *length)
{
  if (available < TM__TRACE_BLOCK_HEAD_BYTES)
    return TM_EAGAIN;
  size_t n = get_u32(bytes);
  if (n == 0 || n > TM__TRACE_BLOCK_BYTES)
    return TM_ECORRUPT;
  if (available - TM__TRACE_BLOCK_HEAD_BYTES < n)
    return TM_EAGAIN;
  *payload = bytes + TM__TRACE_BLOCK_HEAD_BYTES;
  *length = n;
  return crc32_of(*payload, n) == get_u32(bytes + 4) ? TM_OK : TM_ECORRUPT;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static unsigned char *put(unsigned char *out, uint64_t value)
{
  for (; value >= 128; value >>= 7)
    *out++ = (unsigned char)(value | 128);
  *out++ = (unsigned char)value;
  return out;
}

static unsigned char *put_difference(unsigned char *out, uint64_t from, uint64_t to)
{
  uint64_t d = to - from; /* as a signed number, whatever wraps */
  return put(out, d << 1 ^ (0 - (d >> 63)));
}

/* A reader that has failed stays failed and reads zeros. */
typedef struct reader {
  const unsigned char *at, *end;
  bool bad;
} reader;

static uint64_t get(reader *r)
{
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
    unsigned char byte = *r->at++;
    value |= (uint64_t)(byte & 127) << shift;
    if (byte < 128 && (shift < 63 || byte < 2)) /* the tenth has one bit left */
      return value;
  }
  r->bad = true;
  r->at = r->end;
  return 0;
}

/* A number that has to be at most `most`. */
static uint64_t get_up_to(reader *r, uint64_t most)
{
  uint64_t value = get(r);
  r->bad |= value > most;
  return r->bad ? 0 : value;
}

static uint64_t get_difference(reader *r, uint64_t from)
{
  uint64_t folded = get(r), to = from + (folded >> 1 ^ (0 - (folded & 1)));
  r->bad |= to > MOST;
  return r->bad ? 0 : to;
}

/* ---- Levels ---------------------------------------------------------------------------------- */

static unsigned char *put_levels(unsigned char *out, tm__trace_levels *past,
                                 const tm__trace_levels *now)
{
  /* Threads that sample at the same time may look in another order than they are written in. */
  tm__trace_levels l = *now;
  if (l.allocated_bytes_total < past->allocated_bytes_total)
    l.allocated_bytes_total = past->allocated_bytes_total;
  out = put(out, l.allocated_bytes_total - past->allocated_bytes_total);
  out = put_difference(out, past->footprint_bytes, l.footprint_bytes);
  out = put_difference(out, past->committed_bytes, l.committed_bytes);
  out = put_difference(out, past->dirty_bytes, l.dirty_bytes);
  out = put_difference(out, past->fixable_bytes, l.fixable_bytes);
  out = put_difference(out, past->informed_bytes, l.informed_bytes);
  *past = l;
  return out;
}

static void get_levels(reader *r, tm__trace_levels *past, tm__trace_levels *out)
{
  uint64_t before = past->allocated_bytes_total;
  out->allocated_bytes_total = before + get_up_to(r, MOST - before);
  out->footprint_bytes = get_difference(r, past->footprint_bytes);
  out->committed_bytes = get_difference(r, past->committed_bytes);
  out->dirty_bytes = get_difference(r, past->dirty_bytes);
  out->fixable_bytes = get_difference(r, past->fixable_bytes);
  out->informed_bytes = get_difference(r, past->informed_bytes);
  *past = *out;
}

/* ---- Policies: their number of fields first, so that later ones can be added ----------------- */

static unsigned char *put_policy(unsigned char *out, const tm_policy *p)
{
  const uint64_t fields[POLICY_FIELDS] = {p->kinds,           p->fixed_bytes,
                                          p->growth_percent,  p->growth_floor_bytes,
                                          p->debt_bytes,      p->collector_share_percent,
                                          p->young_bytes,     p->min_interval_ms,
                                          p->cpu_cap_percent, (uint64_t)p->end,
                                          p->reserve_bytes};
  out = put(out, POLICY_FIELDS);
  for (size_t i = 0; i < POLICY_FIELDS; i++)
    out = put(out, fields[i]);
  return out;
}

static unsigned get_unsigned(reader *r)
{
  return (unsigned)get_up_to(r, UINT_MAX);
}

static void get_policy(reader *r, tm_policy *p)
{
  uint64_t fields = get_up_to(r, 64);
  if (fields < POLICY_FIELDS) {
    r->bad = true;
    return;
  }
  tm_policy_init(p);
  p->kinds = get_unsigned(r);
  p->fixed_bytes = get(r);
  p->growth_percent = get_unsigned(r);
  p->growth_floor_bytes = get(r);
  p->debt_bytes = get(r);
  p->collector_share_percent = get_unsigned(r);
  p->young_bytes = get(r);
  p->min_interval_ms = get(r);
  p->cpu_cap_percent = get_unsigned(r);
  p->end = (tm_end)get_up_to(r, TM_END_ASK);
  p->reserve_bytes = get(r);
  for (uint64_t i = POLICY_FIELDS; i < fields; i++)
    (void)get(r);
}

/* ---- Records --------------------------------------------------------------------------------- */

static unsigned char *put_start(unsigned char *out, const tm__trace_record *record)
{
  size_t length = strnlen(record->heap, sizeof record->heap - 1);
  out = put(out, record->wall_seconds);
  out = put(out, record->pid);
  out = put(out, length);
  memcpy(out, record->heap, length);
  return out + length;
}

static void get_start(reader *r, tm__trace_record *record)
{
  record->wall_seconds = get_up_to(r, MOST);
  record->pid = get_up_to(r, MOST);
  size_t length = get_up_to(r, sizeof record->heap - 1);
  if (r->bad || (size_t)(r->end - r->at) < length) {
    r->bad = true;
    return;
  }
  memcpy(record->heap, r->at, length);
  r->at += length;
}

static unsigned char *put_action(unsigned char *out, tm__trace_past *past,
                                 const tm__trace_record *record)
{
  const tm__trace_action *a = &record->action;
  out = put_levels(out, &past->levels, &record->levels);
  out = put(out, (uint64_t)a->kind);
  out = put(out, (uint64_t)a->result);
  out = put(out, a->reasons);
  out = put(out, a->duration_ns);
  out = put(out, a->live_bytes);
  out = put(out, a->returned_bytes);
  out = put_levels(out, &past->levels, &record->after);
  past->time_ns += a->duration_ns;
  return out;
}

static void get_action(reader *r, tm__trace_past *past, tm__trace_record *record)
{
  tm__trace_action *a = &record->action;
  get_levels(r, &past->levels, &record->levels);
  a->kind = (tm_hook_kind)get_up_to(r, TM_HOOK_KIND_COUNT - 1);
  a->result = (int)get_up_to(r, TM_HOOK_ERROR);
  a->reasons = get_unsigned(r);
  a->duration_ns = get_up_to(r, MOST - past->time_ns);
  a->live_bytes = get_up_to(r, MOST);
  a->returned_bytes = get_up_to(r, MOST);
  get_levels(r, &past->levels, &record->after);
  past->time_ns += a->duration_ns;
}

size_t tm__trace_write(const tm__trace_record *record, tm__trace_past *past, unsigned char *out)
{
  unsigned char *at = out;
  uint64_t time_ns = record->time_ns > past->time_ns ? record->time_ns : past->time_ns;
  *at++ = (unsigned char)record->kind;
  at = put(at, time_ns - past->time_ns);
  past->time_ns = time_ns;
  switch (record->kind) {
  case TM__TRACE_START:
    at = put_start(at, record);
    break;
  case TM__TRACE_LIMITS:
    at = put(put(at, record->soft_bytes), record->hard_bytes);
    break;
  case TM__TRACE_POLICY:
    at = put_policy(at, &record->policy);
    break;
  case TM__TRACE_HOOKS:
    at = put(at, record->hooks);
    break;
  case TM__TRACE_PRESSURE:
    at = put(at, (uint64_t)record->pressure);
    break;
  case TM__TRACE_SAMPLE:
    at = put_levels(at, &past->levels, &record->levels);
    at = put(at, record->request_bytes >> 10);
    break;
  case TM__TRACE_ACTION:
    at = put_action(at, past, record);
    break;
  case TM__TRACE_END:
  case TM__TRACE_KIND_END:
    break;
  }
  return (size_t)(at - out);
}

int tm__trace_read(const unsigned char **at, const unsigned char *end, tm__trace_past *past,
                   tm__trace_record *record)
{
  reader r = {*at, end, false};
  memset(record, 0, sizeof *record);
  uint64_t kind = get(&r);
  past->time_ns += get_up_to(&r, MOST - past->time_ns);
  record->kind = (tm__trace_kind)(kind < TM__TRACE_KIND_END ? kind : 0);
  record->time_ns = past->time_ns;
  switch (record->kind) {
  case TM__TRACE_START:
    get_start(&r, record);
    break;
  case TM__TRACE_LIMITS:
    record->soft_bytes = get_up_to(&r, MOST);
    record->hard_bytes = get_up_to(&r, MOST);
    r.bad |= record->hard_bytes && record->soft_bytes > record->hard_bytes;
    break;
  case TM__TRACE_POLICY:
    get_policy(&r, &record->policy);
    break;
  case TM__TRACE_HOOKS:
    record->hooks = (unsigned)get_up_to(&r, (1u << TM_HOOK_KIND_COUNT) - 1);
    break;
  case TM__TRACE_PRESSURE:
    record->pressure = (tm_pressure)get_up_to(&r, TM_PRESSURE_CRITICAL);
    break;
  case TM__TRACE_SAMPLE:
    get_levels(&r, &past->levels, &record->levels);
    record->request_bytes = get_up_to(&r, MOST >> 10) << 10;
    break;
  case TM__TRACE_ACTION:
    get_action(&r, past, record);
    break;
  case TM__TRACE_END:
    break;
  case TM__TRACE_KIND_END:
  default:
    r.bad = true;
  }
  *at = r.at;
  return r.bad ? TM_ECORRUPT : TM_OK;
}
