/* groups.c - `tidemark groups`: which groups there are, and how their members stand. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidemark/group.h>

#include "cli/commands.h"
#include "gc/group_file.h"
#include "stats/units.h"

enum { COLUMN = 11, NAMES_MAX = 1024 };

static void print_size(double bytes, const char *unit)
{
  char text[32];
  if (bytes > 0)
    (void)tm__size_format((uint64_t)bytes, text, sizeof text);
  else
    (void)snprintf(text, sizeof text, "-");
  (void)printf("%*s%s", COLUMN, text, bytes > 0 ? unit : "  ");
}

static void print_row(const tm_group_row *row)
{
  char age[32];
  (void)tm__time_format(row->age_ns, age, sizeof age);
  (void)printf("  %8" PRIu64, row->pid);
  print_size((double)row->footprint_bytes, "");
  print_size((double)row->live_bytes, "");
  print_size((double)row->share_bytes, "");
  print_size(row->growth_bytes_per_s, "/s");
  print_size(row->collect_bytes_per_s, "/s");
  (void)printf("  %s ago\n", age);
}

static void print_group(const char *name, uint64_t budget_bytes, const tm_group_row *rows,
                        int count)
{
  uint64_t used = 0;
  char sum[24], budget[24];
  for (int i = 0; i < count; i++)
    used += rows[i].footprint_bytes;
  (void)tm__size_format(used, sum, sizeof sum);
  (void)tm__size_format(budget_bytes, budget, sizeof budget);
  (void)printf("%s: %s of %s, %d member%s\n", name, sum, budget, count, count == 1 ? "" : "s");
  if (count)
    (void)printf("  %8s%*s%*s%*s%*s%*s  %s\n", "PID", COLUMN, "FOOTPRINT", COLUMN, "LIVE", COLUMN,
                 "SHARE", COLUMN + 2, "GROWTH", COLUMN + 2, "COLLECTS", "SEEN");
  for (int i = 0; i < count; i++)
    print_row(&rows[i]);
}

static const char *why_not(int error)
{
  switch (error) {
  case TM_ENOTSUP:
    return "its file is of another version of tidemark, of another container, or no group";
  case TM_EIO:
    return "its file cannot be opened, or belongs to another user";
  default:
    return tm_strerror(error);
  }
}

static int show(const char *name, tm__complaint *complaint)
{
  static tm_group_row rows[TM_GROUP_MEMBERS];
  uint64_t budget_bytes;
  int count = tm_group_read(name, &budget_bytes, rows, TM_GROUP_MEMBERS);
  if (count == TM_EINVAL)
    return tm__complain(complaint, TM_EXIT_FAILED,
                        "there is no group '%s'; 'tidemark groups' lists those that are", name);
  if (count < 0)
    return tm__complain(complaint, TM_EXIT_FAILED, "the group '%s' cannot be shown: %s", name,
                        why_not(count));
  print_group(name, budget_bytes, rows, count);
  return 0;
}

static int compare(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of the files in the default directory that could be groups; the caller frees them. */
static size_t find_names(char *names[NAMES_MAX])
{
  char path[TM__GROUP_PATH];
  const char *base;
  size_t count = 0;
  if (tm__group_path("x", path, &base) != 0)
    return 0;
  size_t prefix = (size_t)(base - strrchr(path, '/') - 1);
  char *slash = strrchr(path, '/');
  *slash = 0;
  DIR *directory = opendir(path);
  for (struct dirent *entry; directory && (entry = readdir(directory)) && count < NAMES_MAX;)
    if (strncmp(entry->d_name, slash + 1, prefix) == 0) {
      names[count] = strdup(entry->d_name + prefix);
      count += names[count] != NULL;
    }
  if (directory)
    (void)closedir(directory);
  qsort(names, count, sizeof *names, compare);
  return count;
}

/* All that can be shown; of others only the last one's reason is told. */
static int show_all(tm__complaint *complaint)
{
  char *names[NAMES_MAX];
  size_t count = find_names(names);
  int result = 0;
  if (!count)
    (void)printf("There are no groups; 'tidemark run --group NAME --budget SIZE' makes one.\n");
  for (size_t i = 0; i < count; i++) {
    int shown = show(names[i], complaint);
    result = shown ? shown : result;
    free(names[i]);
  }
  return result;
}

int tm__command_groups(char **arguments, tm__complaint *complaint)
{
  if (*arguments && (strcmp(*arguments, "--help") == 0 || strcmp(*arguments, "-h") == 0))
    return tm__help_print("groups", complaint);
  if (*arguments && **arguments == '-')
    return tm__complain(complaint, TM_EXIT_USAGE,
                        "groups has no option %s; 'tidemark groups --help' tells more", *arguments);
  int result = *arguments ? 0 : show_all(complaint);
  for (; *arguments && !result; arguments++)
    result = show(*arguments, complaint);
  return result ? result : tm__print("", complaint);
}
