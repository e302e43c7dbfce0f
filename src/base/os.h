/*
 * os.h - everything that the library asks of the operating system, as one contract.
 *
 * Sizes are multiples of the OS page. Functions return 0 or a negative errno unless said otherwise.
 * Every call can be made to fail by tm__os_fault (tests): the Nth call from now, once or from then
 * on, so that each path of recovery is walked.
 */
#ifndef TM_BASE_OS_H
#define TM_BASE_OS_H

#include <pthread.h>
#include <sys/stat.h>

#include "base/hints.h"

enum { TM_OS_PAGE = 4096 };

/* Address space without access, aligned to `alignment` (a power of two). NULL iff refused. */
TM_HIDDEN void *tm__os_reserve(size_t bytes, size_t alignment);
/* Gives address space back. */
TM_HIDDEN int tm__os_unreserve(void *p, size_t bytes);
/* Makes reserved space usable: zero, not yet backed. */
TM_HIDDEN int tm__os_commit(void *p, size_t bytes);
/* Makes reserved space readable as zero; costs no memory until it is committed. */
TM_HIDDEN int tm__os_readable(void *p, size_t bytes);
/* Advice, which the system may ignore: whether the range may be backed by huge pages. */
TM_HIDDEN void tm__os_huge(void *p, size_t bytes, bool wanted);
/* Advice: all of the range will be written soon. The system backs it at once, if it can. */
TM_HIDDEN void tm__os_populate(void *p, size_t bytes);
/* Gives the memory behind p back now; it reads as zero afterwards. */
TM_HIDDEN int tm__os_purge(void *p, size_t bytes);
/* Moves the pages of `from` to `to` (both ours, both committed, no overlap); `from` reads as zero
 * afterwards. Page tables move, not bytes. */
TM_HIDDEN int tm__os_move(void *from, void *to, size_t bytes);
/* Bytes of the range that are resident in memory. */
TM_HIDDEN size_t tm__os_resident(const void *p, size_t bytes);
/* Usable zero memory for bookkeeping; NULL iff refused. */
TM_HIDDEN void *tm__os_map(size_t bytes);

/* CLOCK_MONOTONIC in ns; a test can put its own clock in (NULL: the real one again). */
TM_HIDDEN uint64_t tm__os_now_ns(void);
typedef uint64_t (*tm__clock_fn)(void *ctx);
TM_HIDDEN void tm__os_clock_set(tm__clock_fn fn, void *ctx);

/* Lets other threads run for about that long. */
TM_HIDDEN void tm__os_pause(uint64_t ns);

/* A barrier in every thread of the process that runs: afterwards a store before it is seen by
 * their later loads, and their earlier stores are seen by ours. false: the kernel has none. */
TM_HIDDEN bool tm__os_barrier_all(void);

/* As fstat: 0, or -1 and errno. */
TM_HIDDEN int tm__os_fstat(int fd, struct stat *st);

/* The value of an environment variable, or NULL. Works before libc's own start-up is finished. */
TM_HIDDEN const char *tm__os_env(const char *name);

/* Fails the nth call from now (1 = the next) of reserve, commit, purge, move, map; `sticky` fails
 * all later ones too. 0 switches it off. */
TM_HIDDEN void tm__os_fault(unsigned nth, bool sticky);
TM_HIDDEN unsigned long tm__os_calls(void); /* how many faultable calls were made */

/* Locks: an uncontended mutex that can be made new in a forked child. */
typedef pthread_mutex_t tm__lock;
#define TM__LOCK_INIT PTHREAD_MUTEX_INITIALIZER
TM_INLINE void tm__lock_acquire(tm__lock *lock)
{
  (void)pthread_mutex_lock(lock);
}
TM_INLINE void tm__lock_release(tm__lock *lock)
{
  (void)pthread_mutex_unlock(lock);
}
TM_INLINE void tm__lock_init(tm__lock *lock)
{
  *lock = (tm__lock)PTHREAD_MUTEX_INITIALIZER;
}

#endif
