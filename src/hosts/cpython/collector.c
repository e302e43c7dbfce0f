/*
 * collector.c - the thread that steps in when the main thread is away.
 *
 * Pending calls run in the main thread only, between two bytecodes. While that thread waits in a
 * join, or works in C without the GIL, other threads go on allocating and nobody serves a request.
 * So each request also wakes this thread; it gives the main thread a few milliseconds, and if the
 * request still waits then, it takes the GIL like any thread and serves it itself.
 *
 * It is started by the first request in a process that has threads already. A program with one
 * thread does not need it: who crosses the trip is the main thread, on its way to a bytecode. And
 * it would pay for it: libc's locks do without atomic instructions until the first thread starts.
 *
 * `lock` guards `state`, `quit` and `inside`, and is held for a few instructions only. Whoever
 * wants the thread gone sets `quit` while it is not `inside`: then it will not enter Python again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/single_threaded.h>
#include <time.h>

#include "base/atomics.h"
#include "base/os.h"
#include "heap/heap.h"
#include "hosts/cpython/inside.h"
#include "hosts/cpython/pyapi.h"

#define NS_PER_S UINT64_C(1000000000)
enum {
  GRACE_NS = 3 * 1000 * 1000, /* what the main thread has to come by itself */
  EXPEL_NS = 100 * 1000,      /* between two looks whether the thread has left, */
  EXPEL_LOOKS = 1000,         /* and how many, before the end goes on without it */
  TICK_S = 1,                 /* between two looks while free pages wait to be given back, */
  TICK_MAX_S = 64,            /* and the most that it doubles to while there are none */
};

typedef enum { ABSENT, STARTING, RUNNING } presence;

static tm__lock lock = TM__LOCK_INIT;
static sem_t bell;
static pthread_t thread;
static presence state;
static bool quit;
static bool inside;                /* waits for the GIL, or holds it */
static _Atomic(bool) main_is_away; /* the last request was not served by the main thread */

/* ---- The thread ----------------------------------------------------------------------------- */

static bool must_quit(void)
{
  tm__lock_acquire(&lock);
  bool answer = quit;
  tm__lock_release(&lock);
  return answer;
}

static bool request_waits(void)
{
  return tm__cpython_asked() && tm__cpython_ready() && !must_quit();
}

/* true iff it may call Python from now on. */
static bool enter(void)
{
  tm__lock_acquire(&lock);
  inside = !quit;
  bool entered = inside;
  tm__lock_release(&lock);
  return entered;
}

static void leave(void)
{
  tm__lock_acquire(&lock);
  inside = false;
  tm__lock_release(&lock);
}

/* An interpreter that finalizes ends threads that wait for the GIL, by pthread_exit. */
static void leave_for_good(void *unused)
{
  (void)unused;
  tm__lock_acquire(&lock);
  inside = false;
  state = ABSENT;
  tm__lock_release(&lock);
  (void)pthread_detach(pthread_self());
}

static void step_in(void)
{
  if (!enter())
    return;
  if (tm__cpython_ready()) { /* from here on, whoever ends the interpreter waits for us */
    pthread_cleanup_push(leave_for_good, NULL);
    int gil = PyGILState_Ensure();
    if (request_waits()) {
      atomic_store(&main_is_away, true);
      tm__cpython_serve();
    }
    PyGILState_Release(gil);
    pthread_cleanup_pop(0);
  }
  leave();
}

/* Waits for a ring, ns at the most. false iff the time is up. */
static bool wait_ring(uint64_t ns)
{
  struct timespec until;
  (void)clock_gettime(CLOCK_MONOTONIC, &until);
  uint64_t sum = (uint64_t)until.tv_nsec + ns;
  until.tv_sec += (time_t)(sum / NS_PER_S);
  until.tv_nsec = (long)(sum % NS_PER_S);
  return sem_clockwait(&bell, CLOCK_MONOTONIC, &until) == 0 || errno != ETIMEDOUT;
}

/* Gives the main thread its time. true iff the request still waits then. */
static bool outlasts_grace(void)
{
  uint64_t now_ns = tm__os_now_ns();
  uint64_t until_ns = now_ns + (atomic_load(&main_is_away) ? 0 : GRACE_NS);
  for (; request_waits() && now_ns < until_ns; now_ns = tm__os_now_ns())
    (void)wait_ring(until_ns - now_ns);
  return request_waits();
}

/* The thread waits anyway, so it also sees to it that an idle process gives free pages back. */
static void idle(void)
{
  static uint64_t pause_s = TICK_S; /* the thread's own */
  if (tm__heap_tick(tm_heap_default()) > 0)
    pause_s = TICK_S;
  else if (pause_s < TICK_MAX_S)
    pause_s *= 2;
  if (wait_ring(pause_s * NS_PER_S))
    pause_s = TICK_S; /* something happens again */
}

static void *collector_main(void *unused)
{
  (void)unused;
  while (!must_quit()) {
    if (!request_waits())
      idle();
    else if (outlasts_grace())
      step_in();
  }
  return NULL;
}

/* ---- What others call ----------------------------------------------------------------------- */

/* Signals are for the program's own threads. */
static bool start_thread(void)
{
  sigset_t all, before;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread, NULL, collector_main, NULL);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (!error)
    (void)pthread_setname_np(thread, "tidemark");
  return !error;
}

void tm__cpython_collector_wake(void)
{
  if (__libc_single_threaded)
    return;
  tm__lock_acquire(&lock);
  bool starts = state == ABSENT;
  if (starts) {
    state = STARTING; /* whoever crosses while the thread is being made finds it so */
    quit = false;
  }
  tm__lock_release(&lock);
  if (!starts) {
    (void)sem_post(&bell);
    return;
  }
  bool started = start_thread();
  tm__lock_acquire(&lock);
  state = started ? RUNNING : ABSENT;
  tm__lock_release(&lock);
}

void tm__cpython_collector_main_is_back(void)
{
  atomic_store(&main_is_away, false);
}

bool tm__cpython_collector_stop(void)
{
  tm__lock_acquire(&lock);
  bool ends = state == RUNNING && !inside;
  bool absent = state == ABSENT;
  quit = quit || ends;
  tm__lock_release(&lock);
  if (!ends)
    return absent;
  (void)sem_post(&bell);
  (void)pthread_join(thread, NULL);
  state = ABSENT;
  return true;
}

void tm__cpython_collector_expel(void)
{
  const struct timespec pause = {0, EXPEL_NS};
  for (int look = 0; look < EXPEL_LOOKS && !tm__cpython_collector_stop(); look++)
    (void)nanosleep(&pause, NULL);
}

void tm__cpython_collector_init(void)
{
  tm__lock_init(&lock);
  (void)sem_init(&bell, 0, 0);
  state = ABSENT;
  quit = inside = false;
  atomic_store(&main_is_away, false);
}
