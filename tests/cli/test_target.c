/* test_target.c - from COMMAND to the program that runs in the end, on files made by hand. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/target.h"

static char root[] = "/tmp/tidemark-target-XXXXXX";
static char search_path[PATH_MAX];
static tm__surroundings around = {search_path, NULL};

static const char *in_root(const char *path)
{
  static char names[4][PATH_MAX];
  static unsigned next;
  char *name = names[next++ % 4];
  (void)snprintf(name, PATH_MAX, "%s/%s", root, path);
  return name;
}

static void make_file(const char *path, const char *text, size_t length, mode_t mode)
{
  int fd = open(in_root(path), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, length), (ssize_t)length);
  assert_int_equal(fchmod(fd, mode), 0);
  (void)close(fd);
}

static void make_script(const char *path, const char *text)
{
  make_file(path, text, strlen(text), 0755);
}

/* The dynamic program that this test is, under another name and mode. */
static void make_program(const char *path, mode_t mode)
{
  char *content = malloc(1 << 24);
  assert_non_null(content);
  int fd = open("/proc/self/exe", O_RDONLY);
  ssize_t length = read(fd, content, 1 << 24);
  assert_true(length > 0);
  (void)close(fd);
  make_file(path, content, (size_t)length, mode);
  free(content);
}

static tm__target found(const char *command)
{
  tm__target target;
  tm__complaint complaint = {0};
  if (tm__target_find(command, &around, &target, &complaint) != 0)
    fail_msg("%s: %s", command, complaint.text);
  return target;
}

static void refused(const char *command, int code, const char *says)
{
  tm__target target;
  tm__complaint complaint = {0};
  int got = tm__target_find(command, &around, &target, &complaint);
  if (got != code || !strstr(complaint.text, says))
    fail_msg("%s: %d \"%s\" instead of %d \"%s\"", command, got, complaint.text, code, says);
}

static int set_up(void **state)
{
  (void)state;
  if (!mkdtemp(root))
    return -1;
  (void)snprintf(search_path, sizeof search_path, "%s/bin:%s/more", root, root);
  if (mkdir(in_root("bin"), 0700) || mkdir(in_root("more"), 0700) ||
      mkdir(in_root("bin/dir"), 0700))
    return -1;
  make_program("more/python3.99", 0755);
  make_program("more/dir", 0755);
  make_program("more/tool", 0755);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  char command[PATH_MAX];
  (void)snprintf(command, sizeof command, "rm -rf '%s'", root);
  return system(command);
}

static void the_path_is_searched_in_order_and_directories_are_passed_over(void **state)
{
  (void)state;
  assert_string_equal(found("tool").path, in_root("more/tool"));
  assert_string_equal(found("dir").path, in_root("more/dir"));
  make_file("bin/tool", "", 0, 0644); /* there, but not executable: the next one wins */
  assert_string_equal(found("tool").path, in_root("more/tool"));
  (void)unlink(in_root("bin/tool"));
  assert_string_equal(found(in_root("more/tool")).path, in_root("more/tool"));
}

static void what_is_not_there(void **state)
{
  (void)state;
  refused("no-such-tool", TM_EXIT_NOT_FOUND, "there is no command 'no-such-tool' in PATH");
  refused("/no/such/file", TM_EXIT_NOT_FOUND, "there is no file '/no/such/file'");
  refused(in_root("more/tool/x"), TM_EXIT_NOT_FOUND, "there is no file");
  refused("", TM_EXIT_NOT_FOUND, "there is no command ''");
}

static void what_is_there_but_cannot_run(void **state)
{
  (void)state;
  refused(in_root("bin"), TM_EXIT_CANNOT_RUN, "is a directory, not a program");
  make_file("plain", "x", 1, 0644);
  refused(in_root("plain"), TM_EXIT_CANNOT_RUN, "is not executable for you");
  make_file("bin/only-here", "x", 1, 0644);
  refused("only-here", TM_EXIT_CANNOT_RUN, "is not executable for you");
  make_file("data", "\1\2\0\3", 4, 0755);
  refused(in_root("data"), TM_EXIT_CANNOT_RUN, "is neither a program nor a script");
  make_file("cut", "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0", 16, 0755);
  refused(in_root("cut"), TM_EXIT_CANNOT_RUN, "is not a whole program");
}

static void marked_programs_are_refused_whoever_asks(void **state)
{
  (void)state;
  make_program("suid", 04755);
  refused(in_root("suid"), TM_EXIT_CANNOT_RUN, "is setuid, so the system's loader drops");
  make_program("sgid", 02755);
  refused(in_root("sgid"), TM_EXIT_CANNOT_RUN, "is setgid");
  make_program("locking", 02745); /* without x for the group the bit means something else */
  assert_string_equal(found(in_root("locking")).program, in_root("locking"));
}

static void another_c_library_is_told_by_its_loader(void **state)
{
  (void)state;
  around.loader = "/lib/ld-musl-x86_64.so.1";
  refused("tool", TM_EXIT_CANNOT_RUN, "is built for another C library");
  around.loader = NULL;
}

static void scripts_lead_to_their_interpreter(void **state)
{
  (void)state;
  char text[2 * PATH_MAX];
  (void)snprintf(text, sizeof text, "#! %s  -u \nprint()\n", in_root("more/tool"));
  make_script("script", text);
  tm__target target = found(in_root("script"));
  assert_string_equal(target.path, in_root("script"));
  assert_string_equal(target.program, in_root("more/tool"));

  (void)snprintf(text, sizeof text, "#!%s", in_root("script")); /* a script run by a script */
  make_script("script2", text);
  assert_string_equal(found(in_root("script2")).program, in_root("more/tool"));

  make_script("bare", "exit 0\n");
  assert_true(access("/bin/sh", X_OK) != 0 ||
              strcmp(found(in_root("bare")).program, "/bin/sh") == 0);
}

static void env_is_looked_through(void **state)
{
  (void)state;
  static const char *const lines[] = {
      "#!/usr/bin/env python3.99\n",          "#!/usr/bin/env  python3.99  \n",
      "#!/usr/bin/env -S python3.99 -u -O\n", "#!/usr/bin/env -S A=1 B=2 python3.99\n",
      "#!/usr/bin/env -vS python3.99\n",      "#!/usr/bin/env --split-string=python3.99 -u\n",
  };
  for (size_t i = 0; i < TM_ARRAY_LEN(lines); i++) {
    make_script("by-env", lines[i]);
    tm__target target = found(in_root("by-env"));
    assert_string_equal(target.program, in_root("more/python3.99"));
  }
  make_script("by-env", "#!/usr/bin/env -i python3.99\n"); /* not understood: env is the program */
  assert_string_equal(found(in_root("by-env")).program, "/usr/bin/env");
}

static void scripts_that_lead_nowhere(void **state)
{
  (void)state;
  make_script("lost", "#!/no/such/interpreter\n");
  refused(in_root("lost"), TM_EXIT_CANNOT_RUN, "needs the interpreter /no/such/interpreter");
  make_script("empty", "#!\n");
  refused(in_root("empty"), TM_EXIT_CANNOT_RUN, "has an empty #! line");
  make_script("by-env", "#!/usr/bin/env no-such-python\n");
  refused(in_root("by-env"), TM_EXIT_NOT_FOUND, "asks env for 'no-such-python'");
  char text[PATH_MAX + 8];
  (void)snprintf(text, sizeof text, "#!%s\n", in_root("loop"));
  make_script("loop", text);
  refused(in_root("loop"), TM_EXIT_CANNOT_RUN, "scripts without end");
}

static void a_script_is_refused_for_its_interpreter(void **state)
{
  (void)state;
  char text[2 * PATH_MAX];
  make_program("suid", 04755);
  (void)snprintf(text, sizeof text, "#!%s\n", in_root("suid"));
  make_script("runs-suid", text);
  refused(in_root("runs-suid"), TM_EXIT_CANNOT_RUN, "runs-suid' is run by '");
  refused(in_root("runs-suid"), TM_EXIT_CANNOT_RUN, "suid', which is setuid");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_path_is_searched_in_order_and_directories_are_passed_over),
      cmocka_unit_test(what_is_not_there),
      cmocka_unit_test(what_is_there_but_cannot_run),
      cmocka_unit_test(marked_programs_are_refused_whoever_asks),
      cmocka_unit_test(another_c_library_is_told_by_its_loader),
      cmocka_unit_test(scripts_lead_to_their_interpreter),
      cmocka_unit_test(env_is_looked_through),
      cmocka_unit_test(scripts_that_lead_nowhere),
      cmocka_unit_test(a_script_is_refused_for_its_interpreter),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
