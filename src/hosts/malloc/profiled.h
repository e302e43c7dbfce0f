/* profiled.h - the heap profile of COMMAND's process, and what is told of leaks when it ends. */
#ifndef TM_HOSTS_MALLOC_PROFILED_H
#define TM_HOSTS_MALLOC_PROFILED_H

#include "base/outlet.h"
#include "hosts/malloc/settings.h"

/* Is anything of that asked for? */
TM_HIDDEN bool tm__profiled_wanted(const tm__settings *settings);
/* Starts the profile if one is asked for. */
TM_HIDDEN void tm__profiled_start(const tm__settings *settings);
/* Writes the profile's file, once: a host calls it before what its program holds is torn down. */
TM_HIDDEN void tm__profiled_write(void);
/* At the end of the process: the profile's file, if it was not written yet, and what is live, with
 * `fallback` for what has no file. Returns the exit status that takes the place of 0, or 0. */
TM_HIDDEN int tm__profiled_end(const tm__outlet *fallback);
/* A forked child has no file to write. */
TM_HIDDEN void tm__profiled_forget(void);

#endif
