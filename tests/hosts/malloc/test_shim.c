/* test_shim.c - what each function of the C library's allocator promises, as ours keeps it. The
 * shim is linked into this program, so that malloc is ours here. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <unistd.h>

#include <tidemark/tidemark.h>

#include "base/hints.h"
#include "support/check.h"

extern void *__libc_malloc(size_t n);

enum { ERRNO_BEFORE = 4242 };

/* Without the compiler's knowledge of what it does to p: some calls must fail and keep it. */
static void *(*volatile resize)(void *p, size_t n) = realloc;
/* Without glibc's advice not to use it. */
extern struct mallinfo old_mallinfo(void) __asm__("mallinfo");

/* The compiler knows malloc: it would drop a pair, and warn of sizes that must fail. */
static size_t hide(size_t n)
{
  __asm__("" : "+r"(n));
  return n;
}

static void *seen(void *p)
{
  __asm__("" : "+r"(p) : : "memory");
  return p;
}

static tm_stats stats_now(void)
{
  tm_stats s;
  tm_stats_init(&s);
  assert_int_equal(tm_stats_read(tm_heap_default(), &s), 0);
  return s;
}

static bool aligned_to(const void *p, size_t alignment)
{
  return ((uintptr_t)p & (alignment - 1)) == 0;
}

static void release(void *p)
{
  errno = ERRNO_BEFORE;
  free(p);
  assert_int_equal(errno, ERRNO_BEFORE);
}

/* ---- malloc, calloc, free ------------------------------------------------------------------- */

static void test_blocks_are_ours_and_charged_to_pool_c(void **state)
{
  (void)state;
  tm_pool_row before, after;
  assert_int_equal(tm_pool_stats_read(tm_heap_default(), 3, &before), 1);
  void *p = seen(malloc(hide(1000)));
  assert_int_equal(tm_owns(p), 1);
  assert_int_equal(tm_pool_stats_read(tm_heap_default(), 3, &after), 1);
  assert_string_equal(after.name, "c");
  assert_int_equal(after.live_bytes - before.live_bytes, malloc_usable_size(p));
  release(p);
}

static void test_zero_bytes_give_distinct_blocks(void **state)
{
  (void)state;
  void *blocks[] = {malloc(hide(0)),    malloc(hide(0)),       calloc(hide(0), 8),
                    calloc(8, hide(0)), resize(NULL, hide(0)), memalign(64, hide(0)),
                    valloc(hide(0))};
  for (size_t i = 0; i < TM_ARRAY_LEN(blocks); i++) {
    assert_non_null(blocks[i]);
    for (size_t k = 0; k < i; k++)
      assert_ptr_not_equal(blocks[i], blocks[k]);
  }
  for (size_t i = 0; i < TM_ARRAY_LEN(blocks); i++)
    release(blocks[i]);
  release(NULL);
}

static void test_what_cannot_be_is_null_and_enomem(void **state)
{
  (void)state;
  static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 15, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX,
                                 (size_t)1 << 46};
  char *kept = seen(malloc(hide(10)));
  memcpy(kept, "untouched", 10);
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    size_t n = hide(sizes[i]);
    void *failed[] = {malloc(n),       calloc(1, n),    resize(kept, n),
                      valloc(n),       pvalloc(n),      aligned_alloc(64, n),
                      memalign(64, n), resize(NULL, n), calloc(n / 2, 3)};
    for (size_t k = 0; k < TM_ARRAY_LEN(failed); k++)
      assert_null(failed[k]);
    errno = 0;
    assert_null(malloc(n));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(pvalloc(n));
    assert_int_equal(errno, ENOMEM);
  }
  assert_string_equal(kept, "untouched");
  release(kept);
}

static void test_calloc_is_zero_after_use_and_counts_its_overflow(void **state)
{
  (void)state;
  static const size_t sizes[] = {1, 16, 100, 5000, 65536, 65537, 300000};
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    for (int round = 0; round < 3; round++) {
      unsigned char *p = seen(calloc(hide(sizes[i]), 1));
      for (size_t k = 0; k < sizes[i]; k++)
        assert_int_equal(p[k], 0);
      memset(p, 0xff, malloc_usable_size(p));
      release(seen(p));
    }
  }
  uint64_t before = stats_now().failures_total[TM_FAIL_OVERFLOW];
  assert_null(calloc(hide(SIZE_MAX / 4), hide(8)));
  assert_int_equal(errno, ENOMEM);
  assert_int_equal(stats_now().failures_total[TM_FAIL_OVERFLOW], before + 1);
}

static void test_success_leaves_errno(void **state)
{
  (void)state;
  errno = ERRNO_BEFORE;
  void *small = malloc(hide(10)), *large = malloc(hide(3000000)), *zero = calloc(hide(7), 7);
  small = resize(small, hide(70000));
  large = resize(large, hide(20));
  assert_int_equal(errno, ERRNO_BEFORE);
  release(small);
  release(large);
  release(zero);
}

/* ---- realloc -------------------------------------------------------------------------------- */

static void test_realloc_to_zero_frees(void **state)
{
  (void)state;
  void *p = seen(malloc(hide(1000)));
  uint64_t frees = stats_now().frees_total, live = stats_now().live_blocks;
  errno = ERRNO_BEFORE;
  assert_null(resize(p, hide(0)));
  assert_int_equal(errno, ERRNO_BEFORE);
  assert_int_equal(stats_now().frees_total, frees + 1);
  assert_int_equal(stats_now().live_blocks, live - 1);
}

static void test_realloc_keeps_the_content(void **state)
{
  (void)state;
  static const size_t sizes[] = {1, 30, 5000, 64, 200000, 3000000, 100000, 17};
  unsigned char *p = NULL;
  size_t common = 0;
  for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
    p = resize(p, hide(sizes[i]));
    assert_non_null(p);
    common = common < sizes[i] ? common : sizes[i];
    for (size_t k = 0; k < common; k++)
      assert_int_equal(p[k], (unsigned char)(k * 7));
    common = sizes[i];
    for (size_t k = 0; k < common; k++)
      p[k] = (unsigned char)(k * 7);
  }
  release(p);
}

/* ---- Alignment ------------------------------------------------------------------------------ */

static void test_alignments_hold_for_every_size(void **state)
{
  (void)state;
  static const size_t sizes[] = {0, 1, 24, 100, 4097, 65536, 65537, 200000};
  for (size_t alignment = 1; alignment <= (size_t)1 << 22; alignment *= 2) {
    for (size_t i = 0; i < TM_ARRAY_LEN(sizes); i++) {
      void *p = memalign(alignment, hide(sizes[i])), *q = aligned_alloc(alignment, hide(sizes[i]));
      assert_non_null(p);
      assert_non_null(q);
      assert_true(aligned_to(p, alignment) && aligned_to(q, alignment));
      assert_true(malloc_usable_size(p) >= sizes[i]);
      memset(p, 1, malloc_usable_size(p));
      memset(q, 2, sizes[i]);
      release(p);
      release(q);
    }
  }
}

static void test_posix_memalign_returns_its_error_and_keeps_errno(void **state)
{
  (void)state;
  static const size_t bad[] = {0, 1, 2, 4, 12, 24, 100, SIZE_MAX};
  void *p = &p;
  errno = ERRNO_BEFORE;
  for (size_t i = 0; i < TM_ARRAY_LEN(bad); i++)
    assert_int_equal(posix_memalign(&p, hide(bad[i]), 10), EINVAL);
  assert_int_equal(posix_memalign(&p, 64, hide(PTRDIFF_MAX)), ENOMEM);
  assert_int_equal(posix_memalign(&p, 64, hide(SIZE_MAX)), ENOMEM);
  assert_int_equal(posix_memalign(&p, (size_t)1 << 40, 10), ENOMEM);
  assert_ptr_equal(p, &p); /* not written */
  for (size_t alignment = 8; alignment <= 65536; alignment *= 2) {
    assert_int_equal(posix_memalign(&p, alignment, 10), 0);
    assert_true(aligned_to(p, alignment));
    free(p);
  }
  assert_int_equal(errno, ERRNO_BEFORE);
}

/* Regression: above 1 GiB the alignment was cut to that, and the block handed out. */
static void test_wild_alignments(void **state)
{
  (void)state;
  static const size_t asked[] = {0, 3, 17, 48, 100, 5000}, given[] = {16, 16, 32, 64, 128, 8192};
  for (size_t i = 0; i < TM_ARRAY_LEN(asked); i++) {
    void *p = memalign(hide(asked[i]), 10);
    assert_non_null(p);
    assert_true(aligned_to(p, given[i]));
    release(p);
  }
  static const size_t most = (size_t)1 << 30;
  void *p = memalign(hide(most), 10);
  assert_non_null(p);
  assert_true(aligned_to(p, most));
  release(p);
  assert_null(memalign(hide(most + 1), 10));
  assert_null(memalign(hide(most * 2), 10));
  assert_null(memalign(hide(SIZE_MAX), 10));
  static const size_t bad[] = {0, 3, 24, 2 * (size_t)(1 << 30)};
  for (size_t i = 0; i < TM_ARRAY_LEN(bad); i++) {
    errno = 0;
    assert_null(aligned_alloc(hide(bad[i]), 10));
    assert_int_equal(errno, EINVAL);
  }
}

static void test_valloc_and_pvalloc(void **state)
{
  (void)state;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  void *p = valloc(hide(100)), *q = pvalloc(hide(page + 1));
  assert_true(aligned_to(p, page) && aligned_to(q, page));
  assert_true(malloc_usable_size(q) >= 2 * page);
  memset(q, 1, 2 * page);
  release(p);
  release(q);
}

/* ---- What is not ours ------------------------------------------------------------------------ */

static void test_blocks_of_the_c_library_are_its_own(void **state)
{
  (void)state;
  char *p = __libc_malloc(hide(100)), *q = __libc_malloc(hide(300000));
  assert_int_equal(tm_owns(p), 0);
  memcpy(p, "foreign", 8);
  p = resize(p, hide(200000));
  assert_int_equal(tm_owns(p), 0);
  assert_string_equal(p, "foreign");
  release(p);
  assert_null(resize(q, hide(0)));
}

/* ---- Questions ------------------------------------------------------------------------------ */

static void test_usable_size(void **state)
{
  (void)state;
  assert_int_equal(malloc_usable_size(NULL), 0);
  for (size_t n = 0; n < 300000; n = n * 3 + 1) {
    void *p = seen(malloc(hide(n)));
    assert_true(malloc_usable_size(p) >= n && malloc_usable_size(p) <= n + n / 2 + 65536);
    memset(p, 1, malloc_usable_size(p));
    release(p);
  }
}

static void test_mallinfo_tells_the_truth(void **state)
{
  (void)state;
  enum { BLOCKS = 100, BYTES = 5000 };
  void *blocks[BLOCKS + 1];
  struct mallinfo2 before = mallinfo2();
  size_t bytes = 0;
  for (int i = 0; i <= BLOCKS; i++) {
    blocks[i] = seen(malloc(hide(i < BLOCKS ? BYTES : 1000000)));
    bytes += malloc_usable_size(blocks[i]);
  }
  struct mallinfo2 in_use = mallinfo2();
  assert_int_equal(in_use.uordblks - before.uordblks, bytes);
  assert_true(in_use.arena >= in_use.uordblks + in_use.fordblks);
  assert_int_equal(in_use.uordblks, stats_now().live_bytes);
  assert_int_equal(in_use.arena, stats_now().committed_bytes);
  struct mallinfo small = old_mallinfo();
  assert_int_equal(small.uordblks, in_use.uordblks);
  assert_int_equal(small.arena, in_use.arena);
  for (int i = 0; i <= BLOCKS; i++)
    release(blocks[i]);
  struct mallinfo2 after = mallinfo2();
  assert_int_equal(after.uordblks, before.uordblks);
  assert_true(after.keepcost >= 900000); /* the large block at least could go back */
  assert_true(after.fordblks >= after.keepcost);
}

static void test_trim_says_whether_memory_went_back(void **state)
{
  (void)state;
  char *p = seen(malloc(hide(8 << 20)));
  memset(p, 1, 8 << 20);
  release(seen(p));
  uint64_t before = stats_now().os_released_bytes_total;
  assert_int_equal(malloc_trim(0), 1);
  assert_true(stats_now().os_released_bytes_total - before >= 8 << 20);
  assert_int_equal(mallinfo2().keepcost, 0);
  assert_int_equal(malloc_trim(0), 0);
}

/* What malloc_info writes, read back by its own words. */
static unsigned long long number_after(const char *text, const char *word)
{
  const char *at = strstr(text, word);
  unsigned long long n = 0;
  assert_non_null(at);
  assert_int_equal(sscanf(at + strlen(word), "%llu", &n), 1);
  return n;
}

static void test_info_is_xml_of_our_numbers(void **state)
{
  (void)state;
  char text[4096] = "";
  FILE *file = fmemopen(text, sizeof text, "w");
  assert_non_null(file);
  assert_int_equal(malloc_info(1, file), EINVAL);
  assert_int_equal(malloc_info(0, file), 0);
  (void)fclose(file);
  assert_int_equal(strncmp(text, "<malloc version=\"1\">", 20), 0);
  assert_string_equal(strstr(text, "</malloc>"), "</malloc>\n");
  tm_stats now = stats_now(); /* fclose freed what fmemopen took */
  unsigned long long live = number_after(text, "type=\"live\" count=\"");
  assert_true(live >= now.live_blocks && live <= now.live_blocks + 4);
  assert_true(number_after(text, "system type=\"current\" size=\"") >= now.live_bytes);
}

static void test_stats_come_as_one_line_on_standard_error(void **state)
{
  (void)state;
  int ends[2], saved = dup(STDERR_FILENO);
  char line[512] = "";
  assert_int_equal(pipe(ends), 0);
  (void)dup2(ends[1], STDERR_FILENO);
  malloc_stats();
  (void)dup2(saved, STDERR_FILENO);
  assert_true(read(ends[0], line, sizeof line - 1) > 0);
  (void)close(ends[0]);
  (void)close(ends[1]);
  (void)close(saved);
  assert_int_equal(number_after(line, "tidemark: live "), stats_now().live_bytes);
  assert_string_equal(strchr(line, '\n'), "\n");
}

static void test_tunables_of_another_allocator_are_taken(void **state)
{
  (void)state;
  assert_int_equal(mallopt(M_MMAP_THRESHOLD, 1 << 20), 1);
  assert_int_equal(mallopt(M_ARENA_MAX, 1), 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_blocks_are_ours_and_charged_to_pool_c),
      cmocka_unit_test(test_zero_bytes_give_distinct_blocks),
      cmocka_unit_test(test_what_cannot_be_is_null_and_enomem),
      cmocka_unit_test(test_calloc_is_zero_after_use_and_counts_its_overflow),
      cmocka_unit_test(test_success_leaves_errno),
      cmocka_unit_test(test_realloc_to_zero_frees),
      cmocka_unit_test(test_realloc_keeps_the_content),
      cmocka_unit_test(test_alignments_hold_for_every_size),
      cmocka_unit_test(test_posix_memalign_returns_its_error_and_keeps_errno),
      cmocka_unit_test(test_wild_alignments),
      cmocka_unit_test(test_valloc_and_pvalloc),
      cmocka_unit_test(test_blocks_of_the_c_library_are_its_own),
      cmocka_unit_test(test_usable_size),
      cmocka_unit_test(test_mallinfo_tells_the_truth),
      cmocka_unit_test(test_trim_says_whether_memory_went_back),
      cmocka_unit_test(test_info_is_xml_of_our_numbers),
      cmocka_unit_test(test_stats_come_as_one_line_on_standard_error),
      cmocka_unit_test(test_tunables_of_another_allocator_are_taken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
