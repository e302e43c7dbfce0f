/* serve.h - the monitor in COMMAND's process. */
#ifndef TM_HOSTS_MALLOC_SERVE_H
#define TM_HOSTS_MALLOC_SERVE_H

#include "base/outlet.h"

/*
 * Loads the monitor's library, which stands beside ours, and starts its thread on the listening
 * socket. The thread has a table of descriptors of its own, with the socket and `reports` in it:
 * a program that closes every descriptor does not touch the monitor's, and finds none of them.
 * On failure one sentence, and the program runs on.
 */
TM_HIDDEN void tm__serve_start(const tm__outlet *socket, const tm__outlet *reports);

#endif
