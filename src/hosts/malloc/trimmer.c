/* trimmer.c - a thread that sleeps on a word of memory until there is something to do. */
#define _GNU_SOURCE
#include "hosts/malloc/trimmer.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/os.h"
#include "heap/heap.h"
#include "hosts/malloc/watcher.h"

enum { STACK_BYTES = 64 << 10 };

#define MILLISECOND ((uint64_t)1000000)
/* How long to sleep: while memory is dirty, one step of its decay; else longer and longer. */
#define DIRTY_NS (160 * MILLISECOND)
#define IDLE_NS (10000 * MILLISECOND)
#define RETRY_NS (50 * MILLISECOND)

static _Atomic(uint32_t) requests; /* counts notifies: the word that the thread sleeps on */
static _Atomic(bool) started;

/* Sleeps until a notify after `seen`, at most `ns`. */
static void sleep_until_request(uint32_t seen, uint64_t ns)
{
  struct timespec bound = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
  (void)syscall(SYS_futex, &requests, FUTEX_WAIT_PRIVATE, seen, &bound, NULL, 0);
}

/* When to look again; idle_ns is how long the last sleep with nothing to do was. */
static uint64_t next_sleep(tm_heap *heap, uint64_t dirty_bytes, uint64_t *idle_ns)
{
  if (!dirty_bytes && !tm_pending(heap)) {
    *idle_ns = *idle_ns * 2 < IDLE_NS ? *idle_ns * 2 : IDLE_NS;
    return *idle_ns;
  }
  *idle_ns = DIRTY_NS;
  if (!tm_pending(heap))
    return DIRTY_NS;
  uint64_t due_ns = tm_next_due_ns(heap), now_ns = tm__os_now_ns();
  uint64_t wait_ns = due_ns > now_ns ? due_ns - now_ns : RETRY_NS;
  return dirty_bytes && wait_ns > DIRTY_NS ? DIRTY_NS : wait_ns;
}

static void *trim_when_due(void *context)
{
  tm_heap *heap = context;
  uint64_t idle_ns = DIRTY_NS;
  uint32_t last = 0;
  for (;;) {
    uint32_t seen = atomic_load(&requests);
    if (seen != last) /* the program allocates: what it frees will want to go back soon */
      idle_ns = DIRTY_NS;
    last = seen;
    (void)tm_poll(heap);
    uint64_t dirty_bytes = tm__heap_tick(heap);
    sleep_until_request(seen, next_sleep(heap, dirty_bytes, &idle_ns));
  }
  return NULL;
}

/* Inside the program's malloc, with no lock of ours held. The thread gets a small stack and no
 * signal: the program's own handlers must run on its own threads. */
static void start(tm_heap *heap)
{
  pthread_attr_t attributes;
  pthread_t thread;
  sigset_t all, before;
  if (pthread_attr_init(&attributes) != 0)
    return;
  (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  if (pthread_create(&thread, &attributes, trim_when_due, heap) != 0)
    atomic_store(&started, false); /* the next crossing tries again */
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  (void)pthread_attr_destroy(&attributes);
}

static void on_notify(void *context, tm_heap *heap)
{
  (void)context;
  int saved = errno;
  atomic_fetch_add(&requests, 1);
  if (!atomic_exchange(&started, true))
    start(heap);
  else
    (void)syscall(SYS_futex, &requests, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
  errno = saved;
  tm__watcher_need();
}

void tm__trimmer_install(tm_heap *heap)
{
  (void)tm_notify_set(heap, on_notify, NULL);
}

void tm__trimmer_forget(void)
{
  atomic_store(&started, false);
}
