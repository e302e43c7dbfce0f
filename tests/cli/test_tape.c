/* Reading a recording: damaged, cut, foreign and hostile files get a sentence and do no harm. */
#define _GNU_SOURCE
#include "cli/tape.h"

#include <sys/mman.h>
#include <unistd.h>

#include "support/check.h"
#include "support/random.h"

enum { SAMPLES = 500, MUTATIONS = 3000, PER_BLOCK = 100 };

static unsigned char file[TM__TRACE_HEAD_BYTES + 64 * 1024];
static size_t file_bytes;
static char path[64];
static int memory; /* the file that path names */

static void end_block(unsigned char *payload, size_t length)
{
  tm__trace_block_head(payload, length, payload - TM__TRACE_BLOCK_HEAD_BYTES);
}

/* START, samples in blocks of a hundred, END. */
static void make_file(bool with_end)
{
  tm__trace_past past = {0};
  tm__trace_record r = {.kind = TM__TRACE_START, .pid = 42, .heap = "made"};
  tm__trace_head(file);
  unsigned char *payload = file + TM__TRACE_HEAD_BYTES + TM__TRACE_BLOCK_HEAD_BYTES, *at = payload;
  at += tm__trace_write(&r, &past, at);
  r.kind = TM__TRACE_SAMPLE;
  for (uint64_t i = 1; i <= SAMPLES; i++) {
    r.time_ns = 1000 * i;
    r.levels.allocated_bytes_total = 4096 * i;
    r.levels.footprint_bytes = i * i % 1000;
    at += tm__trace_write(&r, &past, at);
    if (i % PER_BLOCK == 0) {
      end_block(payload, (size_t)(at - payload));
      payload = at += TM__TRACE_BLOCK_HEAD_BYTES;
    }
  }
  r.kind = TM__TRACE_END;
  at += tm__trace_write(&r, &past, at);
  end_block(payload, (size_t)(at - payload));
  file_bytes = (size_t)(with_end ? at - file : payload - TM__TRACE_BLOCK_HEAD_BYTES - file);
}

static void save(size_t length)
{
  assert_int_equal(ftruncate(memory, 0), 0);
  assert_int_equal(pwrite(memory, file, length, 0), length);
}

static int set_up(void **unused)
{
  (void)unused;
  memory = memfd_create("tape", 0);
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
  make_file(true);
  return memory >= 0 ? 0 : -1;
}

static int tear_down(void **unused)
{
  (void)unused;
  return close(memory);
}

static void refused(const char *name, const char *words)
{
  tm__tape tape;
  tm__complaint complaint = {0};
  assert_int_equal(tm__tape_open(name, &tape, &complaint), TM_EXIT_FAILED);
  if (!strstr(complaint.text, words) || !strstr(complaint.text, name))
    fail_msg("'%s' has not '%s'", complaint.text, words);
  tm__tape_close(&tape);
}

static void accepted(tm__tape *tape)
{
  tm__complaint complaint = {0};
  if (tm__tape_open(path, tape, &complaint) != 0)
    fail_msg("%s", complaint.text);
}

static void it_is_played_as_often_as_wanted(void **unused)
{
  (void)unused;
  tm__tape tape;
  save(file_bytes);
  accepted(&tape);
  assert_false(tape.cut);
  assert_int_equal(tape.records, SAMPLES + 2);
  assert_int_equal(tape.duration_ns, 1000 * SAMPLES);
  assert_string_equal(tape.start.heap, "made");
  for (int time = 0; time < 2; time++) {
    tm__tape_cursor cursor = {0};
    tm__trace_record r;
    uint64_t records = 0, allocated = 0;
    for (; tm__tape_next(&tape, &cursor, &r); records++)
      allocated += r.levels.allocated_bytes_total;
    assert_int_equal(records, SAMPLES + 2);
    assert_int_equal(allocated, (uint64_t)4096 * SAMPLES * (SAMPLES + 1) / 2);
  }
  tm__tape_close(&tape);
}

static void what_is_no_recording(void **unused)
{
  (void)unused;
  refused("/no/such/file", "No such file");
  refused("/", "Is a directory");
  refused("/dev/null", "is not a recording; 'tidemark run --record FILE' makes one");
  memcpy(file, "#!/bin/sh\n", 10);
  save(file_bytes);
  refused(path, "is not a recording");
}

static void another_version(void **unused)
{
  (void)unused;
  file[8] = 7;
  save(file_bytes);
  refused(path, "is a recording of version 7, and this tidemark reads version 1");
}

/* Cut anywhere: what is whole is there, and it is known that something is missing. */
static void cut_files(void **unused)
{
  (void)unused;
  uint64_t most = 0;
  for (size_t n = TM__TRACE_HEAD_BYTES; n < file_bytes; n++) {
    tm__tape tape;
    tm__complaint complaint = {0};
    save(n);
    int result = tm__tape_open(path, &tape, &complaint);
    if (result) {
      assert_int_equal(most, 0);
      assert_non_null(strstr(complaint.text, "breaks off before its first block ends"));
    } else {
      assert_true(tape.cut);
      assert_true(tape.records >= most && tape.records % PER_BLOCK == 1);
      most = tape.records;
    }
    tm__tape_close(&tape);
  }
  assert_int_equal(most, SAMPLES + 1);
}

static void any_flipped_bit_is_found(void **unused)
{
  (void)unused;
  for (size_t bit = 8 * TM__TRACE_HEAD_BYTES; bit < 8 * file_bytes; bit += 7) {
    tm__tape tape;
    tm__complaint complaint = {0};
    file[bit / 8] ^= (unsigned char)(1u << bit % 8);
    save(file_bytes);
    int result = tm__tape_open(path, &tape, &complaint);
    if (result)
      assert_non_null(strstr(complaint.text, "b")); /* damaged, or breaks off: a longer length */
    else
      assert_true(tape.cut);
    tm__tape_close(&tape);
    file[bit / 8] ^= (unsigned char)(1u << bit % 8);
  }
  file[TM__TRACE_HEAD_BYTES + TM__TRACE_BLOCK_HEAD_BYTES + 20] ^= 1;
  save(file_bytes);
  refused(path, "is damaged: the block at byte 12");
}

/* Records that a stranger made, with a checksum that is right. */
static void hostile_blocks(void **unused)
{
  (void)unused;
  unsigned char *block = file + TM__TRACE_HEAD_BYTES;
  unsigned char *payload = block + TM__TRACE_BLOCK_HEAD_BYTES;
  size_t length = (size_t)block[0] | (size_t)block[1] << 8, damaged = 0;
  for (uint64_t seed = 1; seed <= MUTATIONS; seed++) {
    test_random random = {seed};
    make_file(true);
    for (uint64_t n = 1 + random_below(&random, 6); n; n--)
      payload[random_below(&random, length)] = (unsigned char)random_next(&random);
    end_block(payload, length);
    save(file_bytes);
    tm__tape tape;
    tm__complaint complaint = {0};
    if (tm__tape_open(path, &tape, &complaint) == 0) {
      tm__tape_cursor cursor = {0};
      tm__trace_record r;
      uint64_t records = 0;
      while (tm__tape_next(&tape, &cursor, &r))
        records++;
      assert_int_equal(records, tape.records);
    } else {
      damaged++;
    }
    tm__tape_close(&tape);
  }
  assert_in_range(damaged, MUTATIONS / 20, MUTATIONS);
}

static void records_have_their_place(void **unused)
{
  (void)unused;
  unsigned char *payload = file + TM__TRACE_HEAD_BYTES + TM__TRACE_BLOCK_HEAD_BYTES;
  tm__trace_past past = {0};
  tm__trace_record start = {.kind = TM__TRACE_START}, end = {.kind = TM__TRACE_END};
  tm__trace_head(file);
  const struct {
    const tm__trace_record *first, *second;
    bool good;
  } pairs[] = {
      {&start, &end, true}, {&end, &start, false}, {&start, &start, false}, {&end, &end, false}};
  for (size_t i = 0; i < TM_ARRAY_LEN(pairs); i++) {
    size_t length = tm__trace_write(pairs[i].first, &past, payload);
    length += tm__trace_write(pairs[i].second, &past, payload + length);
    end_block(payload, length);
    save((size_t)(payload + length - file));
    tm__tape tape;
    if (!pairs[i].good) {
      refused(path, "is damaged");
      continue;
    }
    accepted(&tape);
    tm__tape_close(&tape);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(it_is_played_as_often_as_wanted, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_is_no_recording, set_up, tear_down),
      cmocka_unit_test_setup_teardown(another_version, set_up, tear_down),
      cmocka_unit_test_setup_teardown(cut_files, set_up, tear_down),
      cmocka_unit_test_setup_teardown(any_flipped_bit_is_found, set_up, tear_down),
      cmocka_unit_test_setup_teardown(hostile_blocks, set_up, tear_down),
      cmocka_unit_test_setup_teardown(records_have_their_place, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
