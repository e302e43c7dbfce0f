/* group_file.h - a group's file: its name, making it in one step, mapping it. */
#ifndef TM_GC_GROUP_FILE_H
#define TM_GC_GROUP_FILE_H

#include "gc/group_table.h"

enum { TM__GROUP_NAME = 48, TM__GROUP_PATH = 512 };

/* The file of `name`, see tm_group_join. *base (may be NULL) is where in `path` the name without
 * its directory starts. 0, or TM_EINVAL. */
TM_HIDDEN int tm__group_path(const char *name, char path[TM__GROUP_PATH], const char **base);

/* A file that is mapped, and which one it is. */
typedef struct tm__group_place {
  tm__group_table *table;
  uint64_t device, inode;
} tm__group_place;

/*
 * Maps the file at `path` for writing. Where there is none: makes one with this budget, so that
 * nobody ever sees half of it; with budget 0: TM_EINVAL. 0, or TM_ENOTSUP, TM_EIO, TM_ENOMEM as
 * tm_group_join. Holds no descriptor afterwards; allocates nothing, keeps errno. One thread at a
 * time.
 */
TM_HIDDEN int tm__group_open(const char *path, uint64_t budget_bytes, tm__group_place *out);
/* For who only looks. TM_EINVAL iff there is no such file. */
TM_HIDDEN int tm__group_peek(const char *path, tm__group_place *out);
TM_HIDDEN void tm__group_unmap(const tm__group_table *table);

#endif
