/*
 * preload.c - what happens in COMMAND's process besides malloc: once at its start and once at its
 * end. The symbols of shim.c serve long before this constructor runs.
 *
 *   start   environment -> limits, policy, group -> CPython's domains, or the trimmer -> monitor
 *   crossed the first time: the watcher, where there is something to watch
 *   fork    a child keeps the heap and its limits; it neither serves, records nor reports;
 *           it takes a place of its own in the group when it allocates
 *   exit    the end of the recording; the report, after the program's own output
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidemark/group.h>
#include <tidemark/pressure.h>
#include <tidemark/tidemark.h>
#include <tidemark/trace.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/os.h"
#include "base/outlet.h"
#include "gc/pressure.h"
#include "hosts/cpython/host.h"
#include "hosts/cpython/inside.h"
#include "hosts/malloc/names.h"
#include "hosts/malloc/profiled.h"
#include "hosts/malloc/report.h"
#include "hosts/malloc/serve.h"
#include "hosts/malloc/settings.h"
#include "hosts/malloc/trimmer.h"
#include "hosts/malloc/watcher.h"

/* Written by the constructor and in a forked child, read at the end. */
static struct {
  tm__settings settings;
  tm__outlet messages; /* a copy of standard error as it was at the start */
  tm__outlet report;   /* where the report goes */
  tm__outlet socket;   /* listening, inheritable: this process may exec and serve again */
  tm_limits *limits;   /* from the control group; NULL = not asked for */
  uint64_t start_ns;
  pid_t pid;
} run;

/* ---- The end -------------------------------------------------------------------------------- */

/* What the program printed comes first. The C library flushes after us, so it is done now; not by
 * fflush(NULL), which would wait for a thread that sits in a read. */
static void flush_output(void)
{
  if (ftrylockfile(stdout) != 0)
    return;
  (void)fflush_unlocked(stdout);
  funlockfile(stdout);
}

static bool ends_with(const char *text, const char *end)
{
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* Standard error as it was at the start: the copy of it, or itself when the program closed ours. */
static tm__outlet standard_error(void)
{
  tm__outlet itself = run.messages;
  itself.fd = STDERR_FILENO;
  return tm__outlet_holds(&run.messages) ? run.messages : itself;
}

/* To the file, which is opened again if the program closed it; else to standard error. */
static void write_report(const char *text, size_t length)
{
  bool to_file = strcmp(run.settings.report, "-") != 0;
  if (to_file && !tm__outlet_holds(&run.report))
    run.report = tm__outlet_open(run.settings.report);
  if (to_file && tm__outlet_write(&run.report, text, length, true))
    return;
  if (to_file)
    tm__report("the report could not be written to %s; here it is", run.settings.report);
  tm__outlet outlet = standard_error();
  (void)tm__outlet_write(&outlet, text, length, false);
}

static void tell_report(void)
{
  tm__facts facts;
  const tm_heap *heap = tm_heap_default();
  tm__facts_read(&facts, heap, run.start_ns);
  facts.policy = *run.settings.policy_text ? run.settings.policy_text : NULL;
  flush_output();
  if (!ends_with(run.settings.report, ".json")) {
    char text[4096];
    size_t length = tm__facts_text(&facts, text, sizeof text);
    write_report(text, length < sizeof text ? length : sizeof text - 1);
    return;
  }
  size_t capacity =
      (tm__facts_json(&facts, heap, NULL, 0) + 2 * TM_OS_PAGE) & ~((size_t)TM_OS_PAGE - 1);
  char *text = tm__os_map(capacity); /* not from the heap that it tells of */
  if (!text)
    return;
  size_t length = tm__facts_json(&facts, heap, text, capacity);
  write_report(text, length < capacity ? length : capacity - 1);
}

static void at_exit(int status, void *context)
{
  (void)context;
  if (getpid() != run.pid)
    return; /* a child that was forked, with or without our knowledge */
  if (*run.settings.record)
    (void)tm_trace_stop(tm_heap_default()); /* what ended it early was said then */
  if (*run.settings.report)
    tell_report();
  tm__outlet outlet = standard_error();
  if (*run.settings.leaks)
    flush_output();
  int instead = tm__profiled_end(&outlet);
  if (instead && status == 0)
    exit(instead); /* glibc goes on with what is left to do, and takes this status */
}

/* ---- Fork ----------------------------------------------------------------------------------- */

/* The copies go, so that a pipe that the child closes ends for its reader, and a port is free when
 * the parent ended. A report to standard error then uses descriptor 2, if it is still the same. */
static void in_forked_child(void)
{
  tm__trimmer_forget();
  tm__watcher_forget();
  tm__profiled_forget();
  run.settings.report = "";
  tm__outlet_close(&run.messages);
  tm__outlet_close(&run.report);
  tm__outlet_close(&run.socket);
}

/* ---- Groups --------------------------------------------------------------------------------- */

static const char *why_not_joined(int error)
{
  switch (error) {
  case TM_EINVAL:
    return "there is no such group, and no budget to make it with";
  case TM_ERANGE:
    return "its living members have another budget";
  case TM_EBUSY:
    return "all its places are taken";
  case TM_ENOTSUP:
    return "its file is of another version of tidemark, or of another container";
  case TM_EIO:
    return "its file cannot be opened, or belongs to another user";
  default:
    return tm_strerror(error);
  }
}

/* At once, not when somebody finds it dead. In a forked child this is about its own line. */
static void leave_group(int status, void *heap)
{
  (void)status;
  (void)tm_group_leave(heap);
}

/* A policy that was asked for stays: then the group only counts this process. */
static void join_group(tm__settings *s, tm_heap *heap)
{
  int error = tm_group_join(heap, s->group, s->budget_bytes);
  if (error) {
    if (s->is_run)
      tm__report("the group %s was not joined: %s; the program runs without it", s->group,
                 why_not_joined(error));
    return;
  }
  (void)on_exit(leave_group, heap);
  if (s->has_policy)
    return;
  tm_policy_init(&s->policy);
  s->policy.kinds = TM_POLICY_SHARED | TM_POLICY_PRESSURE;
  if (tm_policy_set(heap, &s->policy) == TM_OK)
    (void)tm__format(s->policy_text, sizeof s->policy_text, "shared");
}

/* ---- The start ------------------------------------------------------------------------------ */

static void apply(tm__settings *s)
{
  tm_heap *heap = tm_heap_default();
  if (!s->mismatch_given)
    (void)tm_mismatch_set(TM_MISMATCH_REPORT);
  int error = TM_OK;
  if (s->has_policy)
    error = tm_policy_set(heap, &s->policy);
  if (!error && s->hard_bytes)
    error = tm_limit_set(heap, TM_HARD, s->hard_bytes);
  if (!error && s->soft_bytes)
    error = tm_limit_set(heap, TM_SOFT, s->soft_bytes);
  if (error && s->is_run)
    tm__report("limits and policy could not be set: %s", tm_strerror(error));
  if (*s->group)
    join_group(s, heap);
  if (!s->group_limits)
    return;
  error = tm_limits_from_environment(heap, NULL, &run.limits);
  if (error && s->is_run)
    tm__report("no limits come from the control group: %s",
               error == TM_ENOTSUP ? "none of memory is in sight" : tm_strerror(error));
}

/* Python's own notify stands behind it. */
static void on_python_notify(void *context, tm_heap *heap)
{
  tm__watcher_need();
  tm__cpython_notify(context, heap);
}

/* What the system tells of memory is listened to, if it tells something. A FIFO or a socket has one
 * reader: the process that was started. */
static bool wish_watcher(const tm__settings *s)
{
  tm__watcher_wishes wishes = {.heap = tm_heap_default(),
                               .systemd =
                                   s->is_run ? tm__pressure_is_asked() : tm__pressure_is_shared(),
                               .limits = run.limits,
                               .kept_fd = run.messages.fd,
                               .speaks = s->is_run};
  if (!wishes.systemd && !wishes.limits)
    return false;
  tm__watcher_set(&wishes);
  return true;
}

static void open_outlets(tm__settings *s)
{
  run.messages = tm__outlet_copy(STDERR_FILENO);
  if (tm__outlet_holds(&run.messages))
    tm__report_fd_set(run.messages.fd);
  if (!*s->report || strcmp(s->report, "-") == 0)
    return;
  run.report = tm__outlet_open(s->report);
  if (!tm__outlet_holds(&run.report))
    tm__report("the report cannot be written to %s; it will come on standard error", s->report);
}

/* With the limits and the policy in force: a replay starts from them. */
static void start_recording(const tm__settings *s)
{
  if (tm_trace_start(tm_heap_default(), s->record))
    tm__report("nothing is recorded: %s cannot be written: %s", s->record, strerrordesc_np(errno));
}

/* The inherited socket, if that is what stands under its number. A child that was started by exec
 * lets it go. */
static void take_socket(const tm__settings *s)
{
  if (s->serve_fd < 0)
    return;
  tm__outlet socket = tm__outlet_of(s->serve_fd);
  if (socket.fd < 0 || socket.inode != (ino_t)s->serve_id)
    return;
  run.socket = socket;
  if (!s->is_run)
    tm__outlet_close(&run.socket);
}

/* The library is linked to be initialized before all others (-z initfirst): what they open is bound
 * to our names then, and their handlers around fork are younger than ours, so that these may
 * allocate. That is also before the C library has set environ. */
__attribute__((constructor)) static void start(int argc, char **argv, char **envp)
{
  tm__settings *s = &run.settings;
  int saved = errno; /* main starts with 0 */
  (void)argc;
  (void)argv;
  if (!environ)
    environ = envp;
  run.messages = run.report = run.socket = TM__OUTLET_NONE;
  run.start_ns = tm__os_now_ns();
  run.pid = getpid();
  tm__names_take();
  tm__settings_read(s, tm__os_env, (uint64_t)run.pid);
  take_socket(s);
  if (s->is_run)
    open_outlets(s);
  else
    tm__report_fd_set(STDERR_FILENO); /* not a copy: nobody's pipe is held open by a child */
  apply(s);
  if (s->is_run && *s->record)
    start_recording(s);
  if (s->is_run && tm__profiled_wanted(s))
    tm__cpython_profile(tm__profiled_write);
  bool python = tm__cpython_install(), watcher = wish_watcher(s);
  if (python)
    tm__cpython_finder_offer();
  if (!python && (s->has_policy || s->soft_bytes || s->hard_bytes || watcher))
    tm__trimmer_install(tm_heap_default());
  if (python && watcher)
    (void)tm_notify_set(tm_heap_default(), on_python_notify, NULL);
  if (s->is_run || run.socket.fd >= 0 || watcher)
    (void)pthread_atfork(NULL, NULL, in_forked_child);
  if (s->is_run && tm__profiled_wanted(s))
    tm__profiled_start(s);
  if (s->is_run && (*s->report || *s->record || tm__profiled_wanted(s)))
    (void)on_exit(at_exit, NULL);
  if (run.socket.fd >= 0)
    tm__serve_start(&run.socket, &run.messages);
  errno = saved;
}
