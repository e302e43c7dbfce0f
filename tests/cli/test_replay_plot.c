/* The drawing: well-formed, self-contained, everything inside, and labels that do not collide. */
#include <math.h>

#include "cli/replay.h"
#include "support/check.h"
#include "support/random.h"

#define MIB ((uint64_t)1 << 20)
#define MS ((uint64_t)1000000)

static tm__replay replay;

static void fill(tm__replay_row *row, const char *name, uint64_t busy_ns, uint64_t peak_bytes)
{
  memset(row, 0, sizeof *row);
  (void)snprintf(row->name, sizeof row->name, "%s", name);
  row->tally.runs[TM_COLLECT] = 3;
  row->tally.busy_ns[TM_COLLECT] = busy_ns;
  row->tally.peak_bytes = peak_bytes;
}

static void move_point(tm__replay_row *row, uint64_t busy_ns, uint64_t peak_bytes)
{
  row->tally.busy_ns[TM_COLLECT] = busy_ns;
  row->tally.peak_bytes = peak_bytes;
}

static int set_up(void **unused)
{
  (void)unused;
  static const unsigned percents[] = {10, 25, 50, 100, 200, 400, 800};
  replay = (tm__replay){.file = "a <b> & c.trace"};
  fill(&replay.recorded, "growth=100", 100 * MS, 64 * MIB);
  for (size_t i = 0; i < TM_ARRAY_LEN(percents); i++) {
    char name[32];
    (void)snprintf(name, sizeof name, "growth=%u", percents[i]);
    fill(&replay.rows[i], name, 10000 * MS / percents[i], (32 + 32 * percents[i] / 100) * MIB);
  }
  replay.count = TM_ARRAY_LEN(percents);
  tm__replay_mark_front(&replay);
  return 0;
}

static const char *drawn(void)
{
  static char text[65536];
  assert_true(tm__replay_plot(&replay, text, sizeof text) < sizeof text);
  return text;
}

/* Tags open and close in order; attributes are quoted. */
static void well_formed(const char *text)
{
  const char *names[32];
  size_t depth = 0;
  for (const char *at = text; (at = strchr(at, '<')); at++) {
    const char *end = strchr(at, '>');
    assert_non_null(end);
    size_t quotes = 0;
    for (const char *c = at + 1; c < end; c++) {
      quotes += *c == '"';
      assert_true(*c != '<');
    }
    assert_int_equal(quotes % 2, 0);
    size_t length = strcspn(at + 1, " />");
    if (at[1] == '/') {
      length = strcspn(at + 2, ">");
      assert_true(depth > 0);
      assert_memory_equal(names[--depth], at + 2, length);
    } else if (end[-1] != '/') {
      assert_true(depth < TM_ARRAY_LEN(names) && length > 0);
      names[depth++] = at + 1;
    }
  }
  assert_int_equal(depth, 0);
}

static size_t times(const char *text, const char *words)
{
  size_t n = 0;
  for (; (text = strstr(text, words)); text++)
    n++;
  return n;
}

/* Every x and y of the text, points and labels, is on the paper. */
static void inside(const char *text)
{
  static const struct {
    const char *name;
    double most;
  } names[] = {{" x=\"", 480}, {" cx=\"", 480}, {" y=\"", 600}, {" cy=\"", 600}};
  for (size_t i = 0; i < TM_ARRAY_LEN(names); i++)
    for (const char *at = text; (at = strstr(at, names[i].name)); at++) {
      double value = strtod(at + strlen(names[i].name), NULL);
      assert_true(value >= 0 && value <= names[i].most);
    }
}

typedef struct span {
  double left, right, y;
} span;

/* The label that begins there; the letters of the widest font that is likely. */
static span span_at(const char *at)
{
  const char *end = strchr(at, '>');
  double width = 7.6 * (double)strcspn(end + 1, "<");
  double x = strtod(strstr(at, " x=\"") + 4, NULL);
  return (span){x - width / 2, x + width / 2, strtod(strstr(at, " y=\"") + 4, NULL)};
}

/* No label is over another one, and none leaves the paper. */
static void labels_are_apart(const char *text)
{
  static const char mark[] = "<text class=\"label";
  for (const char *a = text; (a = strstr(a, mark)); a++) {
    span one = span_at(a);
    assert_true(one.left >= 0 && one.right <= 480);
    for (const char *b = a + 1; (b = strstr(b, mark)); b++) {
      span other = span_at(b);
      assert_true(fabs(one.y - other.y) >= 14 || one.right < other.left || other.right < one.left);
    }
  }
}

static void good(const char *text)
{
  well_formed(text);
  inside(text);
  labels_are_apart(text);
  assert_null(strstr(text, "nan"));
  assert_null(strstr(text, "inf"));
  assert_null(strstr(text, "href"));
  assert_null(strstr(text, "url("));
  assert_int_equal(times(text, "http"), 1); /* the name of SVG itself */
}

static void what_a_reader_needs(void **unused)
{
  (void)unused;
  const char *text = drawn();
  good(text);
  assert_non_null(strstr(text, "a &lt;b&gt; &amp; c.trace"));
  assert_non_null(strstr(text, ">peak footprint<"));
  assert_non_null(strstr(text, "time spent in actions, whole run (logarithmic)"));
  assert_non_null(strstr(text, "prefers-color-scheme:dark"));
  assert_true(times(text, " MiB</text>") >= 4); /* ticks have units */
  assert_true(times(text, " ms</text>") + times(text, " s</text>") >= 3);
  assert_int_equal(times(text, "<title>growth="), 7 + 1);
  assert_int_equal(times(text, "class=\"ring\""), 1 + 1); /* and in the legend */
  assert_int_equal(times(text, "class=\"front\""), 6 + 1);
  for (size_t i = 0; i < replay.count; i++) {
    char label[64];
    (void)snprintf(label, sizeof label, ">%s</text>", replay.rows[i].name);
    assert_true(times(text, label) >= 1);
  }
}

/* Names of points in one place: three of them, and how many others; names near by stay apart. */
static void equal_points_have_one_label(void **unused)
{
  (void)unused;
  for (size_t i = 2; i < 7; i++) /* five of seven: 50 and above */
    move_point(&replay.rows[i], 100 * MS, 512 * MIB);
  tm__replay_mark_front(&replay);
  const char *text = drawn();
  good(text);
  assert_int_equal(times(text, ">growth=50</text>"), 1);
  assert_int_equal(times(text, ">growth=200</text>"), 1);
  assert_int_equal(times(text, ">growth=400</text>"), 0);
  assert_int_equal(times(text, ">and 2 more</text>"), 1);
}

/* A label that found no place beside its point has a line to it. */
static void far_labels_lead_back(void **unused)
{
  (void)unused;
  assert_int_equal(times(drawn(), "class=\"leader\""), 0);
  for (size_t i = 0; i < 7; i++) /* close, but seen as seven */
    move_point(&replay.rows[i], 100 * MS + i * MS / 2, 100 * MIB);
  tm__replay_mark_front(&replay);
  good(drawn());
  assert_true(times(drawn(), "class=\"leader\"") >= 1);
}

/* Regression: a path as they are ran out of the paper. */
static void of_a_long_path_the_end_is_shown(void **unused)
{
  (void)unused;
  replay.file = "/0123456789/0123456789/0123456789/0123456789/\xc3\xa4\xc3\xa4\xc3\xa4/"
                "0123456789/0123456789/0123456789/0123456789/runs";
  const char *text = drawn();
  good(text);
  assert_null(strstr(text, ">/0123456789"));
  assert_non_null(strstr(text, ">\xe2\x80\xa6\xc3\xa4\xc3\xa4/0123456789/"));
  assert_non_null(strstr(text, "0123456789/runs</text>"));
}

static void a_soft_limit_is_a_line(void **unused)
{
  (void)unused;
  assert_null(strstr(drawn(), ">soft limit"));
  replay.rows[0].soft_bytes = 128 * MIB;
  assert_non_null(strstr(drawn(), ">soft limit 128 MiB</text>"));
  replay.rows[0].soft_bytes = 40 * MIB; /* regression: this was 40.0 */
  assert_non_null(strstr(drawn(), ">soft limit 40 MiB</text>"));
  replay.rows[0].soft_bytes = 1 << 30; /* far above: it would press all else flat */
  assert_null(strstr(drawn(), ">soft limit"));
}

static void poor_data(void **unused)
{
  (void)unused;
  replay.count = 0;
  good(drawn());
  fill(&replay.recorded, "off", 0, 0);
  good(drawn());
  replay.count = 1;
  fill(&replay.rows[0], "off", 0, 0);
  tm__replay_mark_front(&replay);
  good(drawn());
  fill(&replay.rows[0], "off", 0, UINT64_MAX / 4);
  good(drawn());
  fill(&replay.rows[0], "off", UINT64_MAX / 4, 1);
  good(drawn());
}

static void any_data(void **unused)
{
  (void)unused;
  for (uint64_t seed = 1; seed <= 300; seed++) {
    test_random random = {seed};
    replay.count = 1 + random_below(&random, TM__REPLAY_ROWS);
    uint64_t most_ns = (uint64_t)1 << random_below(&random, 60);
    uint64_t most_bytes = (uint64_t)1 << random_below(&random, 60);
    for (size_t i = 0; i < replay.count; i++)
      fill(&replay.rows[i], "growth=123", random_below(&random, most_ns),
           random_below(&random, most_bytes));
    replay.recorded.tally = replay.rows[0].tally;
    tm__replay_mark_front(&replay);
    good(drawn());
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(what_a_reader_needs, set_up),
      cmocka_unit_test_setup(equal_points_have_one_label, set_up),
      cmocka_unit_test_setup(far_labels_lead_back, set_up),
      cmocka_unit_test_setup(of_a_long_path_the_end_is_shown, set_up),
      cmocka_unit_test_setup(a_soft_limit_is_a_line, set_up),
      cmocka_unit_test_setup(poor_data, set_up),
      cmocka_unit_test_setup(any_data, set_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
