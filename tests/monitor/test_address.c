/* Addresses as people write them, and the sockets that come of them. */
#include "monitor/client.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "monitor/address.h"

static void refuses_with_a_sentence(void **state)
{
  static const struct {
    const char *text, *sentence;
  } cases[] = {
      {"", "port is missing"},
      {"9464", "port is missing"},
      {"127.0.0.1", "port is missing"},
      {"[::1]", "port is missing"},
      {"127.0.0.1:", "not a number"},
      {"127.0.0.1:x", "not a number"},
      {"127.0.0.1:-1", "not a number"},
      {"127.0.0.1:65536", "not a number"},
      {"127.0.0.1:094640", "not a number"},
      {"127.0.0.1: 80", "not a number"},
      {"127.0.0.1:80 ", "not a number"},
      {"127.0.0:80", "not an address"},
      {"127.0.0.256:80", "not an address"},
      {":80", "not an address"},
      {"example.org:80", "not an address"},
      {"::1:80", "not an address"},
      {"[::1:80", "not an address"},
      {"[]:80", "not an address"},
      {"[::g]:80", "not an address"},
      {"http://127.0.0.1:80", "not an address"},
      {"unix:", "path of the socket is missing"},
      {"unix:/"
       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
       "longer than 107"},
      {"11111111111111111111111111111111111111111111111111111111111111111111111111:80",
       "too long"}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char why[256] = "";
    assert_int_equal(tm_monitor_listen(cases[i].text, why, sizeof why), UV_EINVAL);
    if (!strstr(why, cases[i].sentence) || strncmp(why, cases[i].text, strlen(cases[i].text)) != 0)
      fail_msg("'%s' is refused with '%s'", cases[i].text, why);
    assert_int_equal(tm_monitor_listen(cases[i].text, NULL, 0), UV_EINVAL);
  }
  assert_int_equal(tm_monitor_listen(NULL, NULL, 0), UV_EINVAL);
}

static void url_is(int fd, const char *pattern)
{
  char url[256], expected[256];
  snprintf(expected, sizeof expected, pattern, tm__address_port(fd));
  size_t length = tm_monitor_listen_url(fd, url, sizeof url);
  assert_string_equal(url, expected);
  assert_int_equal(length, strlen(url));
  assert_int_equal(tm_monitor_listen_url(fd, url, 4), length);
  assert_int_equal(strlen(url), length < 3 ? length : 3);
}

static void opens_and_names_sockets(void **state)
{
  static const struct {
    const char *text, *url;
  } cases[] = {{"127.0.0.1:0", "http://127.0.0.1:%d/"}, {"localhost:0", "http://127.0.0.1:%d/"},
               {"127.0.0.2:0", "http://127.0.0.2:%d/"}, {"*:0", "http://127.0.0.1:%d/"},
               {"0.0.0.0:0", "http://127.0.0.1:%d/"},   {"[::1]:0", "http://[::1]:%d/"},
               {"[::]:0", "http://[::1]:%d/"}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char why[256] = "x";
    int fd = tm_monitor_listen(cases[i].text, why, sizeof why);
    if (fd == UV_EADDRNOTAVAIL || fd == UV_EAFNOSUPPORT)
      continue; /* a machine without IPv6 */
    if (fd < 0)
      fail_msg("%s", why);
    assert_string_equal(why, "");
    assert_true(tm__address_port(fd) > 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    url_is(fd, cases[i].url);
    close(fd);
  }
  url_is(-1, "");
}

static void port_in_use(void **state)
{
  char text[64], why[256];
  (void)state;
  int first = tm_monitor_listen("127.0.0.1:0", NULL, 0);
  snprintf(text, sizeof text, "127.0.0.1:%d", tm__address_port(first));
  assert_int_equal(tm_monitor_listen(text, why, sizeof why), UV_EADDRINUSE);
  assert_non_null(strstr(why, text));
  assert_non_null(strstr(why, "address already in use"));
  close(first);
  int second = tm_monitor_listen(text, why, sizeof why);
  assert_true(second >= 0);
  close(second);
}

static void unix_sockets(void **state)
{
  struct stat file;
  char why[256], path[128];
  (void)state;
  unlink("test.sock");
  int fd = tm_monitor_listen("unix:test.sock", why, sizeof why);
  if (fd < 0)
    fail_msg("%s", why);
  assert_int_equal(stat("test.sock", &file), 0);
  assert_int_equal(file.st_mode & 0777, 0600);
  url_is(fd, "unix:test.sock");
  assert_int_equal(tm__address_port(fd), 0);
  tm__address_path(fd, path, sizeof path);
  assert_string_equal(path, "test.sock");
  /* somebody listens: taken */
  assert_int_equal(tm_monitor_listen("unix:test.sock", why, sizeof why), UV_EADDRINUSE);
  close(fd);
  /* nobody does: replaced */
  fd = tm_monitor_listen("unix:test.sock", why, sizeof why);
  assert_true(fd >= 0);
  close(fd);
  unlink("test.sock");
  /* another file is never removed */
  close(open("test.sock", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  assert_int_equal(tm_monitor_listen("unix:test.sock", why, sizeof why), UV_EADDRINUSE);
  assert_int_equal(stat("test.sock", &file), 0);
  unlink("test.sock");
  assert_int_equal(tm_monitor_listen("unix:no/such/folder/x", why, sizeof why), UV_ENOENT);
  assert_non_null(strstr(why, "no such file"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(refuses_with_a_sentence),
      cmocka_unit_test(opens_and_names_sockets),
      cmocka_unit_test(port_in_use),
      cmocka_unit_test(unix_sockets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
