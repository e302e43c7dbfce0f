/* test_gzip.c - what gzip itself unpacks, across the borders of stored blocks. */
#include "profile/render.h"

#include <unistd.h>

#include "support/check.h"

static char raw[200000], packed[210000], unpacked[200001];

static size_t pack(size_t count)
{
  tm__emit e;
  tm__emit_init(&e, packed, sizeof packed);
  tm__gzip_emit(&e, raw, count);
  return tm__emit_end(&e);
}

/* Bytes that gzip -d gives back of the first `length` packed ones; -1 iff it complains. */
static long unpack(size_t length)
{
  FILE *file = fopen("packed.gz", "wb");
  must(file != NULL && fwrite(packed, 1, length, file) == length && fclose(file) == 0);
  FILE *pipe = popen("gzip -dc packed.gz 2>/dev/null", "r");
  must(pipe != NULL);
  size_t n = fread(unpacked, 1, sizeof unpacked, pipe);
  return pclose(pipe) == 0 ? (long)n : -1;
}

static void gzip_gives_back_what_was_there(void **state)
{
  (void)state;
  static const size_t counts[] = {0, 1, 1000, 65534, 65535, 65536, 131070, 131071, 200000};
  for (size_t i = 0; i < sizeof raw; i++)
    raw[i] = (char)(i * 31 + (i >> 8));
  for (size_t i = 0; i < TM_ARRAY_LEN(counts); i++) {
    size_t length = pack(counts[i]);
    assert_int_equal(unpack(length), counts[i]);
    assert_memory_equal(unpacked, raw, counts[i]);
  }
}

static void a_changed_byte_is_noticed(void **state)
{
  (void)state;
  size_t length = pack(1000);
  packed[500]++;
  assert_int_equal(unpack(length), -1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gzip_gives_back_what_was_there),
      cmocka_unit_test(a_changed_byte_is_noticed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
