/* From an engine to a file: what is in it, when it is written, and what ends it. */
#define _GNU_SOURCE
#include "gc/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "gc/fake_port.h"
#include "gc/trace.h"

static char path[64];
static int messages;

static int set_up(void **unused)
{
  (void)unused;
  memcpy(path, "/tmp/tidemark-recorder-XXXXXX", 30);
  int fd = mkstemp(path);
  messages = memfd_create("messages", 0);
  tm__report_fd_set(messages);
  return fd >= 0 && close(fd) == 0 && messages >= 0 ? 0 : -1;
}

static int tear_down(void **unused)
{
  (void)unused;
  tm__report_fd_set(STDERR_FILENO);
  (void)close(messages);
  return unlink(path);
}

static const char *said(void)
{
  static char text[512];
  ssize_t length = pread(messages, text, sizeof text - 1, 0);
  assert_true(length >= 0);
  text[length] = 0;
  return text;
}

/* The file's records, in memory that stays until the next call. */
static tm__trace_record records[4096];
static size_t count, file_bytes;

static void read_back(void)
{
  static unsigned char bytes[1 << 20];
  int fd = open(path, O_RDONLY);
  ssize_t n = read(fd, bytes, sizeof bytes);
  (void)close(fd);
  assert_true(n >= TM__TRACE_HEAD_BYTES);
  uint32_t version;
  size_t length = file_bytes = (size_t)n, at = TM__TRACE_HEAD_BYTES, of_block;
  const unsigned char *payload;
  tm__trace_past past = {0};
  assert_int_equal(tm__trace_head_check(bytes, length, &version), 0);
  for (count = 0; at < length; at += TM__TRACE_BLOCK_HEAD_BYTES + of_block) {
    assert_int_equal(tm__trace_block(bytes + at, length - at, &payload, &of_block), 0);
    for (const unsigned char *in = payload, *end = payload + of_block; in < end; count++)
      assert_int_equal(tm__trace_read(&in, end, &past, &records[count]), 0);
  }
}

static const tm__trace_record *nth(tm__trace_kind kind, size_t n)
{
  for (size_t i = 0; i < count; i++)
    if (records[i].kind == kind && n-- == 0)
      return &records[i];
  return NULL;
}

/* As a slow path of the heap does it. */
static void work(fake *f, uint64_t bytes, uint64_t takes_ns)
{
  atomic_fetch_add(&f->now_ns, takes_ns);
  fake_allocate(f, bytes);
  tm__watch_sample(&f->engine, 0, atomic_load(&f->footprint));
}

static void a_run_from_start_to_end(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  fake_hook full = {.frees = 5 * MIB, .takes_ns = 7 * MS};
  assert_int_equal(tm__recorder_start(&f->engine, path), 0);
  assert_int_equal(tm__recorder_start(&f->engine, path), TM_EBUSY);
  fake_hook_add(f, TM_COLLECT, &full);
  assert_int_equal(tm__engine_limit_set(&f->engine, TM_HARD, 64 * MIB), 0);
  work(f, 6 * MIB, 10 * MS);
  assert_int_equal(tm__engine_poll(&f->engine), 1);
  assert_int_equal(tm__engine_pressure_post(&f->engine, TM_PRESSURE_LOW), 0);
  work(f, MIB, MS);
  assert_int_equal(tm__recorder_stop(&f->engine), 0);
  assert_int_equal(tm__recorder_stop(&f->engine), TM_EINVAL);
  read_back();
  assert_int_equal(records[0].kind, TM__TRACE_START);
  assert_string_equal(records[0].heap, "fake");
  assert_int_equal(records[0].pid, getpid());
  assert_int_equal(records[count - 1].kind, TM__TRACE_END);
  assert_int_equal(records[count - 1].time_ns, 18 * MS);
  assert_int_equal(nth(TM__TRACE_POLICY, 0)->policy.growth_percent, 100);
  assert_null(nth(TM__TRACE_POLICY, 1)); /* only what is different is written again */
  assert_int_equal(nth(TM__TRACE_HOOKS, 0)->hooks, 0);
  assert_int_equal(nth(TM__TRACE_HOOKS, 1)->hooks, 1u << TM_COLLECT);
  assert_int_equal(nth(TM__TRACE_LIMITS, 1)->hard_bytes, 64 * MIB);
  assert_int_equal(nth(TM__TRACE_PRESSURE, 0)->pressure, TM_PRESSURE_LOW);
  const tm__trace_record *action = nth(TM__TRACE_ACTION, 0);
  assert_int_equal(action->action.kind, TM_COLLECT);
  assert_int_equal(action->action.duration_ns, 7 * MS);
  assert_int_equal(action->time_ns, 10 * MS);
  assert_int_equal(action->levels.footprint_bytes, 6 * MIB);
  assert_int_equal(action->after.footprint_bytes, MIB);
  assert_string_equal(said(), "");
}

/* A program that does the same for long: one sample per 100 us, however often it asks. */
static void samples_are_bounded_by_time_and_bytes(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  assert_int_equal(tm__recorder_start(&f->engine, path), 0);
  for (int i = 0; i < 10000; i++) { /* 10 ms, no byte of growth */
    atomic_fetch_add(&f->now_ns, 1000);
    atomic_fetch_add(&f->allocated, 64);
    tm__watch_sample(&f->engine, 0, atomic_load(&f->footprint));
  }
  for (int i = 0; i < 64; i++) /* growth in no time */
    work(f, MIB / 16, 0);
  assert_int_equal(tm__recorder_stop(&f->engine), 0);
  read_back();
  size_t samples = 0;
  for (size_t i = 0; i < count; i++)
    samples += records[i].kind == TM__TRACE_SAMPLE;
  assert_in_range(samples, 100 + 4, 104 + 16 + 2);
}

/* What a killed program leaves behind is at most a second short. */
static void blocks_are_written_every_second(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  assert_int_equal(tm__recorder_start(&f->engine, path), 0);
  work(f, KIB, SECOND / 2);
  read_back();
  assert_int_equal(count, 0);
  work(f, KIB, SECOND / 2);
  read_back();
  assert_int_equal(records[count - 1].time_ns, SECOND);
  assert_int_equal(tm__recorder_stop(&f->engine), 0);
}

/* The longest samples that there are, whenever one is due: still more than a week. */
static void detail_is_lost_so_that_a_file_lasts(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  assert_int_equal(tm__recorder_start(&f->engine, "/dev/null"), 0);
  uint64_t start_ns = atomic_load(&f->now_ns), asked = 0, big = 0;
  const tm__counter *next = &f->engine.watch.next_ns;
  for (; asked < 20000000 && tm__counter_read(next) < UINT64_MAX; asked++) {
    atomic_store(&f->now_ns, tm__counter_read(next));
    big ^= (uint64_t)1 << 61;
    atomic_store(&f->footprint, big);
    atomic_store(&f->committed, big);
    atomic_store(&f->dirty, big);
    atomic_store(&f->fixable, big);
    atomic_store(&f->informed, big);
    tm__watch_sample(&f->engine, 0, 0);
  }
  assert_non_null(strstr(said(), "the recording ends here, /dev/null: it is 256 MiB long"));
  assert_true(atomic_load(&f->now_ns) - start_ns > 7 * 24 * 3600 * SECOND);
  assert_int_equal(tm__recorder_stop(&f->engine), TM_EIO);
}

static void a_full_disk_ends_it_with_one_sentence(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  assert_int_equal(tm__recorder_start(&f->engine, "/dev/full"), TM_EIO);
  assert_int_equal(errno, ENOSPC);
  assert_int_equal(tm__recorder_start(&f->engine, path), 0);
  int full = open("/dev/full", O_WRONLY);
  for (int fd = 100; fd < 2000; fd++) { /* the file is where the program cannot see it */
    struct stat ours, here;
    if (fstat(fd, &here) == 0 && stat(path, &ours) == 0 && here.st_ino == ours.st_ino)
      assert_int_equal(dup2(full, fd), fd);
  }
  errno = 77;
  for (int i = 0; i < 5; i++)
    work(f, MIB, SECOND);
  assert_int_equal(errno, 77);
  assert_non_null(strstr(said(), "tidemark: the recording ends here, /tmp/tidemark-recorder-"));
  assert_non_null(strstr(said(), ": the program closed the file\n"));
  assert_ptr_equal(strchr(said(), '\n'), said() + strlen(said()) - 1); /* said once */
  unsigned reads = atomic_load(&f->reads);
  work(f, MIB, SECOND);
  assert_int_equal(atomic_load(&f->reads), reads); /* and nothing is looked at any more */
  assert_int_equal(tm__recorder_stop(&f->engine), TM_EIO);
  (void)close(full);
}

static void a_pipe_that_nobody_reads_does_not_stop_the_program(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  char fifo[80];
  (void)tm__format(fifo, sizeof fifo, "%s.fifo", path);
  assert_int_equal(mkfifo(fifo, 0600), 0);
  assert_int_equal(tm__recorder_start(&f->engine, fifo), TM_EIO); /* no reader */
  int reader = open(fifo, O_RDONLY | O_NONBLOCK);
  assert_int_equal(tm__recorder_start(&f->engine, fifo), 0);
  for (int i = 0; i < 20000; i++)
    work(f, MIB, MS);
  assert_non_null(strstr(said(), "the recording ends here"));
  assert_int_equal(tm__recorder_stop(&f->engine), TM_EIO);
  (void)close(reader);
  (void)unlink(fifo);
}

static void what_cannot_be_opened(void **unused)
{
  (void)unused;
  fake *f = fake_fresh();
  assert_int_equal(tm__recorder_start(&f->engine, "/no/such/directory/file"), TM_EIO);
  assert_int_equal(errno, ENOENT);
  assert_false(tm__watch_on(&f->engine.watch));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_run_from_start_to_end, set_up, tear_down),
      cmocka_unit_test_setup_teardown(samples_are_bounded_by_time_and_bytes, set_up, tear_down),
      cmocka_unit_test_setup_teardown(blocks_are_written_every_second, set_up, tear_down),
      cmocka_unit_test_setup_teardown(detail_is_lost_so_that_a_file_lasts, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_full_disk_ends_it_with_one_sentence, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_pipe_that_nobody_reads_does_not_stop_the_program, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(what_cannot_be_opened, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
