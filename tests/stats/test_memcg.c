/* Our control group's folder, by fabricated files: version 1 and 2, mixed, nested, namespaced. */
#define _GNU_SOURCE
#include "stats/memcg.h"
#include "support/check.h"
#include "support/tree.h"

#define MOUNT2(root)                                                                               \
  "31 23 0:28 " root " /cg rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define MOUNT1(root) "35 31 0:32 " root " /cg/memory rw - cgroup cgroup rw,memory\n"

static void say(const char *cgroup, const char *mounts)
{
  tree_file("proc/self/cgroup", cgroup);
  tree_file("proc/self/mountinfo", mounts);
}

static void expect(int version, const char *folder)
{
  tm__memcg group;
  char whole[512];
  bool found = tm__memcg_find(tree, version, &group);
  if (!folder) {
    assert_false(found);
    return;
  }
  assert_true(found);
  (void)snprintf(whole, sizeof whole, "%s%s", tree, folder);
  assert_string_equal(group.folder, whole);
  assert_int_equal(group.version, version);
}

static void version_2(void **state)
{
  (void)state;
  say("0::/a/b\n", "22 27 0:21 / /proc rw - proc proc rw\n" MOUNT2("/"));
  tree_file("cg/a/b/memory.max", "max\n");
  expect(2, "/cg/a/b");
  expect(1, NULL);
}

static void version_1_among_others(void **state)
{
  (void)state;
  say("12:cpu,cpuacct:/x\n9:name=memory:/no\n7:hugetlb,memory:/a\n1:memoryless:/no\n",
      "30 31 0:30 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n" MOUNT1("/"));
  tree_file("cg/memory/a/memory.limit_in_bytes", "1\n");
  tree_file("cg/cpu/x/f", "");
  expect(1, "/cg/memory/a");
  expect(2, NULL);
}

static void mixed(void **state)
{
  (void)state;
  say("4:memory:/one\n0::/two\n", MOUNT1("/") "41 31 0:38 / /cg/unified rw - cgroup2 cgroup2 rw\n");
  tree_file("cg/memory/one/f", "");
  tree_file("cg/unified/two/f", "");
  expect(1, "/cg/memory/one");
  expect(2, "/cg/unified/two");
}

static void a_mount_may_show_a_part(void **state)
{
  (void)state;
  tree_file("cg/x/f", "");
  say("0::/docker/abc/x\n", MOUNT2("/docker/abc"));
  expect(2, "/cg/x");
  say("0::/docker/abc\n", MOUNT2("/docker/abc"));
  expect(2, "/cg");
  say("0::/docker/abcd\n", MOUNT2("/docker/abc")); /* a longer name is another group */
  expect(2, NULL);
  say("0::/other\n", MOUNT2("/docker/abc"));
  expect(2, NULL);
}

static void namespaces(void **state)
{
  (void)state;
  tree_file("cg/x/f", "");
  say("0::/\n", MOUNT2("/../..")); /* the mount shows ancestors; how to get to us is not known */
  expect(2, "/cg");
  say("0::/x\n", MOUNT2("/.."));
  expect(2, "/cg");
  say("0::/../x\n", MOUNT2("/..")); /* moved out of the namespace, and the mount shows it */
  expect(2, "/cg/x");
  say("0::/../x\n", MOUNT2("/")); /* moved out of the namespace, and out of sight */
  expect(2, NULL);
  say("0::/\n", MOUNT2("/../a")); /* a sibling */
  expect(2, NULL);
  say("0::/a/../../x\n", MOUNT2("/"));
  expect(2, NULL);
  say("0::/..x\n", MOUNT2("/")); /* a name, not a way up: the group is gone, its parent is there */
  expect(2, "/cg");
}

static void of_several_mounts_the_one_that_shows_most(void **state)
{
  (void)state;
  tree_file("cg/a/b/f", "");
  tree_file("part/b/f", "");
  tree_file("top/a/b/f", "");
  say("0::/a/b\n", "1 1 0:1 /a /part rw - cgroup2 c rw\n" MOUNT2(
                       "/") "1 1 0:1 /a/b /part/b rw - cgroup2 c rw\n");
  expect(2, "/cg/a/b");
  say("0::/a/b\n", MOUNT2("/") "1 1 0:1 / /top rw - cgroup2 c rw\n");
  expect(2, "/top/a/b");
}

static void a_group_that_is_gone(void **state)
{
  (void)state;
  say("0::/a/b/c (deleted)\n", MOUNT2("/"));
  tree_file("cg/a/f", "");
  expect(2, "/cg/a");
}

static void blanks_in_names(void **state)
{
  (void)state;
  say("0::/my group\n", "1 1 0:1 / /c\\040g rw - cgroup2 c rw\n");
  tree_file("c g/my group/f", "");
  expect(2, "/c g/my group");
}

static void up_to_the_mount(void **state)
{
  (void)state;
  tm__memcg group;
  say("0::/a/b\n", MOUNT2("/"));
  tree_file("cg/a/b/f", "");
  assert_true(tm__memcg_find(tree, 2, &group));
  assert_true(tm__memcg_up(&group));
  assert_true(tm__memcg_up(&group));
  assert_string_equal(group.folder + strlen(tree), "/cg");
  assert_false(tm__memcg_up(&group));
  assert_string_equal(group.folder + strlen(tree), "/cg");
}

/* Lines longer than any buffer stand between ours; a last line has no end. */
static void long_lines(void **state)
{
  (void)state;
  static char text[40000];
  memset(text, 'x', sizeof text);
  memcpy(text, "40 1 0:50 / /merged rw - overlay o lowerdir=", 43);
  text[9000] = '\n';
  text[9000 + 4096] = '\n';
  text[9000 + 4097 + 4095] = '\n';
  strcpy(text + 30000 - 1, "\n1 1 0:1 / /cg rw - cgroup2 c rw");
  say("0::/a", text);
  tree_file("cg/a/f", "");
  expect(2, "/cg/a");
}

static void hostile_files(void **state)
{
  (void)state;
  static char noise[100000];
  uint32_t seed = 1;
  expect(2, NULL); /* no file at all */
  say("", "");
  expect(2, NULL);
  say("0::\n0:\n::\n\n0::nowhere\n:memory\n", MOUNT2("/"));
  expect(2, NULL);
  expect(1, NULL);
  say("0::/a\n", "1 2 3\n- cgroup2\n1 1 0:1 / - cgroup2 c rw\n1 1 0:1 x y rw - cgroup2 c rw\n\n");
  expect(2, NULL);
  for (int round = 0; round < 20; round++) {
    for (size_t i = 0; i < sizeof noise; i++)
      noise[i] = (char)((seed = seed * 1664525u + 1013904223u) >> 24);
    tree_bytes("proc/self/mountinfo", noise, sizeof noise);
    tree_file("proc/self/cgroup", "0::/a\n");
    expect(2, NULL);
    tree_bytes("proc/self/cgroup", noise, sizeof noise);
    expect(1, NULL);
  }
}

static void too_long_paths(void **state)
{
  (void)state;
  char line[3000] = "0::/";
  memset(line + 4, 'a', 2000);
  strcpy(line + 2004, "\n");
  say(line, MOUNT2("/"));
  expect(2, NULL);
  line[900] = 0;
  say(line, MOUNT2("/")); /* with the root of the tree it is too long */
  tree_file("cg/f", "");
  tm__memcg group;
  (void)tm__memcg_find(tree, 2, &group); /* whatever it says: the sanitizers watch */
}

static uint64_t number_of(const char *text, size_t length)
{
  tm__memcg group = {.version = 2};
  strcpy(group.folder, tree);
  tree_bytes("number", text, length);
  return tm__memcg_number(&group, "number");
}

static void numbers(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    uint64_t value;
  } rows[] = {{"123\n", 123},
              {"0\n", 0},
              {"4611686018427387903\n", 4611686018427387903u},
              {"4611686018427387904\n", UINT64_MAX},
              {"9223372036854771712\n", UINT64_MAX},
              {"99999999999999999999999999\n", UINT64_MAX},
              {"max\n", UINT64_MAX},
              {"", UINT64_MAX},
              {"\n", UINT64_MAX},
              {"-1\n", UINT64_MAX},
              {"12abc\n", UINT64_MAX},
              {"12 13\n", UINT64_MAX}};
  for (size_t i = 0; i < TM_ARRAY_LEN(rows); i++)
    assert_int_equal(number_of(rows[i].text, strlen(rows[i].text)), rows[i].value);
  assert_int_equal(number_of("12\0", 3), UINT64_MAX);
  static char zeros[100000];
  memset(zeros, '0', sizeof zeros);
  assert_int_equal(number_of(zeros, sizeof zeros), UINT64_MAX);
}

static void values(void **state)
{
  (void)state;
  static const char text[] = "low 1\nhigh 22\noom 3\noom_kill 4\nbad x\n";
  assert_int_equal(tm__memcg_value(text, "low"), 1);
  assert_int_equal(tm__memcg_value(text, "high"), 22);
  assert_int_equal(tm__memcg_value(text, "oom"), 3);
  assert_int_equal(tm__memcg_value(text, "oom_kill"), 4);
  assert_int_equal(tm__memcg_value(text, "bad"), UINT64_MAX);
  assert_int_equal(tm__memcg_value(text, "oo"), UINT64_MAX);
  assert_int_equal(tm__memcg_value("", "low"), UINT64_MAX);
}

static void this_machine_leaks_no_descriptor(void **state)
{
  (void)state;
  tm__memcg group;
  int before = count_open_fds();
  (void)tm__memcg_find("", 1, &group);
  (void)tm__memcg_find("", 2, &group);
  assert_int_equal(count_open_fds(), before);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      tree_test(version_2),
      tree_test(version_1_among_others),
      tree_test(mixed),
      tree_test(a_mount_may_show_a_part),
      tree_test(namespaces),
      tree_test(of_several_mounts_the_one_that_shows_most),
      tree_test(a_group_that_is_gone),
      tree_test(blanks_in_names),
      tree_test(up_to_the_mount),
      tree_test(long_lines),
      tree_test(hostile_files),
      tree_test(too_long_paths),
      tree_test(numbers),
      tree_test(values),
      tree_test(this_machine_leaks_no_descriptor),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
