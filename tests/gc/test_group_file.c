/* The file of a group: names, making it so that nobody sees half of it, and what is refused. */
#define _GNU_SOURCE
#include "gc/group_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "support/check.h"
#include "support/child.h"

static char folder[256], path[TM__GROUP_PATH];

static int set_up(void **state)
{
  (void)state;
  char name[320];
  (void)snprintf(folder, sizeof folder, "/tmp/tidemark-test.%d", (int)getpid());
  (void)mkdir(folder, 0700);
  (void)snprintf(name, sizeof name, "%s/web", folder);
  return tm__group_path(name, path, NULL);
}

static int tear_down(void **state)
{
  (void)state;
  (void)unlink(path);
  return rmdir(folder); /* fails iff something was left in it */
}

static void names(void **state)
{
  (void)state;
  char out[TM__GROUP_PATH], name[600];
  const char *base;
  assert_int_equal(tm__group_path("web", out, &base), 0);
  assert_string_equal(base, "web");
  assert_string_equal(out + strlen(out) - strlen("/tidemark-web"), "/tidemark-web");
  assert_int_equal(out[0], '/');
  assert_int_equal(tm__group_path("/run/my app/A.b_c-9", out, &base), 0);
  assert_string_equal(out, "/run/my app/tidemark-A.b_c-9");
  assert_string_equal(base, "A.b_c-9");
  assert_int_equal(tm__group_path("/web", out, NULL), 0);
  assert_string_equal(out, "/tidemark-web");
  static const char *const bad[] = {"",    ".", "..",  ".web", "a b", "a/b",      "../web",
                                    "w\n", "/", "/x/", "/x/.", "x/",  "\xc3\xa4", "*"};
  for (size_t i = 0; i < TM_ARRAY_LEN(bad); i++)
    if (tm__group_path(bad[i], out, NULL) != TM_EINVAL)
      fail_msg("'%s' is taken", bad[i]);
  assert_int_equal(tm__group_path(NULL, out, NULL), TM_EINVAL);
  memset(name, 'n', sizeof name);
  name[TM__GROUP_NAME] = 0;
  assert_int_equal(tm__group_path(name, out, NULL), 0);
  name[TM__GROUP_NAME] = 'n';
  name[TM__GROUP_NAME + 1] = 0;
  assert_int_equal(tm__group_path(name, out, NULL), TM_EINVAL);
  memset(name, 'd', sizeof name);
  name[0] = '/';
  memcpy(name + sizeof name - 5, "/web", 5);
  assert_int_equal(tm__group_path(name, out, NULL), TM_EINVAL); /* too deep */
}

static void the_first_makes_it_and_others_find_it(void **state)
{
  (void)state;
  tm__group_place first, second, outside;
  struct stat st;
  mode_t mask = umask(0777);
  errno = 17;
  assert_int_equal(tm__group_open(path, 0, &first), TM_EINVAL); /* nothing to take over */
  assert_int_equal(tm__group_peek(path, &outside), TM_EINVAL);
  assert_int_equal(tm__group_open(path, 500, &first), 0);
  assert_int_equal(errno, 17);
  (void)umask(mask);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0600);
  assert_int_equal(st.st_size, sizeof(tm__group_table));
  assert_int_equal(first.inode, st.st_ino);
  assert_int_equal(first.device, st.st_dev);
  assert_int_equal(tm__group_open(path, 700, &second), 0); /* the budget is others' business */
  assert_int_equal(atomic_load(&second.table->budget_bytes), 500);
  assert_int_equal(tm__group_peek(path, &outside), 0);
  assert_int_equal(tm__group_claim(first.table, tm__process_self(), NULL), 0);
  assert_true(tm__group_owns(second.table, 0, tm__process_self()));
  assert_true(tm__group_owns(outside.table, 0, tm__process_self()));
  tm__group_unmap(first.table);
  tm__group_unmap(second.table);
  tm__group_unmap(outside.table);
}

static void what_is_there_is_not_touched(const char *text, size_t size, int expected)
{
  tm__group_place place;
  struct stat st;
  char back[16] = "";
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  assert_int_equal(ftruncate(fd, (off_t)size), 0);
  assert_int_equal(tm__group_open(path, 500, &place), expected);
  assert_int_equal(tm__group_peek(path, &place), expected);
  assert_int_equal(fstat(fd, &st), 0);
  assert_int_equal(st.st_size, size);
  assert_true(pread(fd, back, strlen(text), 0) >= 0);
  assert_int_equal(memcmp(back, text, strlen(text) < size ? strlen(text) : size), 0);
  (void)close(fd);
  (void)unlink(path);
}

static void files_that_are_no_group(void **state)
{
  (void)state;
  what_is_there_is_not_touched("a letter", 8, TM_ENOTSUP);
  what_is_there_is_not_touched("", 0, TM_ENOTSUP);
  what_is_there_is_not_touched("a letter", sizeof(tm__group_table), TM_ENOTSUP);
  what_is_there_is_not_touched("tidemark", sizeof(tm__group_table), TM_ENOTSUP); /* version 0 */
  what_is_there_is_not_touched("tidemark", sizeof(tm__group_table) + 4096, TM_ENOTSUP);
}

static void another_version(void **state)
{
  (void)state;
  tm__group_place place;
  assert_int_equal(tm__group_open(path, 500, &place), 0);
  atomic_store(&place.table->version, TM__GROUP_VERSION + 1);
  tm__group_unmap(place.table);
  assert_int_equal(tm__group_open(path, 500, &place), TM_ENOTSUP);
}

static void files_that_others_could_write(void **state)
{
  (void)state;
  tm__group_place place;
  assert_int_equal(tm__group_open(path, 500, &place), 0);
  tm__group_unmap(place.table);
  static const mode_t modes[] = {0660, 0640, 0602, 0604};
  for (size_t i = 0; i < TM_ARRAY_LEN(modes); i++) {
    assert_int_equal(chmod(path, modes[i]), 0);
    assert_int_equal(tm__group_open(path, 500, &place), TM_EIO);
  }
  assert_int_equal(unlink(path), 0);
  assert_int_equal(symlink("/dev/null", path), 0);
  assert_int_equal(tm__group_open(path, 500, &place), TM_EIO);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(mkdir(path, 0700), 0);
  assert_int_equal(tm__group_open(path, 500, &place), TM_EIO);
  assert_int_equal(rmdir(path), 0);
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_int_equal(tm__group_open(path, 500, &place), TM_EIO); /* and does not wait for a writer */
  assert_int_equal(unlink(path), 0);
  if (geteuid() == 0) {
    assert_int_equal(tm__group_open(path, 500, &place), 0);
    tm__group_unmap(place.table);
    assert_int_equal(chown(path, 65534, 65534), 0);
    assert_int_equal(tm__group_open(path, 500, &place), TM_EIO);
    assert_int_equal(tm__group_peek(path, &place), 0); /* root may look */
    tm__group_unmap(place.table);
  }
}

static void a_directory_that_is_not_there(void **state)
{
  (void)state;
  tm__group_place place;
  char out[TM__GROUP_PATH];
  assert_int_equal(tm__group_path("/no/such/folder/web", out, NULL), 0);
  assert_int_equal(tm__group_open(out, 500, &place), TM_EIO);
}

static void a_draft_that_a_crash_left(void **state)
{
  (void)state;
  char draft[TM__GROUP_PATH];
  tm__group_place place;
  (void)snprintf(draft, sizeof draft, "%s/.tidemark-web.%d", folder, (int)getpid());
  int fd = open(draft, O_WRONLY | O_CREAT, 0400);
  assert_true(fd >= 0);
  (void)close(fd);
  assert_int_equal(tm__group_open(path, 500, &place), 0);
  tm__group_unmap(place.table);
  assert_int_equal(access(draft, F_OK), -1);
}

static void open_it(void *ctx, int in, int out)
{
  tm__group_place place;
  (void)ctx;
  (void)child_hear(in);
  int error = tm__group_open(path, 500, &place);
  must_equal(error, 0);
  must_equal(tm__group_table_check(place.table), 0);
  must_equal(atomic_load(&place.table->budget_bytes), 500);
  child_say(out, place.inode);
}

/* Many who come first: they all get the same file. */
static void one_file_for_all(void **state)
{
  (void)state;
  enum { CHILDREN = 8, ROUNDS = 10 };
  test_child children[CHILDREN];
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < CHILDREN; i++)
      children[i] = child_start(open_it, NULL);
    for (int i = 0; i < CHILDREN; i++)
      child_say(children[i].told, 1);
    uint64_t inode = child_hear(children[0].said);
    for (int i = 1; i < CHILDREN; i++)
      assert_int_equal(child_hear(children[i].said), inode);
    for (int i = 0; i < CHILDREN; i++)
      child_end(&children[i]);
    assert_int_equal(unlink(path), 0);
  }
}

#define file_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names),
      file_test(the_first_makes_it_and_others_find_it),
      file_test(files_that_are_no_group),
      file_test(another_version),
      file_test(files_that_others_could_write),
      file_test(a_directory_that_is_not_there),
      file_test(a_draft_that_a_crash_left),
      file_test(one_file_for_all),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
