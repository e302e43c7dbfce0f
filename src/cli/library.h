/* library.h - where the libraries that COMMAND gets are. */
#ifndef TM_CLI_LIBRARY_H
#define TM_CLI_LIBRARY_H

#include <limits.h>

#include "cli/complaint.h"

/* The path of this program's own file; false iff the system does not tell. */
TM_HIDDEN bool tm__self_path(char path[PATH_MAX]);

/*
 * Finds `name` (e.g. "libtidemark-preload.so") beside the directory of the program `self`: in
 * ../lib, in ../lib/TRIPLET of multiarch systems, in ../lib64, or in the directory itself.
 * 0 and its absolute path, or TM_EXIT_FAILED: it is not there, or its path has a blank or colon,
 * which LD_PRELOAD cannot express.
 */
TM_HIDDEN int tm__library_find(const char *self, const char *name, char path[PATH_MAX],
                               tm__complaint *complaint);

/*
 * The value of LD_PRELOAD: ours first, so that its malloc wins, then what the person had (NULL or
 * empty: nothing), less ours. Writes at most `capacity` bytes with the NUL; false iff it is too
 * small.
 */
TM_HIDDEN bool tm__preload_value(const char *ours, const char *theirs, char *buffer,
                                 size_t capacity);

#endif
