/* version.h - the version, the export mark and the error codes. Every other header includes it. */
#ifndef TIDEMARK_VERSION_H
#define TIDEMARK_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

#define TM_VERSION_MAJOR 0
#define TM_VERSION_MINOR 1
#define TM_VERSION_PATCH 0
#define TM_VERSION_STRING "0.1.0"

#if defined(__GNUC__)
#define TM_API __attribute__((visibility("default")))
#else
#define TM_API
#endif

/*
 * Every error that a Tidemark function returns: X(name, value, sentence). The values are negative
 * and never change; 0 is success everywhere.
 */
#define TM_ERRORS(X)                                                                               \
  X(TM_EINVAL, -1, "an argument is out of its range")                                              \
  X(TM_ENOMEM, -2, "no memory: a limit or the operating system refused it")                        \
  X(TM_EBUSY, -3, "in use: try again when it is quiet")                                            \
  X(TM_ENOTSUP, -4, "not supported here")                                                          \
  X(TM_ERANGE, -5, "the result does not fit")                                                      \
  X(TM_EIO, -6, "the operating system reported an input or output error")                          \
  X(TM_EAGAIN, -7, "not now: the same call can succeed later")                                     \
  X(TM_ECORRUPT, -8, "the books do not balance: memory was overwritten")

#define TM__ERROR_ENUM(name, value, sentence) name = (value),
enum { TM_ERRORS(TM__ERROR_ENUM) TM_OK = 0 };
#undef TM__ERROR_ENUM

/* The sentence for `error` (one of TM_E*, or 0: "ok"); "unknown error" for any other number. Never
 * NULL, static storage, any thread, async-signal-safe. */
TM_API const char *tm_strerror(int error);

/* The version of the library that runs, e.g. "0.1.0"; static storage. Compare it with
 * TM_VERSION_STRING to find out whether the header and the library belong together. */
TM_API const char *tm_version(void);

#ifdef __cplusplus
}
#endif
#endif
