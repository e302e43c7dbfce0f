/*
 * monitor.h - the monitor: it samples the heaps of the process and serves what it sees over HTTP,
 * on a libuv loop. Five lines for a service that has a loop:
 *
 *   tm_monitor monitor;                          lives as long as a handle would
 *   tm_monitor_init(loop, &monitor);
 *   tm_monitor_start(&monitor, NULL);            http://127.0.0.1:PORT/, see tm_monitor_port
 *   uv_run(loop, UV_RUN_DEFAULT);                the monitor never keeps the loop alive
 *   tm_monitor_close(&monitor, on_closed);
 *
 * and one line for a process without a loop: tm_monitor_thread_start(-1).
 *
 * What holds for all of it:
 *   - functions return 0 or a negative UV_E* code; uv_strerror knows the sentence;
 *   - a monitor belongs to the thread of its loop, like every libuv handle; only tm_monitor_wake
 *     may be called from other threads;
 *   - its handles are unreferenced: a loop with nothing else to do ends. The monitor never runs,
 *     stops or walks the loop;
 *   - its memory (25 MiB of address space, backed only where it was used) is mapped by
 *     tm_monitor_init, outside every heap and outside malloc: serving changes no footprint;
 *   - after fork it does not run in the child.
 *
 * Routes, GET and HEAD only, one request per connection: / (the dashboard), /plain (a page without
 * script), /metrics (Prometheus text 0.0.4 or OpenMetrics 1.0.0, by Accept), /stats.json,
 * /log.json, /events (server-sent events), /doctor, /holders.json and /heap.pb.gz (when a profile
 * runs), /healthz.
 * There is nothing to change over HTTP. Limits are in docs/operations.md.
 */
#ifndef TIDEMARK_MONITOR_H
#define TIDEMARK_MONITOR_H

#include <tidemark/gc.h>
#include <tidemark/stats.h>

#ifdef __cplusplus
extern "C" {
#endif

/* uv_loop_t of <uv.h>, which this header does not include: it also serves programs that only start
 * the thread. */
struct uv_loop_s;

/* How a monitor works. Fill it with tm_monitor_options_init, change what you need. */
typedef struct tm_monitor_options {
  size_t size;                  /* of this struct, stamped by tm_monitor_options_init */
  const char *address;          /* where to listen: "127.0.0.1:9464", "[::1]:0", "localhost:0",
                                    "unix:/run/app.sock"; port 0 lets the system choose; NULL does
                                    not listen, it only samples. Default "127.0.0.1:0" */
  int listen_fd;                /* a socket that listens already, used instead of address; it is
                                    the monitor's from a start that succeeds. Default -1: none */
  const char *allowed_hosts;    /* further values of the Host header, by commas: "tm.example.org"
                                    (with the port that is listened on) or "tm.example.org:8080".
                                    localhost, 127.0.0.1, [::1] and the address that the client
                                    reached are always allowed. Default NULL */
  uint64_t sample_period_ms;    /* between two samples, 10 to 3,600,000. Default 1000 */
  uint64_t header_deadline_ms;  /* from accept to the end of the headers. Default 5000 */
  uint64_t request_deadline_ms; /* from accept until all that a client sends was taken. 10000 */
  uint64_t write_deadline_ms;   /* from the answer's first byte to its last. Default 10000 */
  uint64_t accept_retry_ms;     /* pause of accepting when descriptors ran out. Default 200 */
  tm_heap *deliver_heap;        /* its due actions run on the loop, by tm_poll: for a host whose
                                    hooks may run there. Takes the heap's notify until stop, so
                                    the heap must not be closed before. Default NULL: no delivery */
  tm_heap *pressure_heap;       /* what $MEMORY_PRESSURE_WATCH names (pressure.h) is waited for on
                                    the loop and posted to this heap, until stop. Default NULL:
                                    deliver_heap; without either nothing is watched */
} tm_monitor_options;

TM_API void tm_monitor_options_init(tm_monitor_options *options);

typedef struct tm_monitor tm_monitor;
typedef void (*tm_monitor_close_fn)(tm_monitor *monitor);

/* The caller owns it; it must stay where it is from tm_monitor_init until the close callback. */
struct tm_monitor {
  void *data;                /* yours; never touched */
  struct uv_loop_s *loop;    /* read only */
  struct tm__monitor *inner; /* the monitor's own */
};

/* Readies a monitor on loop; nothing runs yet. 0, UV_EINVAL iff an argument is NULL, UV_ENOMEM iff
 * the memory is refused, or what libuv reports. On failure there is nothing to close. */
TM_API int tm_monitor_init(struct uv_loop_s *loop, tm_monitor *monitor);

/*
 * Listens and samples, until stop. NULL options are the defaults; strings are copied.
 * 0, UV_EALREADY iff it runs, UV_EBUSY iff it was stopped and the loop did not run since,
 * UV_EINVAL iff an option is out of its range or the address cannot be read, UV_EADDRINUSE,
 * UV_EACCES, ... as the system reports; tm_monitor_error has the sentence. On failure nothing runs.
 */
TM_API int tm_monitor_start(tm_monitor *monitor, const tm_monitor_options *options);

/* Why the last tm_monitor_start failed, for people: "127.0.0.1:80: permission denied"; "" when it
 * did not. Valid until the next start or close. */
TM_API const char *tm_monitor_error(const tm_monitor *monitor);

/* Ends listening, connections and sampling; sockets are closed when it returns, a unix socket that
 * start made is removed. Samples are kept. 0 always; does nothing when it does not run. */
TM_API int tm_monitor_stop(tm_monitor *monitor);

/* Stops and gives everything back; cb (may be NULL) is called once, on the loop, when *monitor may
 * be reused or freed. 0, UV_EINVAL iff it was not initialised, UV_EALREADY iff it is closing. */
TM_API int tm_monitor_close(tm_monitor *monitor, tm_monitor_close_fn cb);

/* The TCP port that is listened on, also when the address said 0; 0 for a unix socket or when it
 * does not listen. */
TM_API int tm_monitor_port(const tm_monitor *monitor);

/* Where it can be reached: "http://127.0.0.1:43210/" or "unix:/run/app.sock"; "" when it does not
 * listen. Buffer rule of tm_stats_json. */
TM_API size_t tm_monitor_url(const tm_monitor *monitor, char *buffer, size_t capacity);

/* Wakes the loop to run what is due of deliver_heap. Any thread; allocates nothing, takes no lock;
 * many calls before the loop comes round wake it once. The heap's notify calls it by itself. */
TM_API void tm_monitor_wake(tm_monitor *monitor);

/* ---- Samples -------------------------------------------------------------------------------- */

enum { TM_MONITOR_SAMPLES = 3600, TM_MONITOR_HEAPS = 8 };

/* A heap at one moment. */
typedef struct tm_monitor_sample {
  uint64_t sequence; /* from 1 */
  uint64_t time_ns;  /* CLOCK_MONOTONIC */
  uint64_t footprint_bytes, live_bytes;
  int64_t informed_bytes;
  uint64_t committed_bytes, free_bytes, waste_bytes, dirty_bytes, meta_bytes;
  uint64_t fragmentation_bytes;
  uint64_t trip_bytes, soft_limit_bytes, hard_limit_bytes; /* 0 = none */
  uint64_t allocated_bytes_total, freed_bytes_total, allocs_total;
  uint64_t actions_total, action_ns_total; /* run so far, and their time */
} tm_monitor_sample;

/*
 * The next sample of heap `index` (as in tm_heap_at, the first TM_MONITOR_HEAPS are sampled).
 * *cursor starts at 0 and is the reader's own; a reader that was lapped continues at the oldest of
 * TM_MONITOR_SAMPLES. 1 = *out written, 0 = no more now or no such heap. On the loop's thread.
 */
TM_API int tm_monitor_sample_read(const tm_monitor *monitor, size_t index, uint64_t *cursor,
                                  tm_monitor_sample *out);

/* ---- Listening sockets ---------------------------------------------------------------------- */

/*
 * Opens the socket that `address` (see tm_monitor_options) names: bound, listening, non-blocking,
 * close-on-exec. For a launcher that hands it on to the process that serves. A unix socket is for
 * its owner only; a stale one (nobody listens) is replaced.
 * The descriptor, or a negative UV_E* and the sentence for people in `why` (may be NULL).
 */
TM_API int tm_monitor_listen(const char *address, char *why, size_t capacity);

/* As tm_monitor_url, for a listening descriptor. */
TM_API size_t tm_monitor_listen_url(int fd, char *buffer, size_t capacity);

/* ---- A thread of its own -------------------------------------------------------------------- */

/*
 * One monitor for the process, on a thread with a loop of its own; all signals are blocked there.
 * listen_fd is a listening socket, which becomes the monitor's; -1 listens on 127.0.0.1 at a port
 * that the system chooses. A forked child has no monitor and none of its sockets; it may start its
 * own. 0, UV_EALREADY iff it runs, UV_EBUSY iff it is being stopped, else a negative UV_E*
 * (listen_fd is then still the caller's). Any thread.
 */
TM_API int tm_monitor_thread_start(int listen_fd);

/* The same with options; NULL are the defaults. deliver_heap's hooks then run on that thread. */
TM_API int tm_monitor_thread_start_with(const tm_monitor_options *options);

/* Its port, as tm_monitor_port; 0 when it does not run. Any thread. */
TM_API int tm_monitor_thread_port(void);

/* Stops it and waits for its thread. Does nothing when it does not run. Any thread but its own. */
TM_API void tm_monitor_thread_stop(void);

/*
 * For a launcher that puts a monitor into a program that does not know of it: as
 * tm_monitor_thread_start, but on a thread with a table of file descriptors of its own, which runs
 * until the process ends. Whatever descriptors the program closes, the monitor's are not touched,
 * and none of them is inherited. The thread keeps listen_fd and kept_fd (-1: none) from the table
 * that it leaves; in the process's table listen_fd stays open and is the caller's to close.
 * 0, UV_EINVAL iff listen_fd is negative, UV_EALREADY iff it was called before in this process,
 * UV_ENOTSUP iff the kernel gives a thread no table of its own, else what libuv reports.
 */
TM_API int tm_monitor_apart_start(int listen_fd, int kept_fd);

#ifdef __cplusplus
}
#endif
#endif
