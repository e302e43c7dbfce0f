/* group_file.c - see group_file.h. */
#define _GNU_SOURCE
#include "gc/group_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/os.h"

enum { TRIES = 8 }; /* while others make and lose the same file */

/* ---- Names ----------------------------------------------------------------------------------- */

static bool good_name(const char *name)
{
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  size_t length = strlen(name);
  return length >= 1 && length <= TM__GROUP_NAME && *name != '.' && strspn(name, letters) == length;
}

/* Where groups are when nobody says otherwise: memory that all processes of the machine see. */
static const char *default_directory(void)
{
  const char *runtime = tm__os_env("XDG_RUNTIME_DIR");
  if (access("/dev/shm", W_OK | X_OK) != 0 && runtime && *runtime == '/')
    return runtime;
  return "/dev/shm";
}

int tm__group_path(const char *name, char path[TM__GROUP_PATH], const char **base)
{
  static const char prefix[] = "tidemark-";
  if (!name)
    return TM_EINVAL;
  const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;
  size_t directory = slash ? (size_t)(slash - name) : 0;
  if (!good_name(last) || (slash && *name != '/') || directory + 64 > TM__GROUP_PATH)
    return TM_EINVAL;
  int saved = errno;
  const char *fallback = slash ? "" : default_directory();
  errno = saved;
  if (strlen(fallback) + 64 > TM__GROUP_PATH)
    return TM_EINVAL;
  memcpy(path, name, directory);
  path[directory] = 0;
  (void)tm__format(path + directory, TM__GROUP_PATH - directory, "%s/%s%s", fallback, prefix, last);
  if (base)
    *base = path + strlen(path) - strlen(last);
  return 0;
}

/* ---- Mapping --------------------------------------------------------------------------------- */

static int error_of(int number)
{
  return number == ENOMEM ? TM_ENOMEM : TM_EIO;
}

/* Somebody else's file could be anything, and could be cut while we read it. Root may look. */
static int check_file(const struct stat *st, bool looks_only)
{
  bool ours = st->st_uid == geteuid() || (looks_only && geteuid() == 0);
  if (!S_ISREG(st->st_mode) || !ours || (st->st_mode & 077) != 0)
    return TM_EIO;
  return st->st_size == (off_t)sizeof(tm__group_table) ? 0 : TM_ENOTSUP;
}

static int map_file(int fd, int access_bits, tm__group_place *out)
{
  struct stat st;
  int error = fstat(fd, &st) == 0 ? check_file(&st, !(access_bits & PROT_WRITE)) : TM_EIO;
  if (error)
    return error;
  void *p = mmap(NULL, sizeof(tm__group_table), access_bits, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED)
    return error_of(errno);
  error = tm__group_table_check(p);
  if (error)
    (void)munmap(p, sizeof(tm__group_table));
  else
    *out = (tm__group_place){p, st.st_dev, st.st_ino};
  return error;
}

/* Maps what is there. TM_EAGAIN iff nothing is. */
static int open_there(const char *path, int flags, int access_bits, tm__group_place *out)
{
  int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return errno == ENOENT ? TM_EAGAIN : error_of(errno);
  int error = map_file(fd, access_bits, out);
  (void)close(fd);
  return error;
}

/* Fills a new file: its pages are taken now, since a page that is missing later is a SIGBUS. */
static int fill(int fd, uint64_t budget_bytes)
{
  if (fchmod(fd, 0600) != 0)
    return error_of(errno);
  int refused = posix_fallocate(fd, 0, sizeof(tm__group_table));
  if (refused)
    return error_of(refused);
  void *p = mmap(NULL, sizeof(tm__group_table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED)
    return error_of(errno);
  tm__group_table_init(p, budget_bytes);
  (void)munmap(p, sizeof(tm__group_table));
  return 0;
}

/* Makes the file under a name of ours and then gives it its own, unless somebody was first. */
static int make(const char *path, uint64_t budget_bytes)
{
  char draft[TM__GROUP_PATH + 32];
  const char *slash = strrchr(path, '/');
  size_t directory = (size_t)(slash - path);
  memcpy(draft, path, directory);
  (void)tm__format(draft + directory, sizeof draft - directory, "/.%s.%d", slash + 1,
                   (int)getpid());
  (void)unlink(draft); /* of a process that had our pid and died in here */
  int fd = open(draft, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return error_of(errno);
  int error = fill(fd, budget_bytes);
  if (!error && link(draft, path) != 0 && errno != EEXIST)
    error = error_of(errno);
  (void)unlink(draft);
  (void)close(fd);
  return error;
}

int tm__group_open(const char *path, uint64_t budget_bytes, tm__group_place *out)
{
  int saved = errno, error = TM_EAGAIN;
  for (int i = 0; i < TRIES && error == TM_EAGAIN; i++) {
    error = open_there(path, O_RDWR, PROT_READ | PROT_WRITE, out);
    int made = error != TM_EAGAIN ? 0 : budget_bytes ? make(path, budget_bytes) : TM_EINVAL;
    error = made ? made : error;
  }
  errno = saved;
  return error == TM_EAGAIN ? TM_EIO : error;
}

int tm__group_peek(const char *path, tm__group_place *out)
{
  int saved = errno;
  int error = open_there(path, O_RDONLY, PROT_READ, out);
  errno = saved;
  return error == TM_EAGAIN ? TM_EINVAL : error;
}

void tm__group_unmap(const tm__group_table *table)
{
  int saved = errno;
  if (table)
    (void)munmap((void *)(uintptr_t)table, sizeof *table);
  errno = saved;
}
