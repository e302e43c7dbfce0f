/* address.h - where a monitor listens: reading addresses, opening sockets, naming them. */
#ifndef TM_MONITOR_ADDRESS_H
#define TM_MONITOR_ADDRESS_H

#include <sys/socket.h>

#include "base/hints.h"

typedef struct tm__address {
  struct sockaddr_storage socket;
  socklen_t length;
} tm__address;

/* Reads "127.0.0.1:9464", "[::1]:0", "localhost:80", "*:9464" or "unix:/path". 0, or UV_EINVAL and
 * a sentence in why. */
TM_HIDDEN int tm__address_parse(const char *text, tm__address *out, char *why, size_t capacity);

/* The port that a listening descriptor has; 0: it is no internet socket. */
TM_HIDDEN int tm__address_port(int fd);

/* The host that reaches an internet socket, as a Host header writes it ("10.0.0.5", "[fe80::1]");
 * "" for others. */
TM_HIDDEN void tm__address_host(int fd, char *buffer, size_t capacity);

/* The path of a unix socket; "" for others. */
TM_HIDDEN void tm__address_path(int fd, char *buffer, size_t capacity);

#endif
