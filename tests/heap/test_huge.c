/* test_huge.c - what the system is told about huge pages: the tables never, blocks when asked. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/types.h"
#include "support/books.h"

/* true iff the mapping that p is in has this flag in its VmFlags. */
static bool has_flag(const void *p, const char *flag)
{
  char line[512], *flags;
  unsigned long from, to;
  bool here = false, found = false;
  FILE *file = fopen("/proc/self/smaps", "r");
  must(file != NULL);
  while (fgets(line, sizeof line, file)) {
    if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
      here = (uintptr_t)p >= from && (uintptr_t)p < to;
    if (here && (flags = strstr(line, "VmFlags:")))
      found = strstr(flags, flag) != NULL;
  }
  (void)fclose(file);
  return found;
}

/* In a process of its own, because the arena is made once. Returns what was told. */
static int told(const char *setting)
{
  int status = 0;
  pid_t child = fork();
  must(child >= 0);
  if (child == 0) {
    if (setting)
      (void)setenv("TM_HUGE_PAGES", setting, 1);
    else
      (void)unsetenv("TM_HUGE_PAGES");
    const char *p = tm_malloc(tm_heap_default(), TM_MEM, 100);
    bool tables = has_flag((const void *)tm__arena.tags, " nh");
    _exit(p ? tables * 2 + has_flag(p, " hg") : 99);
  }
  must(waitpid(child, &status, 0) == child && WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void blocks_get_huge_pages_when_asked_for(void **state)
{
  (void)state;
  if (access("/sys/kernel/mm/transparent_hugepage", F_OK) != 0)
    skip();
  assert_int_equal(told(NULL), 2);
  assert_int_equal(told("0"), 2);
  assert_int_equal(told(""), 2);
  assert_int_equal(told("1"), 3);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(blocks_get_huge_pages_when_asked_for)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
