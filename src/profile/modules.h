/*
 * modules.h - what lies where in the process: the executable parts of /proc/self/maps, and of each
 * file the names of its functions and its build id. Read when a profile is written, never before;
 * nothing is asked of the dynamic loader and nothing is allocated.
 */
#ifndef TM_PROFILE_MODULES_H
#define TM_PROFILE_MODULES_H

#include "base/hints.h"

enum { TM__MODULES = 1024, TM__MAPS_BYTES = 1 << 20, TM__BUILD_ID = 64 };

typedef struct tm__module {
  uint64_t begin, end, offset; /* addresses; where `begin` is in the file */
  const char *path;            /* "" = none */
  char build_id[TM__BUILD_ID + 1];
  const unsigned char *file; /* mapped while names are used; NULL = cannot be read */
  size_t file_bytes;
} tm__module;

typedef struct tm__modules {
  size_t count;
  tm__module list[TM__MODULES];
  char text[TM__MAPS_BYTES]; /* of the maps; cut into the paths */
} tm__modules;

/* Cuts the text that stands in modules->text (`length` bytes, and room for a NUL) into the list.
 * Pure. */
TM_HIDDEN void tm__modules_parse(tm__modules *modules, size_t length);
/* Reads the maps of this process. */
TM_HIDDEN void tm__modules_read(tm__modules *modules);
/* The module of an address, or NULL. */
TM_HIDDEN tm__module *tm__modules_find(tm__modules *modules, uint64_t address);
/* Maps the module's file, once, and reads its build id. */
TM_HIDDEN void tm__module_open(tm__module *module);
TM_HIDDEN void tm__modules_close(tm__modules *modules);

/* Calls fn with the addresses and the name of each function of the module's file, which must be
 * open. */
typedef void (*tm__symbol_fn)(void *ctx, uint64_t begin, uint64_t end, const char *name);
TM_HIDDEN void tm__module_symbols(const tm__module *module, tm__symbol_fn fn, void *ctx);

#endif
