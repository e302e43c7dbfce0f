/*
 * report.c - saying what went wrong when nothing can be trusted: a fixed buffer on the stack and
 * write(2). No heap, no stdio, no locale, no lock.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/atomics.h"
#include "base/os.h"

static _Atomic(int) report_fd = 2;

/* The file behind report_fd when it was set; inode 0 is none. The program may close our descriptor
 * and get another file under its number: that one is not written to. */
static struct stat report_file;
static bool report_file_known;

void tm__report_fd_set(int fd)
{
  if (tm__os_fstat(fd, &report_file) != 0)
    report_file.st_ino = 0;
  report_file_known = true;
  atomic_store(&report_fd, fd);
}

static bool is_report_file(int fd)
{
  struct stat st;
  return tm__os_fstat(fd, &st) == 0 && st.st_ino == report_file.st_ino &&
         st.st_dev == report_file.st_dev;
}

/* Where to write now, or -1: the descriptor that was set, or standard error while it is the same
 * file. */
static int usable_fd(void)
{
  int fd = atomic_load(&report_fd);
  if (!report_file_known || is_report_file(fd))
    return fd;
  return is_report_file(STDERR_FILENO) ? STDERR_FILENO : -1;
}

typedef struct sink {
  char *buffer;
  size_t capacity, length;
} sink;

static void put(sink *s, char c)
{
  if (s->length + 1 < s->capacity)
    s->buffer[s->length++] = c;
}

static void put_text(sink *s, const char *text)
{
  for (; *text; text++)
    put(s, *text);
}

static void put_number(sink *s, uint64_t value, unsigned base)
{
  char digits[24];
  size_t n = 0;
  do {
    digits[n++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value);
  while (n)
    put(s, digits[--n]);
}

/* One directive; `longs` counts its l and z marks. Ours are 64 bit on every supported machine. */
static void put_directive(sink *s, char directive, int longs, va_list *args)
{
  switch (directive) {
  case 's': {
    const char *text = va_arg(*args, const char *);
    put_text(s, text ? text : "(null)");
    break;
  }
  case 'c':
    put(s, (char)va_arg(*args, int));
    break;
  case 'd': {
    int64_t value = longs ? va_arg(*args, int64_t) : va_arg(*args, int);
    if (value < 0)
      put(s, '-');
    put_number(s, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
    break;
  }
  case 'u':
  case 'x': {
    uint64_t value = longs ? va_arg(*args, uint64_t) : va_arg(*args, unsigned);
    put_number(s, value, directive == 'x' ? 16 : 10);
    break;
  }
  case 'p':
    put_text(s, "0x");
    put_number(s, (uintptr_t)va_arg(*args, void *), 16);
    break;
  default:
    put(s, directive);
  }
}

static size_t format_args(char *buffer, size_t capacity, const char *format, va_list *args)
{
  sink s = {buffer, capacity, 0};
  for (const char *f = format; *f; f++) {
    if (*f != '%') {
      put(&s, *f);
      continue;
    }
    int longs = 0;
    for (f++; *f == 'l' || *f == 'z'; f++)
      longs++;
    if (!*f)
      break;
    put_directive(&s, *f, longs, args);
  }
  if (capacity)
    buffer[s.length] = 0;
  return s.length;
}

size_t tm__format(char *buffer, size_t capacity, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  size_t length = format_args(buffer, capacity, format, &args);
  va_end(args);
  return length;
}

static void write_all(const char *text, size_t length)
{
  int saved = errno, fd = usable_fd();
  while (length) {
    ssize_t n = write(fd, text, length);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break; /* closed: nothing more can be said */
    text += n;
    length -= (size_t)n;
  }
  errno = saved;
}

static void say(const char *prefix, const char *format, va_list *args)
{
  char line[512];
  size_t length = tm__format(line, sizeof line, "tidemark: %s", prefix);
  length += format_args(line + length, sizeof line - length - 1, format, args);
  line[length++] = '\n';
  write_all(line, length);
}

void tm__report(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  say("", format, &args);
  va_end(args);
}

void tm__fatal(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  say("fatal: ", format, &args);
  va_end(args);
  abort();
}
