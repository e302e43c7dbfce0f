/*
 * profile.h - which code holds the memory: a sampled heap profile, and what is live at the end.
 *
 * While a profile runs, one byte in `mean_bytes` on the average is a sample point, and a request
 * that has one is remembered with the stack of its caller until the block is freed. What is told
 * are estimates for all blocks: each sample stands for 1 / (1 - exp(-bytes / mean_bytes)) of them,
 * which makes sums right on the average whatever the sizes. With n samples the usual error is
 * 1 / sqrt(n): 10 % for a hundred. Bytes are what the books charge.
 *
 * One profile for all heaps and threads of the process. Off, it costs nothing: a sample point is a
 * place where a thread's credit ends, which malloc compares anyway. Sampled blocks stand on pages
 * of their own, so that free recognizes them by the word that it reads anyway; each size class in
 * use takes a page of 64 KiB of addresses for them, hardly more than it uses of memory. The profile
 * itself is in memory outside of every heap and of its books: some 20 MiB of addresses, touched as
 * they fill, room for 16,384 different stacks and 262,144 live samples. What finds no room is
 * counted.
 *
 * A block that was resized belongs to who resized it. In totals a resize is a free and an alloc.
 * For a block that was shrunk and then grown, the estimate is of its last size only.
 *
 * A forked child does not sample, and may start its own profile.
 */
#ifndef TIDEMARK_PROFILE_H
#define TIDEMARK_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include <tidemark/heap.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TM_PROFILE_MEAN_BYTES 524288             /* the usual mean */
#define TM_PROFILE_MEAN_MOST ((uint64_t)1 << 40) /* and the largest */

/*
 * Starts an empty profile; 0 stands for TM_PROFILE_MEAN_BYTES, 1 samples every block. What was
 * allocated before is not in it.
 * 0, TM_EBUSY iff one runs, TM_EINVAL iff the mean is above TM_PROFILE_MEAN_MOST, TM_ENOMEM iff
 * there is no memory for the tables, TM_ENOTSUP iff the library was built without accounting. May
 * load the C library's unwinder, and allocates for that. Any thread; not inside a hook.
 */
TM_API int tm_profile_start(uint64_t mean_bytes);

/* Takes no more samples. What was taken can be read until the next start, and still follows the
 * frees. 0, TM_EINVAL iff none runs. Any thread. */
TM_API int tm_profile_stop(void);

typedef enum {
  TM_PROFILE_PPROF, /* gzipped protobuf, for `go tool pprof` and what else reads it: live and total,
                       objects and bytes; heap and pool as labels */
  TM_PROFILE_FOLDED, /* text, a line "outermost;...;innermost bytes" for each stack: live bytes */
  TM_PROFILE_HOLDERS /* JSON, the stacks that hold most, see below */
} tm_profile_format;

/*
 * What TM_PROFILE_HOLDERS has, for pages and scripts: one object and a line's end.
 *
 *   mean_bytes    of the profile; 0 when there was none
 *   running       whether samples are taken now
 *   samples_live  on which all of it rests
 *   live_bytes    what all stacks hold, those of `holders` included: the whole of a share
 *   holders       the twelve stacks that hold most, of any heap, the largest first:
 *     bytes, blocks  estimates of what is live
 *     heap, pool     names
 *     who            one frame to call it by: the innermost function of a host's that has a file
 *                    (a script's, not the interpreter's), else the innermost one
 *     frames         the innermost one first, at most twelve
 *     more           whether there are further frames
 */

/*
 * Writes the profile as it is now into the file at `path`, whose content is replaced, or which is
 * made. Names of functions are those that the programs' files have.
 * 0, TM_EINVAL iff path is NULL or the format unknown, TM_ENOMEM, TM_EIO and errno iff the file
 * cannot be written. Any thread; allocates nothing of any heap; takes some milliseconds, during
 * which others go on. An empty profile when there was none.
 */
TM_API int tm_profile_write(const char *path, tm_profile_format format);

/* The same into memory; buffer rule of tm_stats_json, but bytes that may be NUL. 0 iff the format
 * is unknown or there is no memory. */
TM_API size_t tm_profile_text(tm_profile_format format, char *buffer, size_t capacity);

/* Of the profile that was started last; all 0 when there was none. */
typedef struct tm_profile_info {
  uint64_t mean_bytes;
  uint64_t samples_total; /* taken since the start */
  uint64_t samples_live;  /* of them: blocks that are not freed */
  uint64_t dropped_total; /* of them: not kept, because a table was full */
  uint64_t cut_total;     /* of them: with more than 64 frames; the outer ones are missing */
  uint64_t stacks;        /* different ones */
} tm_profile_info;

/* 0, TM_EINVAL iff out is NULL. Any thread. */
TM_API int tm_profile_read(tm_profile_info *out);

/*
 * What is live in a heap, for people: bytes and blocks by pool (a host that makes a pool for each
 * type gets a line for each type), external bytes by tag, and, of the profile that was started
 * last, the ten stacks that hold most. Meant for the end of a program or of a heap, when nothing
 * should be left. Buffer rule of tm_stats_json; allocates nothing; any thread. "" for NULL.
 */
TM_API size_t tm_leaks_text(const tm_heap *heap, char *buffer, size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
