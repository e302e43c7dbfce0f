/*
 * Requests that were changed at random: bytes, pieces, order. A fixed number of rounds from a fixed
 * seed, so that a failure comes again; TM_FUZZ_ROUNDS makes it more, TM_FUZZ_SEED another one.
 *
 * What must hold for each: a verdict comes, the same however the network cuts the text; nothing is
 * kept beyond its buffer; and what the guard lets pass is a GET or HEAD for a host of ours.
 */
#include "monitor/client.h"

#include "monitor/guard.h"
#include "monitor/request.h"
#include "support/random.h"

enum { ROUNDS = 30000, TEXT_MAX = 3000 };

static const char *const sound[] = {
    "GET / HTTP/1.1\r\nHost: localhost:9464\r\n\r\n",
    "HEAD /metrics HTTP/1.1\r\nHost: 127.0.0.1:9464\r\nAccept: text/plain;q=0.5, */*\r\n\r\n",
    "GET /events HTTP/1.1\r\nHost: [::1]:9464\r\nLast-Event-ID: 12345\r\n"
    "Accept: text/event-stream\r\nCache-Control: no-cache\r\n\r\n",
    "GET /app.js HTTP/1.1\r\nHost: tm.example.org\r\nAccept-Encoding: gzip, deflate, br\r\n"
    "If-None-Match: \"0123456789abcdef\", W/\"x\"\r\nOrigin: http://localhost:9464\r\n\r\n",
    "GET http://localhost:9464/stats.json HTTP/1.1\r\nHost: localhost:9464\r\n\r\n",
    "POST /log.json HTTP/1.1\r\nHost: localhost:9464\r\nContent-Length: 5\r\n\r\nhello",
    "GET /healthz HTTP/1.0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: localhost:9464\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: localhost:9464\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"};

static const char *const words[] = {"\r\n",
                                    "\n",
                                    "\r",
                                    ":",
                                    " ",
                                    "\t",
                                    ",",
                                    "\"",
                                    "\0",
                                    "HTTP/1.1",
                                    "HTTP/9.9",
                                    "Host: localhost:9464\r\n",
                                    "Host: evil.example\r\n",
                                    "Origin: null\r\n",
                                    "Content-Length: 99999999999999999999\r\n",
                                    "Transfer-Encoding: chunked\r\n",
                                    "Last-Event-ID: ",
                                    "If-None-Match: *\r\n",
                                    "\r\n\r\n",
                                    "http://",
                                    "@",
                                    "%00",
                                    "\xC3\xA9",
                                    "\xFF"};

typedef struct text {
  size_t length;
  char bytes[TEXT_MAX];
} text;

/* ---- Changes -------------------------------------------------------------------------------- */

static void insert(text *t, size_t at, const char *bytes, size_t count)
{
  if (t->length + count > TEXT_MAX)
    return;
  memmove(t->bytes + at + count, t->bytes + at, t->length - at);
  memcpy(t->bytes + at, bytes, count);
  t->length += count;
}

static void take_out(text *t, size_t at, size_t count)
{
  memmove(t->bytes + at, t->bytes + at + count, t->length - at - count);
  t->length -= count;
}

static void change(text *t, test_random *random)
{
  char copy[256];
  size_t at = random_below(random, t->length + 1);
  size_t rest = t->length - at, most = rest < sizeof copy ? rest : sizeof copy;
  size_t count = most ? random_below(random, most) + 1 : 0;
  const char *word = words[random_below(random, sizeof words / sizeof words[0])];
  const char *other = sound[random_below(random, sizeof sound / sizeof sound[0])];
  memcpy(copy, t->bytes + at, count);
  switch (random_below(random, 7)) {
  case 0:
    if (rest)
      t->bytes[at] = (char)random_below(random, 256);
    break;
  case 1:
    if (rest)
      t->bytes[at] ^= (char)(1 << random_below(random, 8));
    break;
  case 2:
    take_out(t, at, count < 20 ? count : 20);
    break;
  case 3:
    insert(t, at, copy, count);
    break;
  case 4:
    insert(t, at, word, *word ? strlen(word) : 1);
    break;
  case 5:
    insert(t, at, other, strlen(other));
    break;
  default:
    t->length = at;
  }
}

/* ---- Verdicts ------------------------------------------------------------------------------- */

/* Feeds t in pieces of `step` bytes at most, or of random ones. */
static void feed(tm__request *request, const text *t, size_t step, test_random *random)
{
  bool decided = false;
  tm__request_init(request);
  for (size_t at = 0; at < t->length && !decided;) {
    size_t piece = step ? step : random_below(random, 60) + 1;
    if (piece > t->length - at)
      piece = t->length - at;
    decided = tm__request_feed(request, t->bytes + at, piece);
    at += piece;
  }
  if (!decided)
    tm__request_end(request);
}

static void assert_bounded(const tm__text *kept)
{
  assert_true(kept->length < kept->capacity);
  assert_int_equal(kept->bytes[kept->length], 0);
}

static bool same_text(const tm__text *a, const tm__text *b)
{
  return a->length == b->length && a->cut == b->cut && a->seen == b->seen &&
         memcmp(a->bytes, b->bytes, a->length) == 0;
}

static bool same_verdict(const tm__request *a, const tm__request *b)
{
  bool same = a->status == b->status && a->complete == b->complete;
  if (!same || !a->complete || a->status)
    return same;
#define SAME(enumerator, name, kept, bytes, twice) same = same && same_text(&a->kept, &b->kept);
  TM__HEADERS(SAME)
#undef SAME
  return same && a->has_body == b->has_body && a->parser.method == b->parser.method &&
         same_text(&a->target, &b->target);
}

static void assert_answerable(tm__request *request)
{
  static const int statuses[] = {400, 403, 405, 408, 414, 431, 503, 505};
  const char *why = NULL;
  tm__guard guard = {9464, "tm.example.org", "127.0.0.1"};
  bool known = false;
  int status = request->status ? request->status : tm__guard_check(&guard, request, &why);
  for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
    known = known || status == statuses[i];
  if (status) {
    assert_true(known && (request->status || (why && *why)));
    return;
  }
  assert_true(request->complete && !request->has_body);
  assert_true(tm__request_is(request, HTTP_GET) || tm__request_is(request, HTTP_HEAD));
  assert_true(tm__guard_host(&guard, request->host.bytes, request->host.length));
  (void)tm__guard_accept(request->accept.bytes);
  (void)tm__guard_gzip(&request->encoding);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
  const char *value = getenv(name);
  return value ? strtoull(value, NULL, 10) : otherwise;
}

static void verdicts_do_not_depend_on_the_network(void **state)
{
  static tm__request whole, pieces;
  uint64_t rounds = setting("TM_FUZZ_ROUNDS", ROUNDS), seed = setting("TM_FUZZ_SEED", 20260711);
  test_random random = {seed};
  uint64_t passed = 0;
  (void)state;
  printf("seed %llu\n", (unsigned long long)seed);
  for (uint64_t round = 0; round < rounds; round++) {
    const char *start = sound[round % (sizeof sound / sizeof sound[0])];
    text t = {strlen(start), {0}};
    memcpy(t.bytes, start, t.length);
    for (uint64_t i = random_below(&random, 6); i > 0; i--)
      change(&t, &random);
    feed(&whole, &t, TEXT_MAX, &random);
    for (size_t step = 0; step < 2; step++) {
      feed(&pieces, &t, step, &random);
      if (!same_verdict(&whole, &pieces))
        fail_msg("round %llu: %d in one piece, %d in pieces: %.*s", (unsigned long long)round,
                 whole.status, pieces.status, (int)t.length, t.bytes);
    }
#define BOUNDED(enumerator, name, kept, bytes, twice) assert_bounded(&whole.kept);
    TM__HEADERS(BOUNDED)
#undef BOUNDED
    assert_bounded(&whole.target);
    passed += whole.status == 0;
    assert_answerable(&whole);
  }
  assert_true(passed > rounds / 20 && passed < rounds); /* both ways were gone */
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(verdicts_do_not_depend_on_the_network)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
