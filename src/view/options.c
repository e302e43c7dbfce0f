/* options.c - see options.h. */
#include "view/options.h"

#include <stdlib.h>
#include <string.h>

#include "cli/similar.h"

static const struct {
  const char *name;
  unsigned bit;
} flags[] = {{"--once", TM__TAKES_ONCE},
             {"--json", TM__TAKES_JSON},
             {"--follow", TM__TAKES_FOLLOW},
             {"--interval", TM__TAKES_INTERVAL}};

static int unknown(const char *command, const char *word, unsigned takes, tm__complaint *complaint)
{
  const char *names[TM_ARRAY_LEN(flags)];
  size_t count = 0;
  for (size_t i = 0; i < TM_ARRAY_LEN(flags); i++)
    if (flags[i].bit & takes)
      names[count++] = flags[i].name;
  const char *near = tm__most_similar(word, names, count);
  if (near)
    return tm__complain(complaint, TM_EXIT_USAGE, "%s has no option %s; did you mean %s?", command,
                        word, near);
  return tm__complain(complaint, TM_EXIT_USAGE,
                      "%s has no option %s; 'tidemark %s --help' tells more", command, word,
                      command);
}

/* Seconds, with at most three decimals, from 0.1 to a day. */
static int take_interval(const char *command, const char *text, uint64_t *ms,
                         tm__complaint *complaint)
{
  uint64_t value = 0;
  size_t whole = strspn(text, "0123456789"), decimals = 0;
  const char *at = text + whole;
  bool good = whole > 0 && whole < 7;
  for (size_t i = 0; i < whole; i++)
    value = value * 10 + (uint64_t)(text[i] - '0');
  value *= 1000;
  if (*at == '.')
    for (at++; *at >= '0' && *at <= '9' && decimals < 3; at++, decimals++)
      value += (uint64_t)(*at - '0') * (decimals == 0 ? 100 : decimals == 1 ? 10 : 1);
  if (!good || *at || value < 100 || value > 86400000)
    return tm__complain(complaint, TM_EXIT_USAGE,
                        "%s: '%s' is no interval; write seconds, from 0.1 to 86400", command, text);
  *ms = value;
  return 0;
}

static int take_flag(char ***arguments, const char *command, unsigned takes, tm__view_options *out,
                     tm__complaint *complaint)
{
  const char *word = **arguments, *value = strchr(word, '=');
  size_t length = value ? (size_t)(value - word) : strlen(word), i = 0;
  while (i < TM_ARRAY_LEN(flags) && (strlen(flags[i].name) != length || !(flags[i].bit & takes) ||
                                     strncmp(flags[i].name, word, length) != 0))
    i++;
  if (i == TM_ARRAY_LEN(flags))
    return unknown(command, word, takes, complaint);
  if (flags[i].bit == TM__TAKES_INTERVAL) {
    const char *text = value ? value + 1 : *++*arguments;
    if (!text)
      return tm__complain(complaint, TM_EXIT_USAGE, "%s: --interval needs a number of seconds",
                          command);
    return take_interval(command, text, &out->interval_ms, complaint);
  }
  if (value)
    return tm__complain(complaint, TM_EXIT_USAGE, "%s: %s takes no value", command, flags[i].name);
  out->once |= flags[i].bit == TM__TAKES_ONCE;
  out->json |= flags[i].bit == TM__TAKES_JSON;
  out->follow |= flags[i].bit == TM__TAKES_FOLLOW;
  return 0;
}

static int take_word(const char *word, int place, const char *command, unsigned takes,
                     tm__view_options *out, tm__complaint *complaint)
{
  char *end;
  if (place == 0) {
    out->target = word;
    return 0;
  }
  if (!(takes & TM__TAKES_COUNTS) || place > 2)
    return tm__complain(complaint, TM_EXIT_USAGE, "%s: '%s' is one argument too many", command,
                        word);
  if (place == 1)
    return take_interval(command, word, &out->interval_ms, complaint);
  out->count = strtoull(word, &end, 10);
  if (!out->count || *end || strspn(word, "0123456789") != strlen(word))
    return tm__complain(complaint, TM_EXIT_USAGE, "%s: '%s' is no number of lines", command, word);
  return 0;
}

int tm__view_options_parse(char **arguments, const char *command, unsigned takes,
                           tm__view_options *out, tm__complaint *complaint)
{
  int place = 0, result = 0;
  bool only_words = false;
  *out = (tm__view_options){.interval_ms = 1000};
  for (; *arguments && !result; arguments += *arguments != NULL) {
    if (!only_words && strcmp(*arguments, "--") == 0)
      only_words = true;
    else if (!only_words && **arguments == '-')
      result = take_flag(&arguments, command, takes, out, complaint);
    else
      result = take_word(*arguments, place++, command, takes, out, complaint);
  }
  return result;
}
