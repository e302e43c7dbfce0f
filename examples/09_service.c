/*
 * 09_service.c - a long-running service that watches its own memory.
 *
 * Shows: a TCP server on a libuv loop that caches its answers in the private heap. The monitor runs
 * on the same loop: it samples, delivers due actions (the cache is evicted on the loop, between two
 * requests, never inside one) and serves /metrics, /stats.json and a page for people.
 *
 * Without an argument it is its own client, asks 3,000 times and says what happened. With a port it
 * serves until Ctrl-C: `./09_service 7000`, then `echo 42 | nc -N 127.0.0.1 7000`.
 *
 *   cc 09_service.c -o 09_service -pthread \
 *      $(pkg-config --cflags --libs tidemark-monitor libuv)
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uv.h>

#include <tidemark/monitor.h>
#include <tidemark/tidemark.h>

enum { ANSWERS = 4096, REQUESTS = 3000, SOFT_LIMIT = 32 << 20 };

/* ---- The cache: answers by number, the least recently used first ---------------------------- */

typedef struct answer {
  TAILQ_ENTRY(answer) by_use;
  unsigned number;
  unsigned users; /* replies that are being written from it */
  size_t bytes;
  char text[];
} answer;

static TAILQ_HEAD(, answer) recent = TAILQ_HEAD_INITIALIZER(recent);
static answer *answers[ANSWERS];
static unsigned long hits, misses, evicted;

static size_t answer_bytes(unsigned number)
{
  return 4000 + number * 37 % 120000;
}

static answer *answer_get(unsigned number)
{
  answer *a = answers[number];
  if (a) {
    hits++;
    TAILQ_REMOVE(&recent, a, by_use);
  } else {
    misses++;
    size_t bytes = answer_bytes(number);
    if (!(a = tm_malloc(tm_heap_default(), TM_MEM, sizeof *a + bytes)))
      return NULL;
    a->number = number;
    a->users = 0;
    a->bytes = bytes;
    memset(a->text, '.', bytes); /* "computing" it */
    a->text[bytes - 1] = '\n';
    answers[number] = a;
  }
  TAILQ_INSERT_TAIL(&recent, a, by_use);
  return a;
}

/* Evicts from the cold end until the engine's need is met; 0 is "as much as is cheap". */
static int drop_answers(void *ctx, const tm_event *event)
{
  uint64_t freed = 0, need = event->need_bytes ? event->need_bytes : event->footprint_bytes / 8;
  (void)ctx;
  for (answer *a = TAILQ_FIRST(&recent), *next; a && freed < need; a = next) {
    next = TAILQ_NEXT(a, by_use);
    if (a->users)
      continue;
    freed += tm_usable_size(a);
    TAILQ_REMOVE(&recent, a, by_use);
    answers[a->number] = NULL;
    tm_free(event->heap, TM_MEM, a);
    evicted++;
  }
  return freed ? TM_HOOK_DONE : TM_HOOK_NOTHING;
}

/* ---- The server: a number on a line is answered by a text, then the connection ends --------- */

typedef struct client {
  uv_tcp_t tcp;
  uv_write_t write;
  answer *answer;
  size_t length;
  char line[32];
} client;

static void client_closed(uv_handle_t *handle)
{
  client *c = handle->data;
  if (c->answer)
    c->answer->users--;
  free(c);
}

static void client_end(client *c)
{
  if (!uv_is_closing((uv_handle_t *)&c->tcp))
    uv_close((uv_handle_t *)&c->tcp, client_closed);
}

static void client_written(uv_write_t *write, int status)
{
  (void)status;
  client_end(write->handle->data);
}

static void client_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
  client *c = handle->data;
  (void)suggested;
  *out = uv_buf_init(c->line + c->length, (unsigned)(sizeof c->line - 1 - c->length));
}

static void client_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
  client *c = stream->data;
  (void)buffer;
  c->length += n > 0 ? (size_t)n : 0;
  bool whole = memchr(c->line, '\n', c->length) != NULL;
  if (n >= 0 && !whole)
    return;
  (void)uv_read_stop(stream);
  if (whole && (c->answer = answer_get((unsigned)strtoul(c->line, NULL, 10) % ANSWERS))) {
    uv_buf_t reply = uv_buf_init(c->answer->text, (unsigned)c->answer->bytes);
    c->answer->users++;
    if (uv_write(&c->write, stream, &reply, 1, client_written) == 0)
      return;
  }
  client_end(c);
}

static void server_connection(uv_stream_t *server, int status)
{
  client *c = status == 0 ? calloc(1, sizeof *c) : NULL;
  if (!c || uv_tcp_init(server->loop, &c->tcp) != 0) {
    free(c);
    return;
  }
  c->tcp.data = c;
  if (uv_accept(server, (uv_stream_t *)&c->tcp) != 0 ||
      uv_read_start((uv_stream_t *)&c->tcp, client_buffer, client_read) != 0)
    client_end(c);
}

static int server_listen(uv_loop_t *loop, uv_tcp_t *server, int port)
{
  struct sockaddr_in address;
  int error = uv_ip4_addr("127.0.0.1", port, &address);
  if (!error)
    error = uv_tcp_init(loop, server);
  if (!error)
    error = uv_tcp_bind(server, (const struct sockaddr *)&address, 0);
  return error ? error : uv_listen((uv_stream_t *)server, 64, server_connection);
}

static int server_port(const uv_tcp_t *server)
{
  struct sockaddr_in address;
  int length = sizeof address;
  (void)uv_tcp_getsockname(server, (struct sockaddr *)&address, &length);
  return ntohs(address.sin_port);
}

/* ---- A client, so that the example runs by itself ------------------------------------------- */

typedef struct visit {
  int service_port, monitor_port;
  unsigned long long bytes;
  char metrics[65536];
  uv_async_t done;
} visit;

/* Sends text and reads all of the reply; returns how much it was, `out` keeps what fits. */
static size_t ask(int port, const char *text, char *out, size_t capacity)
{
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  size_t total = 0, kept = 0;
  ssize_t n;
  char piece[4096];
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
      write(fd, text, strlen(text)) > 0)
    while ((n = read(fd, piece, sizeof piece)) > 0) {
      size_t fits = capacity - 1 - kept < (size_t)n ? capacity - 1 - kept : (size_t)n;
      memcpy(out + kept, piece, fits);
      kept += fits;
      total += (size_t)n;
    }
  (void)close(fd);
  out[kept] = 0;
  return total;
}

static void *client_main(void *arg)
{
  visit *v = arg;
  char line[64], reply[64];
  unsigned random = 1;
  for (int i = 0; i < REQUESTS; i++) {
    random = random * 1664525u + 1013904223u;
    (void)snprintf(line, sizeof line, "%u\n", (random >> 8) % (i % 2 ? ANSWERS : 100));
    v->bytes += ask(v->service_port, line, reply, sizeof reply);
  }
  (void)snprintf(line, sizeof line, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
                 v->monitor_port);
  (void)ask(v->monitor_port, line, v->metrics, sizeof v->metrics);
  (void)uv_async_send(&v->done);
  return NULL;
}

/* ---- The program ---------------------------------------------------------------------------- */

static void stop_by_client(uv_async_t *done)
{
  uv_stop(done->loop);
}

static void stop_by_signal(uv_signal_t *signal, int number)
{
  (void)number;
  uv_stop(signal->loop);
}

/* The line of text in which `word` stands. */
static void print_line(const char *text, const char *word)
{
  const char *line = strstr(text, word);
  while (line && line > text && line[-1] != '\n')
    line--;
  printf("  %.*s\n", line ? (int)strcspn(line, "\r\n") : 0, line ? line : "");
}

static void print_summary(const visit *v)
{
  tm_stats s;
  size_t all = 0;
  tm_stats_init(&s);
  (void)tm_stats_read(tm_heap_default(), &s);
  for (unsigned i = 0; i < ANSWERS; i++)
    all += answer_bytes(i);
  printf("%lu requests, %llu MiB: %lu from the cache, %lu made, %lu evicted\n", hits + misses,
         v->bytes >> 20, hits, misses, evicted);
  printf("all answers together take %zu MiB; the footprint stayed below %d MiB: %s\n", all >> 20,
         SOFT_LIMIT >> 20, s.footprint_peak_bytes <= SOFT_LIMIT ? "yes" : "no");
  if (!v->metrics[0])
    return;
  puts("what /metrics says of it:");
  print_line(v->metrics, "HTTP/1.1");
  print_line(v->metrics, "tidemark_heap_soft_limit_bytes{");
  print_line(v->metrics, "tidemark_heap_footprint_bytes{");
  print_line(v->metrics, "action=\"drop_caches\",result=\"done\"");
}

static void close_handle(uv_handle_t *handle, void *arg)
{
  (void)arg;
  if (!uv_is_closing(handle))
    uv_close(handle, handle->data ? client_closed : NULL);
}

int main(int argc, char **argv)
{
  static visit v;
  uv_loop_t *loop = uv_default_loop();
  static uv_tcp_t server;
  static uv_signal_t interrupt;
  tm_monitor monitor;
  tm_monitor_options options;
  pthread_t thread;

  (void)tm_limit_set(tm_heap_default(), TM_SOFT, SOFT_LIMIT);
  (void)tm_hook_add(tm_heap_default(), TM_DROP_CACHES, drop_answers, NULL, NULL);

  int error = server_listen(loop, &server, argc > 1 ? atoi(argv[1]) : 0);
  tm_monitor_options_init(&options);
  options.deliver_heap = tm_heap_default(); /* hooks run on the loop, between two callbacks */
  if (!error)
    error = tm_monitor_init(loop, &monitor);
  if (!error)
    error = tm_monitor_start(&monitor, &options);
  if (error) {
    fprintf(stderr, "09_service: %s\n", uv_strerror(error));
    return 1;
  }
  v.service_port = server_port(&server);
  v.monitor_port = tm_monitor_port(&monitor);
  printf("serving on port %d, watched at http://127.0.0.1:%d/\n", v.service_port, v.monitor_port);
  (void)fflush(stdout);

  (void)uv_signal_init(loop, &interrupt);
  (void)uv_signal_start(&interrupt, stop_by_signal, SIGINT);
  (void)uv_async_init(loop, &v.done, stop_by_client);
  bool alone = argc < 2 && pthread_create(&thread, NULL, client_main, &v) == 0;
  (void)uv_run(loop, UV_RUN_DEFAULT);
  if (alone)
    (void)pthread_join(thread, NULL);

  print_summary(&v);
  (void)tm_monitor_close(&monitor, NULL);
  (void)uv_run(loop, UV_RUN_NOWAIT);
  uv_walk(loop, close_handle, NULL);
  (void)uv_run(loop, UV_RUN_DEFAULT);
  printf("closed: %s\n", uv_loop_close(loop) == 0 ? "nothing is left on the loop" : "busy");
  return 0;
}
