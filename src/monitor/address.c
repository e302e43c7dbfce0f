/* address.c - addresses as people write them. No resolver: it allocates, blocks, and would let a
 * name decide who may connect. */
#define _GNU_SOURCE
#include "monitor/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <tidemark/monitor.h>

#include "stats/emit.h"

/* ---- Sentences ------------------------------------------------------------------------------ */

/* "subject: sentence" into why; returns error. */
static int complain(int error, char *why, size_t capacity, const char *subject,
                    const char *sentence)
{
  tm__emit e;
  tm__emit_init(&e, why, why ? capacity : 0);
  tm__emit_text(&e, subject);
  tm__emit_text(&e, ": ");
  tm__emit_text(&e, sentence);
  (void)tm__emit_end(&e);
  return error;
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* The decimal number that is the whole text, 0 to 65535; -1 iff it is none. */
static int read_port(const char *text)
{
  int port = 0;
  if (!*text || strlen(text) > 5)
    return -1;
  for (; *text; text++) {
    if (*text < '0' || *text > '9')
      return -1;
    port = port * 10 + (*text - '0');
  }
  return port <= 65535 ? port : -1;
}

static int parse_unix(const char *text, const char *path, tm__address *out, char *why,
                      size_t capacity)
{
  struct sockaddr_un *address = (struct sockaddr_un *)&out->socket;
  if (!*path)
    return complain(UV_EINVAL, why, capacity, text, "the path of the socket is missing");
  if (strlen(path) >= sizeof address->sun_path)
    return complain(UV_EINVAL, why, capacity, text, "the path is longer than 107 bytes");
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path, strlen(path) + 1);
  out->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
  return 0;
}

/* Fills in the host; false iff it is no address. */
static bool parse_host(const char *host, int port, tm__address *out)
{
  struct sockaddr_in *four = (struct sockaddr_in *)&out->socket;
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)&out->socket;
  if (strcmp(host, "localhost") == 0)
    host = "127.0.0.1";
  if (strcmp(host, "*") == 0)
    host = "0.0.0.0";
  if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons((uint16_t)port);
    out->length = sizeof *four;
    return true;
  }
  size_t length = strlen(host);
  char inside[INET6_ADDRSTRLEN];
  if (length < 4 || length - 2 >= sizeof inside || host[0] != '[' || host[length - 1] != ']')
    return false;
  memcpy(inside, host + 1, length - 2);
  inside[length - 2] = 0;
  if (inet_pton(AF_INET6, inside, &six->sin6_addr) != 1)
    return false;
  six->sin6_family = AF_INET6;
  six->sin6_port = htons((uint16_t)port);
  out->length = sizeof *six;
  return true;
}

int tm__address_parse(const char *text, tm__address *out, char *why, size_t capacity)
{
  memset(out, 0, sizeof *out);
  if (strncmp(text, "unix:", 5) == 0)
    return parse_unix(text, text + 5, out, why, capacity);
  const char *colon = strrchr(text, ':');
  if (!colon || strchr(colon, ']'))
    return complain(UV_EINVAL, why, capacity, text,
                    "the port is missing; write host:port, port 0 lets the system choose");
  int port = read_port(colon + 1);
  if (port < 0)
    return complain(UV_EINVAL, why, capacity, text, "the port is not a number from 0 to 65535");
  char host[64];
  size_t length = (size_t)(colon - text);
  if (length >= sizeof host)
    return complain(UV_EINVAL, why, capacity, text, "the host is too long");
  memcpy(host, text, length);
  host[length] = 0;
  if (!parse_host(host, port, out))
    return complain(UV_EINVAL, why, capacity, text,
                    "the host is not an address; write 127.0.0.1, [::1], localhost or *");
  return 0;
}

/* ---- Opening -------------------------------------------------------------------------------- */

/* A socket file that nobody listens on was left by a process that died: true iff it is removed. */
static bool remove_stale(const tm__address *address)
{
  const struct sockaddr_un *un = (const struct sockaddr_un *)&address->socket;
  struct stat file;
  if (lstat(un->sun_path, &file) || !S_ISSOCK(file.st_mode))
    return false;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return false;
  bool refused = connect(fd, (const struct sockaddr *)&address->socket, address->length) &&
                 errno == ECONNREFUSED;
  (void)close(fd);
  return refused && unlink(un->sun_path) == 0;
}

/* bind(2), once more after a stale unix socket was removed. 0 or a negative errno. */
static int bind_to(int fd, const tm__address *address)
{
  int on = 1;
  if (address->socket.ss_family == AF_UNIX)
    (void)fchmod(fd, 0600); /* Linux gives the file this mode, less the umask, at bind */
  else
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address->socket.ss_family == AF_INET6)
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  const struct sockaddr *name = (const struct sockaddr *)&address->socket;
  if (bind(fd, name, address->length) == 0)
    return 0;
  int error = errno;
  if (error == EADDRINUSE && name->sa_family == AF_UNIX && remove_stale(address) &&
      bind(fd, name, address->length) == 0)
    return 0;
  return -error;
}

int tm_monitor_listen(const char *text, char *why, size_t capacity)
{
  tm__address address;
  if (why && capacity)
    why[0] = 0;
  if (!text)
    return complain(UV_EINVAL, why, capacity, "address", "is missing");
  int error = tm__address_parse(text, &address, why, capacity);
  if (error)
    return error;
  int fd = socket(address.socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return complain(-errno, why, capacity, text, uv_strerror(-errno));
  error = bind_to(fd, &address);
  if (!error && listen(fd, 128))
    error = -errno;
  if (!error)
    return fd;
  (void)close(fd);
  return complain(error, why, capacity, text, uv_strerror(error));
}

/* ---- Naming --------------------------------------------------------------------------------- */

static bool name_of(int fd, tm__address *out)
{
  memset(out, 0, sizeof *out);
  out->length = sizeof out->socket;
  return getsockname(fd, (struct sockaddr *)&out->socket, &out->length) == 0;
}

int tm__address_port(int fd)
{
  tm__address address;
  if (!name_of(fd, &address))
    return 0;
  if (address.socket.ss_family == AF_INET)
    return ntohs(((struct sockaddr_in *)&address.socket)->sin_port);
  if (address.socket.ss_family == AF_INET6)
    return ntohs(((struct sockaddr_in6 *)&address.socket)->sin6_port);
  return 0;
}

void tm__address_host(int fd, char *buffer, size_t capacity)
{
  tm__address address;
  char text[INET6_ADDRSTRLEN] = "";
  tm__emit e;
  tm__emit_init(&e, buffer, capacity);
  if (name_of(fd, &address) && address.socket.ss_family == AF_INET) {
    (void)inet_ntop(AF_INET, &((struct sockaddr_in *)&address.socket)->sin_addr, text, sizeof text);
    tm__emit_text(&e, text);
  } else if (address.socket.ss_family == AF_INET6) {
    const struct in6_addr *six = &((struct sockaddr_in6 *)&address.socket)->sin6_addr;
    (void)inet_ntop(AF_INET6, six, text, sizeof text);
    tm__emit_char(&e, '[');
    tm__emit_text(&e, text);
    tm__emit_char(&e, ']');
  }
  (void)tm__emit_end(&e);
}

void tm__address_path(int fd, char *buffer, size_t capacity)
{
  tm__address address;
  tm__emit e;
  tm__emit_init(&e, buffer, capacity);
  if (name_of(fd, &address) && address.socket.ss_family == AF_UNIX)
    tm__emit_text(&e, ((struct sockaddr_un *)&address.socket)->sun_path);
  (void)tm__emit_end(&e);
}

size_t tm_monitor_listen_url(int fd, char *buffer, size_t capacity)
{
  char host[64], path[128];
  tm__emit e;
  tm__address_host(fd, host, sizeof host);
  tm__address_path(fd, path, sizeof path);
  tm__emit_init(&e, buffer, capacity);
  if (*host) {
    bool any = strcmp(host, "0.0.0.0") == 0;
    tm__emit_text(&e, "http://");
    tm__emit_text(&e, any ? "127.0.0.1" : strcmp(host, "[::]") == 0 ? "[::1]" : host);
    tm__emit_char(&e, ':');
    tm__emit_u64(&e, (uint64_t)tm__address_port(fd));
    tm__emit_char(&e, '/');
  } else if (*path) {
    tm__emit_text(&e, "unix:");
    tm__emit_text(&e, path);
  }
  return tm__emit_end(&e);
}
