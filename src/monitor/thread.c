/*
 * thread.c - the one monitor of a process that has no loop.
 *
 * A forked child has no such thread. It must not have its sockets either: a connection whose socket
 * lives on in a child never ends for the client, and a port stays taken. So the child closes them,
 * and nobody may be between making one and noting it at the moment of the fork.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "monitor/inner.h"
#include "monitor/lifecycle.h"

enum { STACK_BYTES = 256 * 1024 };

static tm__lock the_lock = TM__LOCK_INIT;
static struct {
  enum { IDLE, RUNNING, STOPPING } state;
  bool guarded; /* the fork handlers are registered */
  pthread_t thread;
  uv_loop_t loop;
  uv_async_t end; /* referenced: it keeps the loop running */
  tm_monitor monitor;
  _Atomic(int) port;
} the;

/* ---- Fork ----------------------------------------------------------------------------------- */

static void before_fork(void)
{
  tm__lock_acquire(&the_lock);
}

static void after_fork_parent(void)
{
  tm__lock_release(&the_lock);
}

static void forget_thread(void)
{
  tm__monitor *m = the.monitor.inner;
  /* the port goes first: whoever sees its connection end may take the port at once */
  if (m && m->listen_fd >= 0)
    (void)close(m->listen_fd);
  for (size_t i = 0; m && i < TM__CONNECTIONS; i++)
    if (m->sockets[i])
      (void)close(m->sockets[i] - 1);
  (void)close(uv_backend_fd(&the.loop));
  the.state = IDLE;
  atomic_store(&the.port, 0);
}

static void after_fork_child(void)
{
  if (the.state != IDLE)
    forget_thread();
  tm__lock_release(&the_lock);
}

/* ---- The thread ----------------------------------------------------------------------------- */

static void on_end(uv_async_t *handle)
{
  (void)tm_monitor_close(&the.monitor, NULL);
  uv_close((uv_handle_t *)handle, NULL);
}

static void *run(void *unused)
{
  (void)unused;
  (void)uv_run(&the.loop, UV_RUN_DEFAULT);
  return NULL;
}

/* Ends what was begun by a start that failed. */
static int give_up(int error)
{
  (void)tm_monitor_close(&the.monitor, NULL);
  (void)uv_run(&the.loop, UV_RUN_DEFAULT);
  (void)uv_loop_close(&the.loop);
  return error;
}

/* All signals are the program's: none may be delivered here. */
static int start_thread(void)
{
  pthread_attr_t attributes;
  sigset_t all, before;
  int error = pthread_attr_init(&attributes);
  if (error)
    return -error;
  (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  error = pthread_create(&the.thread, &attributes, run, NULL);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  (void)pthread_attr_destroy(&attributes);
  if (!error)
    (void)pthread_setname_np(the.thread, "tidemark");
  return -error;
}

static int start(const tm_monitor_options *options)
{
  if (the.state != IDLE)
    return the.state == RUNNING ? UV_EALREADY : UV_EBUSY;
  /* this order: a fork takes the locks in the opposite one, ours first, as we do ourselves */
  if (tm__fds_guard() ||
      (!the.guarded && pthread_atfork(before_fork, after_fork_parent, after_fork_child)))
    return UV_ENOMEM;
  the.guarded = true;
  int error = uv_loop_init(&the.loop);
  if (error)
    return error;
  error = tm_monitor_init(&the.loop, &the.monitor);
  if (error) {
    (void)uv_loop_close(&the.loop);
    return error;
  }
  error = tm_monitor_start(&the.monitor, options);
  if (error)
    return give_up(error);
  error = uv_async_init(&the.loop, &the.end, on_end);
  if (error)
    return give_up(error);
  error = start_thread();
  if (error) {
    uv_close((uv_handle_t *)&the.end, NULL);
    return give_up(error);
  }
  atomic_store(&the.port, tm_monitor_port(&the.monitor));
  the.state = RUNNING;
  return 0;
}

/* ---- Public --------------------------------------------------------------------------------- */

int tm_monitor_thread_start_with(const tm_monitor_options *options)
{
  tm__lock_acquire(&the_lock);
  int error = start(options);
  tm__lock_release(&the_lock);
  return error;
}

int tm_monitor_thread_start(int listen_fd)
{
  tm_monitor_options options;
  tm_monitor_options_init(&options);
  options.listen_fd = listen_fd;
  return tm_monitor_thread_start_with(&options);
}

int tm_monitor_thread_port(void)
{
  return atomic_load(&the.port);
}

/* The lock is free while we wait: an action that runs on the thread may fork. */
void tm_monitor_thread_stop(void)
{
  tm__lock_acquire(&the_lock);
  bool mine = the.state == RUNNING && !pthread_equal(pthread_self(), the.thread);
  if (mine)
    the.state = STOPPING;
  tm__lock_release(&the_lock);
  if (!mine)
    return;
  (void)uv_async_send(&the.end);
  (void)pthread_join(the.thread, NULL);
  (void)uv_loop_close(&the.loop);
  tm__lock_acquire(&the_lock);
  atomic_store(&the.port, 0);
  the.state = IDLE;
  tm__lock_release(&the_lock);
}

/* libuv takes its own things down at exit; our loop must not run then. */
__attribute__((destructor)) static void stop_at_exit(void)
{
  tm_monitor_thread_stop();
}
