#!/usr/bin/env python3
"""Memory pressure and the control group's limits in whole programs under `tidemark run`."""
# ctest: timeout=180
import base64
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from command import HERE, TIDEMARK, Case, environment, main

INCLUDE = os.path.join(os.environ.get("TIDEMARK_SOURCE", os.path.join(HERE, "../..")), "include")

# Crosses a trip, says so, and waits until the built-in trim ran once more or a limit is another.
PROGRAM = """
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <linux/close_range.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/syscall.h>
    #include <sys/wait.h>
    #include <tidemark/tidemark.h>
    #include <unistd.h>

    static tm_heap *(*heap_of)(void);
    static int (*row_of)(const tm_heap *, tm_hook_kind, tm_action_row *);
    static int64_t (*limit_of)(const tm_heap *, tm_limit_kind);

    static uint64_t trims(void) {
      tm_action_row row;
      return row_of(heap_of(), TM_TRIM, &row) == 1 ? row.runs_total : 0;
    }
    static int threads(void) {
      char line[128];
      int n = -1;
      FILE *file = fopen("/proc/self/status", "r");
      while (fgets(line, sizeof line, file)) sscanf(line, "Threads: %d", &n);
      fclose(file);
      return n;
    }
    static void cross(void) {
      char *p[400];
      for (int i = 0; i < 400; i++) { p[i] = malloc(50000); memset(p[i], 1, 50000); }
      for (int i = 0; i < 400; i++) free(p[i]);
    }
    static int fifos(void) {
      char path[64], target[512];
      int n = 0;
      for (int fd = 0; fd < 1024; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = 0;
        n += strstr(target, "/fifo") != NULL;
      }
      return n;
    }
    int main(int argc, char **argv) {
      heap_of = dlsym(RTLD_DEFAULT, "tm_heap_default");
      row_of = dlsym(RTLD_DEFAULT, "tm_action_stats_read");
      limit_of = dlsym(RTLD_DEFAULT, "tm_limit_get");
      setvbuf(stdout, NULL, _IONBF, 0);
      if (argc > 1 && strcmp(argv[1], "small") == 0) { printf("%d\\n", threads()); return 0; }
      cross();
      if (argc > 1 && strcmp(argv[1], "fork") == 0) {
        if (fork() == 0) {
          for (int i = 0; i < 200; i++) malloc(1 << 20); /* beyond any trip of the parent's */
          printf("%d\\n", threads());
          _exit(0);
        }
        wait(NULL);
        return 0;
      }
      if (argc > 1 && strcmp(argv[1], "close") == 0) syscall(SYS_close_range, 3, ~0u, 0);
      uint64_t before = trims();
      long hard = (long)limit_of(heap_of(), TM_HARD);
      printf("ready %d %ld\\n", fifos(), hard);
      for (int i = 0; i < 1000 && trims() == before; i++) usleep(10000);
      printf("%s %ld\\n", trims() == before ? "nothing" : "trimmed",
             (long)limit_of(heap_of(), TM_HARD));
      return 0;
    }"""


class WatcherCase(Case):
    program = None

    def setUp(self):
        super().setUp()
        self.program = self.compile("program", PROGRAM, "-O0", "-I", INCLUDE, "-ldl")
        self.fifo = self.path("fifo")
        os.mkfifo(self.fifo)

    def start(self, *arguments, options=(), watch=None, write="", **more):
        env = environment(MEMORY_PRESSURE_WATCH=watch or self.fifo, MEMORY_PRESSURE_WRITE=write)
        return subprocess.Popen([TIDEMARK, "run", *options, "--", self.program, *arguments],
                                env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                **more)

    def tell(self):
        """Somebody reads it, but the thread that does may not be there yet."""
        for _ in range(1000):
            try:
                fd = os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                time.sleep(0.01)
                continue
            os.write(fd, b"!")
            os.close(fd)
            return
        self.fail("nobody reads the FIFO")


class Pressure(WatcherCase):
    def test_a_c_program_gives_memory_back(self):
        process = self.start()
        ready = process.stdout.readline().split()
        self.tell()
        out, err = process.communicate(timeout=60)
        self.assertEqual((ready, out.split()[0], err), (["ready", "0", "0"], "trimmed", ""))

    def test_a_program_that_closes_everything(self):
        process = self.start("close")
        process.stdout.readline()
        self.tell()
        out, err = process.communicate(timeout=60)
        self.assertEqual((out.split()[0], err), ("trimmed", ""))

    def test_a_small_program_has_no_thread(self):
        out, err = self.start("small").communicate(timeout=60)
        self.assertEqual((out, err), ("1\n", ""))

    def test_a_fifo_is_the_parents_alone(self):
        """In the child only the trimmer starts."""
        out, err = self.start("fork").communicate(timeout=60)
        self.assertEqual((out, err), ("2\n", ""))

    def test_a_forked_child_watches_psi_itself(self):
        if not os.access("/proc/pressure/memory", os.R_OK | os.W_OK):
            print("SKIP: no PSI here, or not ours to write")
            self.skipTest("no PSI")
        trigger = base64.b64encode(b"some 200000 2000000\0").decode()
        process = self.start("fork", watch="/proc/pressure/memory", write=trigger)
        out, err = process.communicate(timeout=60)
        self.assertEqual((out, err), ("3\n", ""))

    def test_what_cannot_be_watched_is_said_once(self):
        for watch, word in (("/no/such/file", "No such file"), ("relative", "absolute"),
                            (self.program, "never has news")):
            process = self.start("close", watch=watch)
            process.stdout.readline()
            time.sleep(0.2)
            process.kill()
            err = process.communicate(timeout=60)[1]
            self.assertIn("tidemark: memory pressure is not watched: ", err)
            self.assertIn(word, err)
            self.assertEqual(err.count("\n"), 1, err)

    def test_off(self):
        process = self.start(watch="/dev/null")
        process.stdout.readline()
        process.kill()
        self.assertEqual(process.communicate(timeout=60)[1], "")

    def test_python(self):
        code = """if True:
            import ctypes, sys, time
            lib = ctypes.CDLL(None)
            lib.tm_heap_default.restype = ctypes.c_void_p
            heap = ctypes.c_void_p(lib.tm_heap_default())
            record, cursor = ctypes.create_string_buffer(4096), ctypes.c_uint64(0)
            text = ctypes.create_string_buffer(4096)
            kept = [[i] for i in range(300000)]
            print("ready", flush=True)
            end = time.monotonic() + 10
            while time.monotonic() < end and b'"pressure":"medium"' not in text.value:
                if lib.tm_log_read(heap, ctypes.byref(cursor), record) == 1:
                    lib.tm_record_json(record, text, len(text))
                else:
                    time.sleep(0.01)
            print("heard" if b'"pressure":"medium"' in text.value else "nothing")
            """
        env = environment(MEMORY_PRESSURE_WATCH=self.fifo)
        process = subprocess.Popen([TIDEMARK, "run", "--", "/usr/bin/python3", "-c", code], env=env,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdout.readline()
        self.tell()
        out, err = process.communicate(timeout=60)
        self.assertEqual((out, err), ("heard\n", ""))


class Group:
    """A control group of memory, version 1, of the test's own."""

    def __init__(self, test, limit):
        self.folder = None
        try:
            with open("/proc/self/mountinfo") as mounts:
                points = [line.split()[4] for line in mounts
                          if " - cgroup " in line and "memory" in line.split(" - ")[1]]
            folder = f"{points[0]}/tidemark-test-{os.getpid()}"
            os.mkdir(folder)
        except (OSError, IndexError) as error:
            print(f"SKIP: no control group of memory (version 1) can be made: {error}")
            test.skipTest("no control group")
        self.folder = folder
        test.addCleanup(self.remove)
        self.limit(limit)

    def limit(self, size):
        with open(f"{self.folder}/memory.limit_in_bytes", "w") as file:
            file.write(str(size))

    def enter(self):
        with open(f"{self.folder}/cgroup.procs", "w") as file:
            file.write(str(os.getpid()))

    def remove(self):
        for _ in range(500):
            try:
                os.rmdir(self.folder)
                return
            except OSError:
                time.sleep(0.01)


class Limits(WatcherCase):
    def test_they_come_from_the_group_and_follow_it(self):
        group = Group(self, 200 << 20)
        process = self.start(options=["--limits-from-cgroup"], preexec_fn=group.enter)
        ready = process.stdout.readline().split()
        self.assertEqual(ready, ["ready", "0", str(180 << 20)])
        group.limit(400 << 20)
        self.tell()
        out, err = process.communicate(timeout=60)
        self.assertEqual((out, err), (f"trimmed {360 << 20}\n", ""))

    def test_what_was_set_is_not_loosened(self):
        group = Group(self, 200 << 20)
        process = self.start(options=["--limits-from-cgroup", "--hard", "100M"],
                             preexec_fn=group.enter)
        ready = process.stdout.readline().split()
        self.assertEqual(ready, ["ready", "0", str(100 << 20)])
        self.tell()
        process.communicate(timeout=60)

    def test_the_report_says_where_they_come_from(self):
        group = Group(self, 200 << 20)
        result = self.run_it("--limits-from-cgroup", "--report", "--", "/bin/true",
                             preexec_fn=group.enter)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"soft limit 150 MiB (cgroup), hard limit 180 MiB (cgroup)", result.stderr)

    def test_a_group_without_a_limit(self):
        group = Group(self, -1)
        result = self.run_it("--limits-from-cgroup", "--", "/bin/true", preexec_fn=group.enter)
        self.assertEqual((result.returncode, result.stderr), (0, b""))


if __name__ == "__main__":
    main()
