/* process.h - what the operating system knows of this process. */
#ifndef TM_STATS_PROCESS_H
#define TM_STATS_PROCESS_H

#include "stats/emit.h"

#define TM__UNKNOWN UINT64_MAX

/* Every number of the process, once: X(name, metric, type, help). The type is the metric's; names
 * that end in _ns are shown as seconds there. */
#define TM__PROCESS_FIELDS(X)                                                                      \
  X(cpu_ns, "process_cpu_seconds_total", "counter", "Time spent on processors, user and system.")  \
  X(resident_bytes, "process_resident_memory_bytes", "gauge", "Bytes in physical memory.")         \
  X(virtual_bytes, "process_virtual_memory_bytes", "gauge", "Bytes of address space.")             \
  X(virtual_max_bytes, "process_virtual_memory_max_bytes", "gauge", "Limit of address space.")     \
  X(open_fds, "process_open_fds", "gauge", "Open file descriptors.")                               \
  X(max_fds, "process_max_fds", "gauge", "Limit of open file descriptors.")                        \
  X(threads, "process_threads", "gauge", "Threads of the process.")                                \
  X(start_time_ns, "process_start_time_seconds", "gauge", "Start of the process, Unix time.")

#define TM__PROCESS_MEMBER(name, metric, type, help) uint64_t name;
typedef struct tm__process {
  TM__PROCESS_FIELDS(TM__PROCESS_MEMBER)
} tm__process;
#undef TM__PROCESS_MEMBER

/* Reads all of it; what cannot be known is TM__UNKNOWN. Some system calls, no allocation. */
TM_HIDDEN void tm__process_read(tm__process *out);

/* {"pid": ..., "version": ..., what is known of the fields above}. */
TM_HIDDEN void tm__process_json(tm__emit *e);

/* Reads a small file at once, ends it with NUL; the length, or 0. For files of the kernel. */
TM_HIDDEN size_t tm__file_read(const char *path, char *buffer, size_t capacity);

/* The number at *text (after blanks), *text moves behind it; false iff there is none. */
TM_HIDDEN bool tm__number_read(const char **text, uint64_t *value);

#endif
