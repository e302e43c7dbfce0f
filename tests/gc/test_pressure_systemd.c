/* MEMORY_PRESSURE_WATCH and MEMORY_PRESSURE_WRITE: FIFO, socket, file; and what goes wrong. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "gc/pressure.h"
#include "support/check.h"
#include "support/tree.h"

static char path[512], why[256];

static int start(void **state)
{
  unsetenv("MEMORY_PRESSURE_WATCH");
  unsetenv("MEMORY_PRESSURE_WRITE");
  return tree_make(state);
}

#define watch_test(f) cmocka_unit_test_setup_teardown(f, start, tree_remove)

static void ask_for(const char *name, const char *text)
{
  tree_path(name, path, sizeof path);
  setenv("MEMORY_PRESSURE_WATCH", path, 1);
  if (text)
    setenv("MEMORY_PRESSURE_WRITE", text, 1);
}

static int try_open(tm_pressure_watch **watch)
{
  return tm_pressure_open(TM_WATCH_SYSTEMD, NULL, watch, why, sizeof why);
}

static tm_pressure_watch *opened(void)
{
  tm_pressure_watch *watch;
  if (try_open(&watch))
    fail_msg("%s", why);
  return watch;
}

static void refused(int error, const char *part)
{
  tm_pressure_watch *watch;
  int before = count_open_fds();
  assert_int_equal(try_open(&watch), error);
  assert_null(watch);
  if (!strstr(why, part))
    fail_msg("no '%s' in '%s'", part, why);
  assert_int_equal(count_open_fds(), before);
}

static bool is_ready(const tm_pressure_watch *watch)
{
  struct pollfd p = {tm_pressure_fd(watch), (short)tm_pressure_events(watch), 0};
  return poll(&p, 1, 0) == 1;
}

/* ---- Base64 --------------------------------------------------------------------------------- */

static void base64(void **state)
{
  (void)state;
  static const struct {
    const char *text, *bytes;
    ssize_t length;
  } rows[] = {{"", "", 0},
              {"QQ==", "A", 1},
              {"QUI=", "AB", 2},
              {"QUJD", "ABC", 3},
              {"QUJDRA", "ABCD", 4},
              {"c29tZSAyMDAwMDAgMjAwMDAwMAA=", "some 200000 2000000\0", 20},
              {"+/+/", "\xfb\xff\xbf", 3},
              {"Q", "", -1},
              {"QQ=", "", -1},
              {"QQ===", "", -1},
              {"QUJD=", "", -1},
              {"QQ==QQ==", "", -1},
              {"Q Q=", "", -1},
              {"QQ\n", "", -1},
              {"=", "", -1},
              {"\xff\xff", "", -1}};
  for (size_t i = 0; i < TM_ARRAY_LEN(rows); i++) {
    char out[64];
    ssize_t n = tm__base64_read(rows[i].text, out, sizeof out);
    assert_int_equal(n, rows[i].length);
    if (n > 0)
      assert_memory_equal(out, rows[i].bytes, (size_t)n);
  }
  char out[4] = "~~~~";
  assert_int_equal(tm__base64_read("QUJDRA==", out, 3), -1);
  assert_int_equal(out[3], '~');
  assert_int_equal(tm__base64_read("QUJD", out, 3), 3);
}

/* ---- FIFO ----------------------------------------------------------------------------------- */

static void tell(const char *bytes, size_t count)
{
  int fd = open(path, O_WRONLY | O_NONBLOCK);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, bytes, count), count);
  (void)close(fd);
}

static void fifo(void **state)
{
  (void)state;
  ask_for("fifo", NULL);
  assert_int_equal(mkfifo(path, 0600), 0);
  tm_pressure_watch *watch = opened();
  assert_int_equal(tm_pressure_events(watch), POLLIN);
  for (int i = 0; i < 5; i++) {
    assert_false(is_ready(watch)); /* writers come and go, and that is no event */
    assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_NONE);
    tell("xyz", 3);
    assert_true(is_ready(watch));
    assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_MEDIUM);
  }
  tm_pressure_close(watch);
}

/* Many bytes are one event, and none of them is left. */
static void a_full_fifo(void **state)
{
  (void)state;
  static char many[65536];
  ask_for("fifo", NULL);
  assert_int_equal(mkfifo(path, 0600), 0);
  tm_pressure_watch *watch = opened();
  tell(many, sizeof many);
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_MEDIUM);
  assert_false(is_ready(watch));
  tm_pressure_close(watch);
}

static void what_we_write_is_no_event(void **state)
{
  (void)state;
  ask_for("fifo", "aGVsbG8="); /* hello */
  assert_int_equal(mkfifo(path, 0600), 0);
  tm_pressure_watch *watch = opened();
  assert_true(is_ready(watch));
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_NONE);
  tell("hello", 5); /* the same from somebody else is one */
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_MEDIUM);
  tm_pressure_close(watch);
  watch = opened();
  tell("!", 1); /* behind ours, taken together */
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_MEDIUM);
  tm_pressure_close(watch);
}

static void what_we_write_may_be_taken_by_another(void **state)
{
  (void)state;
  char bytes[16];
  ask_for("fifo", "aGVsbG8=");
  assert_int_equal(mkfifo(path, 0600), 0);
  int other = open(path, O_RDWR | O_NONBLOCK);
  tm_pressure_watch *watch = opened();
  assert_int_equal(read(other, bytes, sizeof bytes), 5);
  assert_memory_equal(bytes, "hello", 5);
  assert_int_equal(write(other, "x", 1), 1);
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_MEDIUM);
  (void)close(other);
  tm_pressure_close(watch);
}

/* A FIFO that we may only read ends when its last writer does, and would be ready for ever. */
static void a_fifo_without_a_writer_is_opened_anew(void **state)
{
  (void)state;
  ask_for("fifo", NULL);
  assert_int_equal(mkfifo(path, 0600), 0);
  tm_pressure_watch *watch = opened();
  int fd = tm_pressure_fd(watch), before = count_open_fds();
  int read_only = open(path, O_RDONLY | O_NONBLOCK); /* root may do anything: so it is put there */
  assert_int_equal(dup3(read_only, fd, O_CLOEXEC), fd);
  (void)close(read_only);
  assert_int_equal(tm_pressure_read(watch), TM_EAGAIN); /* what it was opened as was a writer */
  for (int i = 0; i < 3; i++) {
    assert_false(is_ready(watch));
    tell("x", 1);
    assert_true(is_ready(watch));
    assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_MEDIUM);
    assert_true(is_ready(watch)); /* the end */
    assert_int_equal(tm_pressure_read(watch), TM_EAGAIN);
    assert_int_equal(tm_pressure_fd(watch), fd);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  }
  int writer = open(path, O_WRONLY | O_NONBLOCK);
  (void)close(writer);
  assert_int_equal(unlink(path), 0);
  tree_file("fifo", "");
  assert_int_equal(tm_pressure_read(watch), TM_EIO);
  assert_non_null(strstr(tm_pressure_error(watch), "no FIFO any more"));
  assert_int_equal(unlink(path), 0);
  assert_int_equal(tm_pressure_read(watch), TM_EIO);
  assert_non_null(strstr(tm_pressure_error(watch), "No such file"));
  assert_int_equal(count_open_fds(), before);
  tm_pressure_close(watch);
}

static void a_descriptor_that_somebody_closed(void **state)
{
  (void)state;
  ask_for("fifo", NULL);
  assert_int_equal(mkfifo(path, 0600), 0);
  tm_pressure_watch *watch = opened();
  (void)close(tm_pressure_fd(watch));
  assert_int_equal(tm_pressure_read(watch), TM_EIO);
  assert_string_not_equal(tm_pressure_error(watch), "");
  tm_pressure_close(watch);
}

/* ---- Socket --------------------------------------------------------------------------------- */

static int listen_at(const char *name)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char here[512];
  must(getcwd(here, sizeof here) != NULL);
  assert_int_equal(chdir(tree), 0); /* the tree's own name may be too long for a socket */
  strcpy(address.sun_path, name);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)(void *)&address, sizeof address), 0);
  assert_int_equal(listen(fd, 1), 0);
  assert_int_equal(chdir(here), 0);
  return fd;
}

/* A short name for it. */
static void ask_for_socket(const char *text)
{
  char link[64];
  snprintf(link, sizeof link, "/tmp/tm-%d", (int)getpid());
  (void)unlink(link);
  assert_int_equal(symlink(tree, link), 0);
  snprintf(path, sizeof path, "%s/socket", link);
  setenv("MEMORY_PRESSURE_WATCH", path, 1);
  if (text)
    setenv("MEMORY_PRESSURE_WRITE", text, 1);
}

static void forget_socket(void)
{
  *strrchr(path, '/') = 0;
  assert_int_equal(unlink(path), 0);
}

static void a_socket(void **state)
{
  (void)state;
  char bytes[16];
  int listener = listen_at("socket");
  ask_for_socket("aGVsbG8=");
  tm_pressure_watch *watch = opened();
  assert_int_equal(tm_pressure_events(watch), POLLIN);
  int other = accept(listener, NULL, NULL);
  assert_int_equal(read(other, bytes, sizeof bytes), 5);
  assert_memory_equal(bytes, "hello", 5);
  assert_false(is_ready(watch));
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_NONE);
  assert_int_equal(write(other, "hello", 5), 5); /* a socket gives nothing back: it is news */
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_MEDIUM);
  assert_int_equal(write(other, "x", 1), 1);
  (void)close(other);
  assert_int_equal(tm_pressure_read(watch), TM_PRESSURE_MEDIUM); /* the last word counts */
  assert_int_equal(tm_pressure_read(watch), TM_EIO);
  assert_non_null(strstr(tm_pressure_error(watch), "closed"));
  tm_pressure_close(watch);
  (void)close(listener);
  refused(TM_EIO, "nobody answers");
  forget_socket();
}

static void a_socket_with_too_long_a_path(void **state)
{
  (void)state;
  (void)close(listen_at("s"));
  char name[200] = "";
  for (int i = 0; i < 60; i++)
    strcat(name, "./");
  strcat(name, "s");
  ask_for(name, NULL);
  refused(TM_EINVAL, "too long for a socket");
}

/* ---- Files ---------------------------------------------------------------------------------- */

static void off(void **state)
{
  (void)state;
  refused(TM_ENOTSUP, "not set");
  assert_false(tm__pressure_is_asked());
  setenv("MEMORY_PRESSURE_WATCH", "", 1);
  refused(TM_ENOTSUP, "not set");
  setenv("MEMORY_PRESSURE_WATCH", "/dev/null", 1);
  setenv("MEMORY_PRESSURE_WRITE", "not base64", 1);
  refused(TM_ENOTSUP, "/dev/null");
  assert_false(tm__pressure_is_asked());
}

static void who_may_watch_it(void **state)
{
  (void)state;
  ask_for("fifo", NULL);
  assert_false(tm__pressure_is_shared());
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_true(tm__pressure_is_asked());
  assert_false(tm__pressure_is_shared());
  tree_file("file", "");
  ask_for("file", NULL);
  assert_true(tm__pressure_is_shared());
}

static void bad_variables(void **state)
{
  (void)state;
  setenv("MEMORY_PRESSURE_WATCH", "relative/path", 1);
  refused(TM_EINVAL, "not an absolute path");
  char longest[3000];
  memset(longest, '/', sizeof longest);
  longest[sizeof longest - 1] = 0;
  setenv("MEMORY_PRESSURE_WATCH", longest, 1);
  refused(TM_EINVAL, "not an absolute path");
  ask_for("missing", NULL);
  refused(TM_ENOTSUP, "No such file");
  ask_for("", NULL);
  refused(TM_EINVAL, "neither a PSI file nor a FIFO nor a socket");
  setenv("MEMORY_PRESSURE_WATCH", "/dev/zero", 1);
  refused(TM_EINVAL, "neither");
  ask_for("fifo", "no base64!");
  assert_int_equal(mkfifo(path, 0600), 0);
  refused(TM_EINVAL, "not base64");
  memset(longest, 'A', sizeof longest - 1);
  setenv("MEMORY_PRESSURE_WRITE", longest, 1);
  refused(TM_EINVAL, "not base64 of at most");
}

static void an_ordinary_file_never_has_news(void **state)
{
  (void)state;
  ask_for("file", "c29tZQ==");
  tree_file("file", "some text");
  refused(TM_EINVAL, "never has news");
}

/* The kernel's file, and a trigger that it does not take. */
static void a_refused_trigger(void **state)
{
  (void)state;
  if (access("/proc/pressure/memory", R_OK | W_OK) != 0) {
    print_message("SKIP: /proc/pressure/memory is not there or not ours to write\n");
    skip();
  }
  setenv("MEMORY_PRESSURE_WATCH", "/proc/pressure/memory", 1);
  refused(TM_EINVAL, "tells nothing without a trigger"); /* poll would report it for ever */
  setenv("MEMORY_PRESSURE_WRITE", "bm9uc2Vuc2U=", 1);    /* nonsense */
  refused(TM_EIO, "MEMORY_PRESSURE_WRITE says was refused");
  setenv("MEMORY_PRESSURE_WRITE", "c29tZSAyMDAwMDAgMjAwMDAwMAA=", 1);
  tm_pressure_watch *watch = opened();
  assert_int_equal(tm_pressure_events(watch), POLLPRI);
  tm_pressure_close(watch);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(base64),
      watch_test(fifo),
      watch_test(a_full_fifo),
      watch_test(what_we_write_is_no_event),
      watch_test(what_we_write_may_be_taken_by_another),
      watch_test(a_fifo_without_a_writer_is_opened_anew),
      watch_test(a_descriptor_that_somebody_closed),
      watch_test(a_socket),
      watch_test(a_socket_with_too_long_a_path),
      watch_test(off),
      watch_test(who_may_watch_it),
      watch_test(bad_variables),
      watch_test(an_ordinary_file_never_has_news),
      watch_test(a_refused_trigger),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
