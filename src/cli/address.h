/* address.h - where the monitor is served: this machine only. */
#ifndef TM_CLI_ADDRESS_H
#define TM_CLI_ADDRESS_H

#include <sys/socket.h>

#include "cli/complaint.h"

typedef struct tm__address {
  struct sockaddr_storage socket;
  socklen_t length;
} tm__address;

/*
 * ":9100", "9100", "127.0.0.1:9100", "localhost:9100", "[::1]:9100", "unix:/run/app.sock". Port 0
 * asks the system for a free one. 0, or TM_EXIT_USAGE: not an address, or not this machine's own.
 */
TM_HIDDEN int tm__address_parse(const char *text, tm__address *address, tm__complaint *complaint);

/*
 * A listening socket, not close-on-exec. A unix socket is made for its owner only; a left-over one
 * that nobody listens on is replaced. 0 and *fd, or TM_EXIT_FAILED (in use, no permission, ...).
 */
TM_HIDDEN int tm__address_listen(const tm__address *address, int *fd, tm__complaint *complaint);

/* What a person types to reach the listening socket fd: "http://127.0.0.1:9100/",
 * "unix:/run/app.sock". Always ended by NUL. */
TM_HIDDEN void tm__address_name(int fd, char *buffer, size_t capacity);

#endif
