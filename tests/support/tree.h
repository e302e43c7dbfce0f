/* tree.h - a folder with fabricated files of the kernel, gone at the end of the test. */
#ifndef TM_TESTS_SUPPORT_TREE_H
#define TM_TESTS_SUPPORT_TREE_H

#include <dirent.h>
#include <ftw.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/check.h"

static char tree[256]; /* absolute, without a slash at its end */

static inline void tree_path(const char *name, char *path, size_t capacity)
{
  must((size_t)snprintf(path, capacity, "%s/%s", tree, name) < capacity);
}

/* Writes a file, and the folders on the way to it. */
static inline void tree_bytes(const char *name, const void *bytes, size_t count)
{
  char path[2048];
  tree_path(name, path, sizeof path);
  for (char *slash = strchr(path + strlen(tree) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    (void)mkdir(path, 0700);
    *slash = '/';
  }
  FILE *file = fopen(path, "w");
  must(file != NULL);
  must(fwrite(bytes, 1, count, file) == count);
  must(fclose(file) == 0);
}

static inline void tree_file(const char *name, const char *text)
{
  tree_bytes(name, text, strlen(text));
}

static inline int tree_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
  (void)st, (void)kind, (void)at;
  return remove(path);
}

static inline int tree_make(void **state)
{
  char here[200];
  (void)state;
  must(getcwd(here, sizeof here) != NULL);
  must((size_t)snprintf(tree, sizeof tree, "%s/tree-XXXXXX", here) < sizeof tree);
  return mkdtemp(tree) ? 0 : -1;
}

static inline int tree_remove(void **state)
{
  (void)state;
  return nftw(tree, tree_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#define tree_test(f) cmocka_unit_test_setup_teardown(f, tree_make, tree_remove)

/* How many descriptors are open: before and after, for leaks. */
static inline int count_open_fds(void)
{
  int count = 0;
  DIR *folder = opendir("/proc/self/fd");
  must(folder != NULL);
  while (readdir(folder))
    count++;
  (void)closedir(folder);
  return count;
}

#endif
