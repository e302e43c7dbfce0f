/* profile.c - the functions of profile.h that read; those that start and stop are the heap's. */
#include <tidemark/profile.h>

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/outlet.h"
#include "profile/render.h"

static size_t whole_pages(size_t bytes)
{
  return (bytes + TM_OS_PAGE) & ~(size_t)(TM_OS_PAGE - 1); /* and a NUL */
}

static uint64_t wall_ns(void)
{
  struct timespec now = {0};
  (void)clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Compressing comes after the whole is there: in a mapping, not in the heap. */
static size_t emit_pprof(const tm__view *view, char *buffer, size_t capacity)
{
  tm__emit e;
  uint64_t time_ns = wall_ns();
  tm__emit_init(&e, NULL, 0);
  tm__pprof_emit(&e, view, time_ns);
  size_t length = tm__emit_end(&e), mapped = whole_pages(length);
  char *raw = tm__os_map(mapped);
  if (!raw)
    return 0;
  tm__emit_init(&e, raw, mapped);
  tm__pprof_emit(&e, view, time_ns);
  tm__emit_init(&e, buffer, capacity);
  tm__gzip_emit(&e, raw, length);
  (void)tm__os_unreserve(raw, mapped);
  return tm__emit_end(&e);
}

static size_t emit_view(const tm__view *view, tm_profile_format format, char *buffer,
                        size_t capacity)
{
  tm__emit e;
  if (format == TM_PROFILE_PPROF)
    return emit_pprof(view, buffer, capacity);
  tm__emit_init(&e, buffer, capacity);
  if (format == TM_PROFILE_HOLDERS)
    tm__holders_emit(&e, view);
  else
    tm__folded_emit(&e, view);
  return tm__emit_end(&e);
}

static bool is_format(tm_profile_format format)
{
  return format == TM_PROFILE_PPROF || format == TM_PROFILE_FOLDED || format == TM_PROFILE_HOLDERS;
}

size_t tm_profile_text(tm_profile_format format, char *buffer, size_t capacity)
{
  tm__view view;
  if (!is_format(format) || tm__view_take(&view))
    return 0;
  size_t length = emit_view(&view, format, buffer, capacity);
  tm__view_drop(&view);
  return length;
}

static int write_view(const tm__view *view, const tm__outlet *outlet, tm_profile_format format)
{
  size_t length = emit_view(view, format, NULL, 0), mapped = whole_pages(length);
  char *text = tm__os_map(mapped);
  if (!text)
    return TM_ENOMEM;
  (void)emit_view(view, format, text, mapped);
  bool written = tm__outlet_write(outlet, text, length, true);
  int saved = errno;
  (void)tm__os_unreserve(text, mapped);
  errno = saved;
  return written ? 0 : TM_EIO;
}

int tm_profile_write(const char *path, tm_profile_format format)
{
  tm__view view;
  if (!path || !is_format(format))
    return TM_EINVAL;
  tm__outlet outlet = tm__outlet_open(path);
  if (outlet.fd < 0)
    return TM_EIO;
  int error = tm__view_take(&view);
  if (!error) {
    error = write_view(&view, &outlet, format);
    tm__view_drop(&view);
  }
  int saved = errno;
  tm__outlet_close(&outlet);
  errno = saved;
  return error;
}

int tm_profile_read(tm_profile_info *out)
{
  tm__table_set *t = &tm__tables;
  if (!out)
    return TM_EINVAL;
  tm__lock_acquire(&t->lock);
  *out = (tm_profile_info){.mean_bytes = t->mean_bytes,
                           .samples_total = t->taken,
                           .samples_live = t->live,
                           .dropped_total = t->dropped,
                           .cut_total = t->cut,
                           .stacks = t->site_count};
  tm__lock_release(&t->lock);
  return 0;
}
