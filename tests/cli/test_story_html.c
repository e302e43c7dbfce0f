/* The page of a recording: its numbers, its rows, what is escaped. test_report.py parses it. */
#include "cli/made_tape.h"
#include "cli/story.h"

#define MIB (UINT64_C(1) << 20)
#define S UINT64_C(1000000000)

static made_tape made;
static tm__tape tape;
static tm__story story;
static char page[1 << 18];

static const char *write_page(const char *file)
{
  size_t length = tm__story_html(&story, file, page, sizeof page);
  assert_true(length < sizeof page);
  assert_int_equal(strlen(page), length);
  assert_int_equal(tm__story_html(&story, file, NULL, 0), length);
  return page;
}

static void has(const char *text, const char *part)
{
  if (!strstr(text, part))
    fail_msg("'%s' is not there", part);
}

static void numbers_and_rows(void **state)
{
  tm__trace_record limits = {.kind = TM__TRACE_LIMITS, .soft_bytes = 90 * MIB};
  (void)state;
  made_start(&made);
  made_add(&made, &limits);
  made_sample(&made, 0, 0, 0);
  made_sample(&made, 20 * S, 100 * MIB, 80 * MIB);
  made_action(&made, TM_COLLECT, TM_HOOK_DONE, 30 * S, S, 100 * MIB, 80 * MIB, 40 * MIB);
  tape = made_end(&made, 40 * S);
  tm__story_tell(&tape, &story);
  const char *text = write_page("a<b>&\"c.trace");
  has(text, "<title>Tidemark: a&lt;b&gt;&amp;");
  has(text, "<p>heap made of process 42 \xC2\xB7 recorded 2026-09-21 14:13:20 UTC</p>");
  has(text, "<dt>length</dt><dd>40.0 s</dd>");
  has(text, "<dt>peak footprint</dt><dd>80.0 MiB</dd>");
  has(text, "<dt>reached after</dt><dd>20.0 s</dd>");
  has(text, "<dt>time in actions</dt><dd>1.00 s</dd>");
  has(text, "<dt>soft limit</dt><dd>90.0 MiB</dd>");
  has(text, "<dt>hard limit</dt><dd>none</dd>");
  has(text, "<tr><td>full</td><td>1</td><td>40.0 MiB</td><td>1.00 s</td><td>1.00 s</td></tr>");
  has(text, "<tr><td>full</td><td>30.0 s</td><td>1.00 s</td><td>80.0 MiB</td><td>40.0 MiB</td>");
  has(text, "dashed: soft limit");
  assert_null(strstr(text, "red: hard limit"));
  assert_null(strstr(text, "it breaks off"));
  tape.cut = true;
  has(write_page("x"), "it breaks off");
}

static void nothing_happened(void **state)
{
  (void)state;
  made_start(&made);
  tape = made_end(&made, 0);
  tm__story_tell(&tape, &story);
  const char *text = write_page("x");
  assert_null(strstr(text, "The longest"));
  has(text, "<dt>peak footprint</dt><dd>0 B</dd>");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_and_rows),
      cmocka_unit_test(nothing_happened),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
