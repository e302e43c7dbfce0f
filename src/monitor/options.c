/* options.c - defaults, ranges, copies. */
#define _GNU_SOURCE
#include "monitor/options.h"

#include <string.h>

#include "stats/emit.h"

void tm_monitor_options_init(tm_monitor_options *options)
{
  memset(options, 0, sizeof *options);
  options->size = sizeof *options;
  options->address = "127.0.0.1:0";
  options->listen_fd = -1;
  options->sample_period_ms = 1000;
  options->header_deadline_ms = 5000;
  options->request_deadline_ms = 10000;
  options->write_deadline_ms = 10000;
  options->accept_retry_ms = 200;
}

static int complain(tm__monitor *m, const char *sentence)
{
  tm__emit e;
  tm__emit_init(&e, m->error, sizeof m->error);
  tm__emit_text(&e, sentence);
  (void)tm__emit_end(&e);
  return UV_EINVAL;
}

/* A name or name:port by commas; anything else would never match and be a mistake unseen. */
static bool hosts_are_sound(const char *hosts)
{
  for (const char *at = hosts; *at; at++)
    if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[], ", *at))
      return false;
  return true;
}

static int check(tm__monitor *m, const tm_monitor_options *o)
{
  static const uint64_t most_ms = 3600000;
  if (o->sample_period_ms < 10 || o->sample_period_ms > most_ms)
    return complain(m, "sample_period_ms: from 10 to 3600000");
  if (!o->header_deadline_ms || o->header_deadline_ms > most_ms || !o->request_deadline_ms ||
      o->request_deadline_ms > most_ms || !o->write_deadline_ms || o->write_deadline_ms > most_ms)
    return complain(m, "deadlines: from 1 to 3600000 ms");
  if (!o->accept_retry_ms || o->accept_retry_ms > most_ms)
    return complain(m, "accept_retry_ms: from 1 to 3600000");
  if (o->allowed_hosts && strlen(o->allowed_hosts) >= sizeof m->allowed)
    return complain(m, "allowed_hosts: longer than 511 bytes");
  if (o->allowed_hosts && !hosts_are_sound(o->allowed_hosts))
    return complain(m, "allowed_hosts: names or name:port, by commas, without http://");
  return 0;
}

int tm__options_take(tm__monitor *m, const tm_monitor_options *options)
{
  tm_monitor_options_init(&m->options);
  m->error[0] = 0;
  if (options && (options->size == 0 || options->size > sizeof *options))
    return complain(m, "options: not stamped by tm_monitor_options_init");
  /* a caller of an older header has fewer fields; the rest keep their defaults */
  if (options)
    memcpy(&m->options, options, options->size);
  int error = check(m, &m->options);
  if (error)
    return error;
  m->allowed[0] = 0;
  if (m->options.allowed_hosts)
    memcpy(m->allowed, m->options.allowed_hosts, strlen(m->options.allowed_hosts) + 1);
  m->options.allowed_hosts = m->allowed;
  return 0;
}
