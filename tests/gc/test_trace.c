/* A recording's bytes: what was written is read, and nothing else is believed. */
#include "gc/trace.h"

#include "support/check.h"
#include "support/random.h"

enum { RECORDS = 400, MUTATIONS = 20000 };

static unsigned char bytes[RECORDS * TM__TRACE_RECORD_BYTES];
static tm__trace_record written[RECORDS];

static tm__trace_levels some_levels(test_random *random, uint64_t allocated)
{
  return (tm__trace_levels){.footprint_bytes = random_below(random, 1 << 30),
                            .allocated_bytes_total = allocated,
                            .committed_bytes = random_below(random, 1 << 30),
                            .dirty_bytes = random_below(random, 1 << 20),
                            .fixable_bytes = random_below(random, 3),
                            .informed_bytes = random_below(random, 3) << 61};
}

static void some_state(test_random *random, tm__trace_record *r)
{
  tm_policy_init(&r->policy);
  r->policy.growth_percent = (unsigned)random_below(random, 1000);
  r->policy.reserve_bytes = random_next(random);
  r->policy.end = (tm_end)random_below(random, TM_END_ASK + 1);
  r->soft_bytes = random_below(random, 1000);
  r->hard_bytes = 1000;
  r->hooks = (unsigned)random_below(random, 1u << TM_HOOK_KIND_COUNT);
  r->pressure = (tm_pressure)random_below(random, TM_PRESSURE_CRITICAL + 1);
}

static void some_action(test_random *random, tm__trace_record *r)
{
  r->action = (tm__trace_action){.kind = (tm_hook_kind)random_below(random, TM_HOOK_KIND_COUNT),
                                 .result = (int)random_below(random, TM_HOOK_ERROR + 1),
                                 .reasons = (unsigned)random_below(random, 4096),
                                 .duration_ns = random_below(random, 1 << 30),
                                 .live_bytes = random_below(random, 1 << 30),
                                 .returned_bytes = random_below(random, 2)};
}

/* START, whatever comes, END; time and allocation never fall. */
static size_t write_some(uint64_t seed)
{
  test_random random = {seed};
  tm__trace_past past = {0};
  uint64_t time_ns = 0, allocated = 0;
  size_t length = 0;
  memset(written, 0, sizeof written);
  for (size_t i = 0; i < RECORDS; i++) {
    tm__trace_record *r = &written[i];
    r->kind = i == 0             ? TM__TRACE_START
              : i == RECORDS - 1 ? TM__TRACE_END
                                 : TM__TRACE_LIMITS + (tm__trace_kind)random_below(&random, 6);
    r->time_ns = time_ns += random_below(&random, 1 << 20);
    r->wall_seconds = 1800000000;
    r->pid = 4242;
    memcpy(r->heap, "default", 8);
    r->request_bytes = random_below(&random, 1 << 20) << 10;
    r->levels = some_levels(&random, allocated += random_below(&random, 1 << 20));
    some_state(&random, r);
    some_action(&random, r);
    if (r->kind == TM__TRACE_ACTION) {
      r->after = some_levels(&random, allocated += random_below(&random, 9));
      time_ns += r->action.duration_ns;
    }
    size_t n = tm__trace_write(r, &past, bytes + length);
    assert_in_range(n, 2, TM__TRACE_RECORD_BYTES);
    length += n;
  }
  return length;
}

static bool carries_levels(const tm__trace_record *r)
{
  return r->kind == TM__TRACE_SAMPLE || r->kind == TM__TRACE_ACTION;
}

static void same(const tm__trace_record *a, const tm__trace_record *b)
{
  assert_int_equal(a->kind, b->kind);
  assert_int_equal(a->time_ns, b->time_ns);
  if (carries_levels(b))
    assert_memory_equal(&a->levels, &b->levels, sizeof a->levels);
  if (b->kind == TM__TRACE_SAMPLE)
    assert_int_equal(a->request_bytes, b->request_bytes);
  if (b->kind == TM__TRACE_ACTION) {
    assert_memory_equal(&a->after, &b->after, sizeof a->after);
    assert_memory_equal(&a->action, &b->action, sizeof a->action);
  }
  if (b->kind == TM__TRACE_START) {
    assert_string_equal(a->heap, b->heap);
    assert_int_equal(a->pid, b->pid);
    assert_int_equal(a->wall_seconds, b->wall_seconds);
  }
  if (b->kind == TM__TRACE_POLICY)
    assert_memory_equal(&a->policy, &b->policy, sizeof a->policy);
  if (b->kind == TM__TRACE_LIMITS)
    assert_true(a->soft_bytes == b->soft_bytes && a->hard_bytes == b->hard_bytes);
  if (b->kind == TM__TRACE_HOOKS)
    assert_int_equal(a->hooks, b->hooks);
  if (b->kind == TM__TRACE_PRESSURE)
    assert_int_equal(a->pressure, b->pressure);
}

static void what_is_written_is_read(void **unused)
{
  (void)unused;
  for (uint64_t seed = 1; seed <= 50; seed++) {
    size_t length = write_some(seed);
    const unsigned char *at = bytes, *end = bytes + length;
    tm__trace_past past = {0};
    for (size_t i = 0; i < RECORDS; i++) {
      tm__trace_record read;
      assert_int_equal(tm__trace_read(&at, end, &past, &read), 0);
      same(&read, &written[i]);
    }
    assert_ptr_equal(at, end);
  }
}

static void a_quiet_sample_is_short(void **unused)
{
  (void)unused;
  tm__trace_past past = {0};
  tm__trace_record r = {.kind = TM__TRACE_SAMPLE, .time_ns = 5, .levels = {.footprint_bytes = 9}};
  (void)tm__trace_write(&r, &past, bytes);
  r.time_ns += 100;
  assert_int_equal(tm__trace_write(&r, &past, bytes), 9);
}

/* Threads look in one order and write in another: the file stays readable. */
static void what_runs_back_is_held(void **unused)
{
  (void)unused;
  tm__trace_past past = {0}, again = {0};
  tm__trace_record r = {
      .kind = TM__TRACE_SAMPLE, .time_ns = 100, .levels = {.allocated_bytes_total = 1000}};
  size_t n = tm__trace_write(&r, &past, bytes);
  r.time_ns = 50;
  r.levels.allocated_bytes_total = 400;
  n += tm__trace_write(&r, &past, bytes + n);
  const unsigned char *at = bytes;
  assert_int_equal(tm__trace_read(&at, bytes + n, &again, &r), 0);
  assert_int_equal(tm__trace_read(&at, bytes + n, &again, &r), 0);
  assert_int_equal(r.time_ns, 100);
  assert_int_equal(r.levels.allocated_bytes_total, 1000);
}

static void believed(const tm__trace_record *r, uint64_t last_ns, uint64_t last_allocated)
{
  const uint64_t most = (uint64_t)1 << 62;
  assert_in_range(r->kind, TM__TRACE_START, TM__TRACE_END);
  assert_in_range(r->time_ns, last_ns, most);
  if (carries_levels(r)) {
    assert_in_range(r->levels.allocated_bytes_total, last_allocated, most);
    assert_true(r->levels.footprint_bytes <= most && r->levels.committed_bytes <= most);
    assert_true(r->levels.dirty_bytes <= most && r->levels.informed_bytes <= most);
  }
  if (r->kind == TM__TRACE_ACTION) {
    assert_in_range(r->action.kind, 0, TM_HOOK_KIND_COUNT - 1);
    assert_in_range(r->action.result, 0, TM_HOOK_ERROR);
    assert_true(r->time_ns + r->action.duration_ns <= most);
    assert_in_range(r->after.allocated_bytes_total, r->levels.allocated_bytes_total, most);
  }
  if (r->kind == TM__TRACE_START)
    assert_true(strlen(r->heap) < sizeof r->heap);
  if (r->kind == TM__TRACE_LIMITS)
    assert_true(!r->hard_bytes || r->soft_bytes <= r->hard_bytes);
  if (r->kind == TM__TRACE_PRESSURE)
    assert_in_range(r->pressure, 0, TM_PRESSURE_CRITICAL);
}

/* Bytes that a stranger chose: an error or numbers in their range, and never a byte beyond. The
 * copy ends where its memory ends, so that a sanitizer sees a look too far. */
static void nothing_else_is_believed(void **unused)
{
  (void)unused;
  size_t length = write_some(7), errors = 0, good = 0;
  for (uint64_t seed = 1; seed <= MUTATIONS; seed++) {
    test_random random = {seed};
    size_t start = seed % 2 ? random_below(&random, length) : 0; /* mostly no record */
    size_t n = 1 + random_below(&random, length - start);
    n = n > 300 ? 300 : n;
    unsigned char *copy = malloc(n);
    memcpy(copy, bytes + start, n);
    for (uint64_t flips = random_below(&random, 8); flips; flips--)
      copy[random_below(&random, n)] ^= (unsigned char)(1u << random_below(&random, 8));
    const unsigned char *at = copy;
    tm__trace_past past = {0};
    tm__trace_record r;
    uint64_t last_ns = 0, last_allocated = 0;
    int error = 0;
    while (at < copy + n && !(error = tm__trace_read(&at, copy + n, &past, &r))) {
      believed(&r, last_ns, last_allocated);
      good++;
      last_ns = past.time_ns;
      last_allocated = past.levels.allocated_bytes_total;
    }
    assert_true(error == 0 || error == TM_ECORRUPT);
    errors += error != 0;
    free(copy);
  }
  assert_true(errors > MUTATIONS / 2 && good > MUTATIONS); /* both were tried */
}

static void a_number_of_more_than_64_bits_is_none(void **unused)
{
  (void)unused;
  unsigned char hooks[16] = {TM__TRACE_HOOKS, 0};
  tm__trace_record r;
  for (size_t n = 1; n <= 12; n++) { /* n bytes of number, all of them zero but long */
    memset(hooks + 2, 0x80, n - 1);
    hooks[1 + n] = 0;
    const unsigned char *at = hooks;
    tm__trace_past past = {0};
    assert_int_equal(tm__trace_read(&at, hooks + 2 + n, &past, &r), n <= 10 ? 0 : TM_ECORRUPT);
  }
}

/* ---- Blocks and heads ------------------------------------------------------------------------ */

static void a_block_is_whole_or_it_is_none(void **unused)
{
  (void)unused;
  unsigned char block[TM__TRACE_BLOCK_HEAD_BYTES + 100];
  test_random random = {3};
  const unsigned char *payload;
  size_t length;
  for (size_t i = 0; i < sizeof block; i++)
    block[i] = (unsigned char)random_next(&random);
  tm__trace_block_head(block + TM__TRACE_BLOCK_HEAD_BYTES, 100, block);
  assert_int_equal(tm__trace_block(block, sizeof block, &payload, &length), 0);
  assert_ptr_equal(payload, block + TM__TRACE_BLOCK_HEAD_BYTES);
  assert_int_equal(length, 100);
  for (size_t n = 0; n < sizeof block; n++)
    assert_int_equal(tm__trace_block(block, n, &payload, &length), TM_EAGAIN);
  for (size_t bit = 32; bit < 8 * sizeof block; bit++) { /* any bit of CRC and payload */
    block[bit / 8] ^= (unsigned char)(1u << bit % 8);
    assert_int_equal(tm__trace_block(block, sizeof block, &payload, &length), TM_ECORRUPT);
    block[bit / 8] ^= (unsigned char)(1u << bit % 8);
  }
  memset(block, 0, 4);
  assert_int_equal(tm__trace_block(block, sizeof block, &payload, &length), TM_ECORRUPT);
  memset(block, 0xff, 4);
  assert_int_equal(tm__trace_block(block, sizeof block, &payload, &length), TM_ECORRUPT);
}

static void the_checksum_is_crc32(void **unused)
{
  (void)unused;
  unsigned char head[TM__TRACE_BLOCK_HEAD_BYTES];
  const unsigned char expected[4] = {0x26, 0x39, 0xf4, 0xcb}; /* the standard's check value */
  tm__trace_block_head((const unsigned char *)"123456789", 9, head);
  assert_memory_equal(head + 4, expected, 4);
}

static void heads_have_a_version(void **unused)
{
  (void)unused;
  unsigned char head[TM__TRACE_HEAD_BYTES];
  uint32_t version = 0;
  tm__trace_head(head);
  assert_int_equal(tm__trace_head_check(head, sizeof head, &version), 0);
  assert_int_equal(version, TM__TRACE_VERSION);
  assert_int_equal(tm__trace_head_check(head, sizeof head - 1, &version), TM_EINVAL);
  head[8] = 9;
  assert_int_equal(tm__trace_head_check(head, sizeof head, &version), TM_ENOTSUP);
  assert_int_equal(version, 9);
  head[5] = '\n'; /* a conversion of line ends */
  assert_int_equal(tm__trace_head_check(head, sizeof head, &version), TM_EINVAL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(a_quiet_sample_is_short),
      cmocka_unit_test(what_runs_back_is_held),
      cmocka_unit_test(nothing_else_is_believed),
      cmocka_unit_test(a_number_of_more_than_64_bits_is_none),
      cmocka_unit_test(a_block_is_whole_or_it_is_none),
      cmocka_unit_test(the_checksum_is_crc32),
      cmocka_unit_test(heads_have_a_version),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
