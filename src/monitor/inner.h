/*
 * inner.h - the map of the monitor: what it is made of, and who touches what.
 *
 *   tm_monitor  (the caller's)  ->  tm__monitor  (one mapping, made by init, gone after close)
 *                                     handles     tick, deadline, due, retry, wake, listener
 *                                     connections 64 that are served, 16 that are told "503"
 *                                     answers     256 KiB each, one behind the other
 *                                     streams     4 connections of /events that stay
 *                                     samples     a ring for each of the first 8 heaps
 *                                     checkups    seven of each, a minute apart, for the doctor
 *
 * Everything here belongs to the thread of the loop, except `woken` and the static slots of
 * deliver.c. Nothing is allocated after init: under the preload library malloc is the heap that is
 * being watched. Handles are unreferenced as soon as they are made. No libuv requests are used: an
 * active request keeps a loop alive whatever uv_unref says, and a client that does not read would
 * hold up the host's end. So connections are sockets under uv_poll_t, read and written here.
 */
#ifndef TM_MONITOR_INNER_H
#define TM_MONITOR_INNER_H

#include <stdatomic.h>
#include <sys/types.h>
#include <uv.h>

#include <tidemark/doctor.h>
#include <tidemark/monitor.h>
#include <tidemark/pressure.h>

#include "base/hints.h"
#include "monitor/log_merge.h"
#include "monitor/request.h"

enum {
  TM__SERVED = 64,  /* connections that are answered */
  TM__REFUSED = 16, /* and that are told that there are too many */
  TM__CONNECTIONS = TM__SERVED + TM__REFUSED,
  TM__HEAD_BYTES = 1024,            /* room for the head of an answer, */
  TM__ANSWER_BYTES = 256 * 1024,    /* its body included; a larger body is mapped when needed */
  TM__QUEUED_BYTES = 256 * 1024,    /* of one answer wait in the kernel at most */
  TM__BIG_ANSWERS = 4,              /* larger bodies at a time, */
  TM__BIG_BYTES = 64 * 1024 * 1024, /* each of at most this size */
  TM__ALLOWED_BYTES = 512,
  TM__STREAMS = 4,       /* of the connections that are served */
  TM__COMMENT_MS = 15000 /* a stream that has nothing to say says so */
};

typedef enum {
  TM__FREE,      /* no socket, no handle */
  TM__READING,   /* the request comes */
  TM__WRITING,   /* the answer goes */
  TM__STREAMING, /* the answer has no end: stream.c writes on */
  TM__DRAINING,  /* all was said; what the client still sends is thrown away until it closes, or a
                   reset would overtake the answer */
  TM__CLOSING    /* the socket is closed, the handle not yet */
} tm__connection_state;

struct tm__monitor;
struct tm__connection;

/* How far a client of /events has got. */
typedef struct tm__stream {
  struct tm__connection *connection; /* NULL: free */
  bool greeted;
  bool more; /* there is more than was sent: the last piece was long enough, or the first comes */
  uint64_t after_ns;   /* the time of the latest sample that was sent */
  uint64_t decided_ns; /* decisions that ended before it are known to the client */
  uint64_t booked;     /* cost.samples when the books were sent last */
  uint64_t cursors[TM_MONITOR_HEAPS];
  struct {
    tm_heap *heap;
    uint64_t cursor, last_ns; /* the number and the time of the decision that was read last */
  } logs[TM__LOGS];
} tm__stream;

typedef struct tm__connection {
  uv_poll_t poll;
  struct tm__monitor *monitor;
  tm__connection_state state;
  bool refused; /* one too many: it is only told so */
  int fd;
  uint64_t accepted_ns, deadline_ns; /* uv_hrtime */
  char *answer;                      /* TM__ANSWER_BYTES of the mapping */
  const char *body;   /* in answer behind the head, or a big mapping, or a constant */
  tm__stream *stream; /* NULL: the answer has an end */
  size_t head_length, body_length, sent;
  size_t body_mapped; /* bytes of the big mapping; 0: none */
  size_t touched;     /* bytes of answer that were written, to give them back */
  int status;
  tm__request request;
} tm__connection;

typedef struct tm__ring {
  tm_heap *heap;  /* whose samples these are; another heap in its place starts the ring again */
  uint64_t count; /* samples ever; sequence numbers go on */
  uint64_t first; /* of this heap */
  tm_monitor_sample samples[TM_MONITOR_SAMPLES];
} tm__ring;

/* Earlier checkups of a heap, oldest first; another heap in its place starts again. */
enum { TM__CHECKUPS = 7 };
typedef struct tm__checkups {
  tm_heap *heap;
  size_t count;
  tm_checkup kept[TM__CHECKUPS];
} tm__checkups;

/* What the monitor itself costs: its own metrics. X(name, metric, type, help) */
#define TM__COST_FIELDS(X)                                                                         \
  X(samples, "tidemark_monitor_samples_total", "counter", "samples taken")                         \
  X(sample_cpu_ns, "tidemark_monitor_sample_cpu_seconds_total", "counter",                         \
    "processor time of sampling")                                                                  \
  X(serve_cpu_ns, "tidemark_monitor_serve_cpu_seconds_total", "counter",                           \
    "processor time of answering")                                                                 \
  X(connections, "tidemark_monitor_connections_total", "counter", "connections accepted")          \
  X(timeouts, "tidemark_monitor_timeouts_total", "counter", "connections that missed a deadline")  \
  X(accept_failures, "tidemark_monitor_accept_failures_total", "counter",                          \
    "times that no descriptor was left")                                                           \
  X(sent_bytes, "tidemark_monitor_sent_bytes_total", "counter", "bytes of answers sent")           \
  X(deliveries, "tidemark_monitor_deliveries_total", "counter", "actions run on the loop")         \
  X(pressure_events, "tidemark_monitor_pressure_events_total", "counter",                          \
    "events of memory pressure that were taken")

#define TM__COST_MEMBER(name, metric, type, help) uint64_t name;
typedef struct tm__cost {
  TM__COST_FIELDS(TM__COST_MEMBER)
} tm__cost;
#undef TM__COST_MEMBER

/* Every status that is ever answered. */
#define TM__STATUSES(X)                                                                            \
  X(200, "OK")                                                                                     \
  X(304, "Not Modified")                                                                           \
  X(400, "Bad Request")                                                                            \
  X(403, "Forbidden")                                                                              \
  X(404, "Not Found")                                                                              \
  X(405, "Method Not Allowed")                                                                     \
  X(408, "Request Timeout")                                                                        \
  X(414, "URI Too Long")                                                                           \
  X(431, "Request Header Fields Too Large")                                                        \
  X(503, "Service Unavailable")                                                                    \
  X(505, "HTTP Version Not Supported")
#define TM__STATUS_ENUM(code, text) TM__STATUS_##code,
enum { TM__STATUSES(TM__STATUS_ENUM) TM__STATUS_COUNT };
#undef TM__STATUS_ENUM

typedef struct tm__monitor {
  tm_monitor *outer;
  uv_loop_t *loop;
  size_t mapped_bytes;
  pid_t pid; /* the process that started it; in a forked child it ends itself */
  bool running, closing, listener_open, listener_closing;
  int open_handles; /* until 0 after close */
  tm_monitor_close_fn close_cb;

  uv_timer_t tick;     /* one sample */
  uv_timer_t deadline; /* the nearest of all connections */
  uv_timer_t due;      /* when a held back action can run */
  uv_timer_t retry;    /* accepting again */
  uv_async_t wake;
  _Atomic(int) woken; /* wake was sent and not yet seen */
  int slot;           /* of deliver.c; -1: none */

  uv_poll_t pressure; /* iff watch: its descriptor */
  tm_pressure_watch *watch;
  bool pressure_closing;

  uv_poll_t grower; /* see monitor.c:grow_watchers */
  uv_poll_t listener;
  int listen_fd;
  int port;            /* 0: a unix socket */
  char unix_path[108]; /* to remove at stop; "": not ours */
  dev_t unix_device;
  ino_t unix_inode;

  tm_monitor_options options; /* its strings are these: */
  char allowed[TM__ALLOWED_BYTES];
  char error[256];

  int in_use;                   /* connections that are not free */
  int sockets[TM__CONNECTIONS]; /* their descriptors plus 1, 0: none; what a fork's child closes */
  int big_answers;
  uint64_t comment_ms; /* TM__COMMENT_MS */
  tm__stream streams[TM__STREAMS];
  tm__cost cost;
  uint64_t answered[TM__STATUS_COUNT]; /* by status */
  tm__connection connections[TM__CONNECTIONS];
  tm__ring rings[TM_MONITOR_HEAPS];
  tm__checkups checkups[TM_MONITOR_HEAPS];
  _Alignas(4096) char answers[TM__CONNECTIONS][TM__ANSWER_BYTES];
} tm__monitor;

#endif
