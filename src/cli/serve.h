/* serve.h - the listening socket that COMMAND's process inherits: this machine only. */
#ifndef TM_CLI_SERVE_H
#define TM_CLI_SERVE_H

#include "cli/complaint.h"

/*
 * Listens on `text`: ":9100", "9100", "127.0.0.1:9100", "localhost:9100", "[::1]:9100" or
 * "unix:/run/app.sock"; port 0 takes a free one. The descriptor is high, so that it is in nobody's
 * way, and not close-on-exec.
 * 0 and *fd, or TM_EXIT_USAGE (not an address, or not this machine's own), or TM_EXIT_FAILED (in
 * use, no permission, ...).
 */
TM_HIDDEN int tm__serve_open(const char *text, int *fd, tm__complaint *complaint);

#endif
