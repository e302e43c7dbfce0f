/*
 * pressure.c - a source of pressure under uv_poll_t. The source is closed only when libuv has let
 * go of its descriptor.
 */
#define _GNU_SOURCE
#include "monitor/pressure.h"

#include <poll.h>

#include "base/assert.h"
#include "monitor/lifecycle.h"

static void on_closed(uv_handle_t *handle)
{
  tm__monitor *m = handle->data;
  tm_pressure_close(m->watch);
  m->watch = NULL;
  m->pressure_closing = false;
  tm__handle_closed(m);
}

void tm__pressure_stop(tm__monitor *m)
{
  if (!m->watch || m->pressure_closing)
    return;
  m->pressure_closing = true;
  uv_close((uv_handle_t *)&m->pressure, on_closed);
}

static void drop(tm__monitor *m, const char *why)
{
  tm__report("memory pressure is not watched any more: %s", why);
  tm__pressure_stop(m);
}

static void on_event(uv_poll_t *handle, int status, int events);

static int wait_for_it(tm__monitor *m)
{
  bool first = tm_pressure_events(m->watch) == POLLPRI;
  return uv_poll_start(&m->pressure, first ? UV_PRIORITIZED : UV_READABLE, on_event);
}

static void on_event(uv_poll_t *handle, int status, int events)
{
  tm__monitor *m = handle->data;
  (void)events;
  if (!tm__monitor_here(m))
    return;
  int level = tm_pressure_read(m->watch);
  m->cost.pressure_events += level > TM_PRESSURE_NONE;
  if (level == TM_EAGAIN) { /* another descriptor under its number */
    (void)uv_poll_stop(&m->pressure);
    status = wait_for_it(m);
  }
  if (level < 0 && level != TM_EAGAIN)
    drop(m, tm_pressure_error(m->watch));
  else if (status < 0) /* libuv does not wait for it any more */
    drop(m, uv_strerror(status));
}

void tm__pressure_start(tm__monitor *m)
{
  tm_pressure_options options;
  char why[256];
  tm_pressure_options_init(&options);
  options.heap = m->options.pressure_heap ? m->options.pressure_heap : m->options.deliver_heap;
  if (!options.heap)
    return;
  int error = tm_pressure_open(TM_WATCH_SYSTEMD, &options, &m->watch, why, sizeof why);
  if (error) {
    const char *name = tm__os_env("MEMORY_PRESSURE_WATCH");
    if (error != TM_ENOTSUP || (name && *name == '/' && name[1] && *why == '/'))
      tm__report("memory pressure is not watched: %s", why);
    return;
  }
  error = uv_poll_init(m->loop, &m->pressure, tm_pressure_fd(m->watch));
  if (error) {
    tm__report("memory pressure is not watched: %s", uv_strerror(error));
    tm_pressure_close(m->watch);
    m->watch = NULL;
    return;
  }
  m->pressure.data = m;
  tm__handle_opened(m, (uv_handle_t *)&m->pressure);
  error = wait_for_it(m);
  if (error)
    drop(m, uv_strerror(error));
}
