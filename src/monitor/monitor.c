/* monitor.c - a monitor's life: init, start, stop, close. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "monitor/connection.h"
#include "monitor/deliver.h"
#include "monitor/lifecycle.h"
#include "monitor/listener.h"
#include "monitor/options.h"
#include "monitor/pressure.h"
#include "monitor/sampler.h"

/* ---- Descriptors and fork ------------------------------------------------------------------- */

tm__lock tm__fds_lock = TM__LOCK_INIT;
static int fds_guard_error;

static void lock_fds(void)
{
  tm__lock_acquire(&tm__fds_lock);
}

static void unlock_fds(void)
{
  tm__lock_release(&tm__fds_lock);
}

static void guard_fds(void)
{
  fds_guard_error = pthread_atfork(lock_fds, unlock_fds, unlock_fds) ? UV_ENOMEM : 0;
}

int tm__fds_guard(void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, guard_fds);
  return fds_guard_error;
}

/* ---- Handles -------------------------------------------------------------------------------- */

void tm__handle_opened(tm__monitor *m, uv_handle_t *handle)
{
  m->open_handles++;
  uv_unref(handle);
}

void tm__handle_closed(tm__monitor *m)
{
  if (--m->open_handles > 0 || !m->closing)
    return;
  tm_monitor *outer = m->outer;
  tm_monitor_close_fn cb = m->close_cb;
  outer->inner = NULL; /* before the memory goes: a fork's child looks there */
  (void)munmap(m, m->mapped_bytes);
  if (cb)
    cb(outer);
}

static void on_closed(uv_handle_t *handle)
{
  tm__handle_closed(handle->data);
}

static void close_handle(uv_handle_t *handle)
{
  uv_close(handle, on_closed);
}

static void open_timer(tm__monitor *m, uv_timer_t *timer)
{
  (void)uv_timer_init(m->loop, timer); /* cannot fail */
  timer->data = m;
  tm__handle_opened(m, (uv_handle_t *)timer);
}

/* libuv keeps an array of watchers that grows with the number of a descriptor, by realloc, while a
 * client is being served. Watching a high number once makes it large enough now. */
static void grow_watchers(tm__monitor *m)
{
  struct rlimit limit;
  int low = eventfd(0, EFD_CLOEXEC), most = 1000;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 2000)
    most = (int)(limit.rlim_cur / 2);
  int high = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, most);
  if (high >= 0 && uv_poll_init(m->loop, &m->grower, high) == 0) {
    m->grower.data = m;
    tm__handle_opened(m, (uv_handle_t *)&m->grower);
    (void)uv_poll_start(&m->grower, UV_READABLE, NULL);
    (void)uv_poll_stop(&m->grower);
    close_handle((uv_handle_t *)&m->grower);
  }
  if (high >= 0)
    (void)close(high);
  if (low >= 0)
    (void)close(low);
}

/* ---- Init ----------------------------------------------------------------------------------- */

static void on_wake(uv_async_t *handle)
{
  tm__monitor *m = handle->data;
  atomic_store(&m->woken, 0);
  if (tm__monitor_here(m))
    tm__deliver_run(m);
}

int tm_monitor_init(uv_loop_t *loop, tm_monitor *monitor)
{
  if (!loop || !monitor)
    return UV_EINVAL;
  size_t bytes = (sizeof(tm__monitor) + 4095) & ~(size_t)4095;
  tm__monitor *m = tm__fds_guard() ? NULL : tm__os_map(bytes);
  if (!m)
    return UV_ENOMEM;
  m->mapped_bytes = bytes;
  m->loop = loop;
  m->outer = monitor;
  m->listen_fd = -1;
  m->slot = -1;
  m->comment_ms = TM__COMMENT_MS;
  int error = uv_async_init(loop, &m->wake, on_wake);
  if (error) {
    (void)munmap(m, bytes);
    return error;
  }
  m->wake.data = m;
  tm__handle_opened(m, (uv_handle_t *)&m->wake);
  open_timer(m, &m->tick);
  open_timer(m, &m->deadline);
  open_timer(m, &m->due);
  open_timer(m, &m->retry);
  grow_watchers(m);
  monitor->loop = loop;
  monitor->inner = m;
  return 0;
}

/* ---- Start and stop ------------------------------------------------------------------------- */

uint64_t tm__thread_cpu_ns(void)
{
  struct timespec now;
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now))
    return 0;
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void on_tick(uv_timer_t *timer)
{
  tm__monitor *m = timer->data;
  if (!tm__monitor_here(m))
    return;
  tm__sample_take(m);
  tm__deliver_run(m);
  if (m->running) /* a hook may have stopped us */
    tm__connections_stream(m);
}

static void stop(tm__monitor *m)
{
  if (!m->running)
    return;
  m->running = false;
  tm__pressure_stop(m);
  tm__deliver_stop(m);
  (void)uv_timer_stop(&m->tick);
  (void)uv_timer_stop(&m->deadline);
  tm__listener_close(m);
  tm__connections_close(m);
}

bool tm__monitor_here(tm__monitor *m)
{
  if (m->pid == getpid())
    return true;
  stop(m);
  return false;
}

int tm_monitor_start(tm_monitor *monitor, const tm_monitor_options *options)
{
  tm__monitor *m = monitor ? monitor->inner : NULL;
  if (!m || m->closing)
    return UV_EINVAL;
  if (m->running)
    return UV_EALREADY;
  if (m->listener_closing || m->pressure_closing || m->in_use)
    return UV_EBUSY;
  m->pid = getpid();
  int error = tm__options_take(m, options);
  if (!error)
    error = tm__listener_open(m);
  m->options.address = NULL; /* the caller's string may go now */
  if (error)
    return error;
  error = tm__deliver_start(m);
  if (error) {
    if (m->listen_fd == m->options.listen_fd)
      m->listen_fd = -1; /* still the caller's */
    tm__listener_close(m);
    return error;
  }
  tm__pressure_start(m);
  m->running = true;
  (void)uv_timer_start(&m->tick, on_tick, 0, m->options.sample_period_ms);
  return 0;
}

int tm_monitor_stop(tm_monitor *monitor)
{
  if (monitor && monitor->inner)
    stop(monitor->inner);
  return 0;
}

int tm_monitor_close(tm_monitor *monitor, tm_monitor_close_fn cb)
{
  tm__monitor *m = monitor ? monitor->inner : NULL;
  if (!m)
    return UV_EINVAL;
  if (m->closing)
    return UV_EALREADY;
  stop(m);
  m->closing = true;
  m->close_cb = cb;
  close_handle((uv_handle_t *)&m->tick);
  close_handle((uv_handle_t *)&m->deadline);
  close_handle((uv_handle_t *)&m->due);
  close_handle((uv_handle_t *)&m->retry);
  close_handle((uv_handle_t *)&m->wake);
  return 0;
}

/* ---- Questions ------------------------------------------------------------------------------ */

const char *tm_monitor_error(const tm_monitor *monitor)
{
  return monitor && monitor->inner ? monitor->inner->error : "";
}

int tm_monitor_port(const tm_monitor *monitor)
{
  return monitor && monitor->inner ? monitor->inner->port : 0;
}

size_t tm_monitor_url(const tm_monitor *monitor, char *buffer, size_t capacity)
{
  const tm__monitor *m = monitor ? monitor->inner : NULL;
  return tm_monitor_listen_url(m ? m->listen_fd : -1, buffer, capacity);
}

void tm_monitor_wake(tm_monitor *monitor)
{
  if (monitor && monitor->inner)
    tm__deliver_wake(monitor->inner);
}
