/*
 * bench.h - what every benchmark program shares: options, random numbers, threads, the check that
 * the right allocator is there. Include it first: it asks libc for dladdr.
 *
 * A benchmark program
 *   - uses plain malloc, calloc, realloc and free, so that LD_PRELOAD chooses the allocator;
 *   - does a fixed amount of work from fixed seeds, so that arms do the same and take their time;
 *   - touches what it allocates, as programs do;
 *   - takes options as name=value, prints nothing or one line, and fails loudly.
 */
#ifndef TM_BENCH_BENCH_H
#define TM_BENCH_BENCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Failing -------------------------------------------------------------------------------- */

enum { BENCH_EXIT_USAGE = 2, BENCH_EXIT_FAILED = 3, BENCH_EXIT_WRONG_ALLOCATOR = 4 };

_Noreturn __attribute__((format(printf, 2, 3))) static inline void
bench_die(int code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  (void)fputs("bench: ", stderr);
  (void)vfprintf(stderr, format, args);
  (void)fputc('\n', stderr);
  va_end(args);
  exit(code);
}

/* The address may be known to anybody from here on: the compiler must not drop the pair of malloc
 * and free around it, nor the stores into the block. */
static inline void bench_use(void *p)
{
  __asm__ volatile("" : : "r"(p) : "memory");
}

static inline void *bench_malloc(size_t n)
{
  void *p = malloc(n);
  if (p == NULL) {
    bench_die(BENCH_EXIT_FAILED, "no memory for %zu bytes", n);
  }
  bench_use(p);
  return p;
}

/* ---- Options -------------------------------------------------------------------------------- */

/* One option of a program: name=value with lowest <= value <= highest. `words` (or NULL) names the
 * values from 0 on, separated by commas. */
typedef struct bench_option {
  const char *name;
  uint64_t value; /* the default before bench_begin, what holds after it */
  uint64_t lowest, highest;
  const char *words;
} bench_option;

/* The index of word in a list such as "lifo,fifo,random", or UINT64_MAX. */
static inline uint64_t bench_word_index(const char *words, const char *word)
{
  size_t length = strlen(word);
  for (uint64_t index = 0; words != NULL && *words != '\0'; index++) {
    size_t here = strcspn(words, ",");
    if (here == length && strncmp(words, word, length) == 0) {
      return index;
    }
    words += here;
    words += *words == ',';
  }
  return UINT64_MAX;
}

static inline void bench_option_set(bench_option *option, const char *text)
{
  char *end = NULL;
  errno = 0;
  uint64_t value = bench_word_index(option->words, text);
  if (option->words == NULL) {
    value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-') {
      bench_die(BENCH_EXIT_USAGE, "%s=%s is no number", option->name, text);
    }
  }
  if (value < option->lowest || value > option->highest) {
    bench_die(BENCH_EXIT_USAGE, "%s=%s is out of range (%s)", option->name, text,
              option->words != NULL ? option->words : "number");
  }
  option->value = value;
}

/* BENCH_ALLOCATOR, if set, is the file that malloc must come from: a preload that did not take
 * effect would compare an allocator with itself. */
static inline void bench_check_allocator(void)
{
  const char *wanted = getenv("BENCH_ALLOCATOR");
  Dl_info info;
  if (wanted == NULL || *wanted == '\0') {
    return;
  }
  void *symbol = dlsym(RTLD_DEFAULT, "malloc");
  if (symbol == NULL || dladdr(symbol, &info) == 0) {
    bench_die(BENCH_EXIT_WRONG_ALLOCATOR, "cannot tell where malloc comes from");
  }
  const char *slash = strrchr(info.dli_fname, '/');
  const char *base = slash != NULL ? slash + 1 : info.dli_fname;
  if (strcmp(base, wanted) != 0) {
    bench_die(BENCH_EXIT_WRONG_ALLOCATOR, "malloc comes from %s, wanted %s", info.dli_fname,
              wanted);
  }
}

/* Reads the arguments into options; ends the program on a bad one. */
static inline void bench_begin(int argc, char **argv, bench_option *options, size_t count)
{
  bench_check_allocator();
  for (int i = 1; i < argc; i++) {
    const char *equals = strchr(argv[i], '=');
    size_t length = equals != NULL ? (size_t)(equals - argv[i]) : 0;
    size_t k = 0;
    while (k < count && (equals == NULL || strlen(options[k].name) != length ||
                         strncmp(options[k].name, argv[i], length) != 0)) {
      k++;
    }
    if (k == count) {
      bench_die(BENCH_EXIT_USAGE, "unknown option %s", argv[i]);
    }
    bench_option_set(&options[k], equals + 1);
  }
}

/* ---- Random numbers and sizes --------------------------------------------------------------- */

/* xorshift64*: small, the same on every machine, and good enough to choose sizes. */
typedef struct bench_rng {
  uint64_t state;
} bench_rng;

static inline bench_rng bench_rng_new(uint64_t seed)
{
  return (bench_rng){(seed + 1) * UINT64_C(0x9E3779B97F4A7C15)};
}

static inline uint64_t bench_rng_next(bench_rng *rng)
{
  uint64_t x = rng->state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  rng->state = x;
  return (x * UINT64_C(0x2545F4914F6CDD1D)) >> 16;
}

/* 0 <= result < limit <= 2^32, without a division. */
static inline size_t bench_rng_below(bench_rng *rng, size_t limit)
{
  return (size_t)(((bench_rng_next(rng) & UINT32_MAX) * limit) >> 32);
}

/* A size as programs ask for: from 16 bytes on, each doubling half as often as the one before, so
 * that small blocks are most of the count and every doubling holds as many bytes. */
static inline size_t bench_rng_size(bench_rng *rng, unsigned doublings)
{
  uint64_t r = bench_rng_next(rng);
  unsigned octave = (unsigned)__builtin_ctzll(r | (UINT64_C(1) << (doublings - 1)));
  size_t base = (size_t)16 << octave;
  return base + (((r >> 32) & UINT16_MAX) * base >> 16);
}

/* Writes the first and the last byte of a block, and reads one: what a constructor and a destructor
 * touch. n >= 1. */
static inline void bench_touch(void *p, size_t n)
{
  volatile char *bytes = p;
  bytes[0] = 1;
  bytes[n - 1] = 2;
}

/* ---- Threads and time ----------------------------------------------------------------------- */

static inline pthread_t bench_thread_start(void *(*run)(void *), void *arg)
{
  pthread_t thread;
  int error = pthread_create(&thread, NULL, run, arg);
  if (error != 0) {
    bench_die(BENCH_EXIT_FAILED, "pthread_create: %s", strerror(error));
  }
  return thread;
}

static inline void bench_thread_join(pthread_t thread)
{
  int error = pthread_join(thread, NULL);
  if (error != 0) {
    bench_die(BENCH_EXIT_FAILED, "pthread_join: %s", strerror(error));
  }
}

static inline double bench_cpu_ns(void)
{
  struct timespec now;
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static inline int bench_compare_doubles(const void *a, const void *b)
{
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Sorts the values and returns the middle one. */
static inline double bench_median(double *values, size_t count)
{
  qsort(values, count, sizeof values[0], bench_compare_doubles);
  return values[count / 2];
}

#endif
