#!/usr/bin/env python3
"""The preload library in whole programs: limits, the report, and good manners."""
# ctest: timeout=180
import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from command import PRELOAD, PYTHON, Case, environment, main

REPORT = re.compile(rb"^tidemark: .* \(process (\d+)\) ran for ", re.M)


class PreloadCase(Case):
    def assertReports(self, text, times=1):
        self.assertEqual(len(REPORT.findall(text)), times, text.decode())


class Limits(PreloadCase):
    def test_a_hard_limit_is_a_memory_error(self):
        result = self.python("bytearray(1 << 28)", "--hard", "100M")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"MemoryError", result.stderr)
        self.assertEqual(self.python("bytearray(1 << 28)", "--hard", "600M").returncode, 0)

    def test_a_hard_limit_is_null_in_c(self):
        program = self.compile("eat", """
            #include <errno.h>
            #include <stdio.h>
            #include <stdlib.h>
            int main(void) {
              size_t n = 0;
              while (malloc(100000)) n += 100000;
              printf("%zu %d\\n", n, errno == ENOMEM);
            }""")
        bytes_got, enomem = self.run_it("--hard", "32M", "--", program).stdout.split()
        self.assertEqual(enomem, b"1")
        self.assertLessEqual(int(bytes_got), 32 << 20)
        self.assertGreater(int(bytes_got), 24 << 20)

    def test_limits_are_inherited_by_children(self):
        code = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', " \
               "'bytearray(1 << 28)'], stderr=subprocess.DEVNULL))"
        self.assertEqual(self.python(code, "--hard", "100M").returncode, 1)

    def test_collections_on_bytes_keep_a_python_program_small(self):
        code = """if True:
            class Node: pass
            for i in range(400):
                n = Node(); n.self = n; n.buffer = bytearray(1 << 20)"""
        result = self.python(code, f"--report={self.path('r.json')}")
        self.assertEqual(result.returncode, 0, result.stderr)
        heap = json.loads(self.read("r.json"))["heap"]
        self.assertGreater(heap["allocated_bytes_total"], 400 << 20)
        self.assertLess(heap["footprint_peak_bytes"], 200 << 20)
        runs = heap["actions"]["minor"]["runs_total"] + heap["actions"]["full"]["runs_total"]
        self.assertGreater(runs, 0)

    def test_bad_values_in_the_environment_are_said_once_and_ignored(self):
        bad = environment(LD_PRELOAD=PRELOAD, TM_SOFT="lots", TM_POLICY="sqrt=0", TM_HARD="1G")
        result = subprocess.run([PYTHON, "-c", "print('ran')"], capture_output=True, env=bad)
        self.assertEqual((result.returncode, result.stdout), (0, b"ran\n"))
        lines = result.stderr.decode().splitlines()
        self.assertEqual(len(lines), 2, lines)
        self.assertTrue(lines[0].startswith("tidemark: TM_SOFT=lots is ignored: "), lines)
        self.assertTrue(lines[1].startswith("tidemark: TM_POLICY=sqrt=0 is ignored: "), lines)

    def test_a_mixed_family_is_reported_and_the_program_goes_on(self):
        code = """if True:
            import ctypes
            api = ctypes.pythonapi
            api.PyMem_Malloc.restype = ctypes.c_void_p
            api.PyObject_Free.argtypes = [ctypes.c_void_p]
            api.PyObject_Free(api.PyMem_Malloc(100))
            print("on")"""
        result = self.python(code, "--report")
        self.assertEqual((result.returncode, result.stdout), (0, b"on\n"))
        self.assertIn(b"family mismatch: allocated by PyMem_Malloc, freed by PyObject_Free",
                      result.stderr)
        self.assertIn(b"1 block was freed or resized by another family", result.stderr)
        strict = self.python(code, env=environment(TM_MISMATCH="abort"))
        self.assertEqual(strict.returncode, -signal.SIGABRT)


class Report(PreloadCase):
    def test_its_shape(self):
        code = "x = [str(i) for i in range(100000)]"
        text = self.python(code, "--soft", "64M", "--report").stderr
        self.assertReports(text)
        lines = text.decode().splitlines()
        self.assertLessEqual(len(lines), 40)
        for line in lines:
            self.assertLessEqual(len(line), 110, line)
        for words in ("peak footprint", "soft limit 64.0 MiB, no hard limit", "live at exit",
                      "allocated in all", "committed at exit", "given back", "peak RSS",
                      "where the bytes are", "obj ", "c (malloc) "):
            self.assertIn(words, text.decode())

    def test_a_quiet_program_gets_a_sentence(self):
        text = self.run_it("--report", "--", "/bin/true").stderr
        self.assertIn(b"No collection was needed: the footprint never crossed its trip of 4.00 MiB",
                      text)

    def test_it_comes_after_the_programs_own_output(self):
        program = self.compile("late", """
            #include <stdio.h>
            #include <stdlib.h>
            static void last(void) { printf("last words\\n"); }
            int main(void) { atexit(last); printf("buffered "); }""")
        text = self.run_it("--report", "--", program, stderr=subprocess.STDOUT).stdout
        self.assertTrue(text.startswith(b"buffered last words\ntidemark: "), text)

    def test_no_report_unless_asked(self):
        result = self.python("print('x')", "--soft", "1G")
        self.assertEqual(result.stderr, b"")

    def test_json(self):
        self.python("x = [0] * 1000", "--policy", "growth=50", "--report=r.json",
                    cwd=self.folder.name)
        report = json.loads(self.read("r.json"))
        self.assertIn("python3 -c x = [0] * 1000", report["command"])
        self.assertGreater(report["elapsed_seconds"], 0)
        self.assertGreater(report["peak_rss_bytes"], 1 << 20)
        self.assertEqual(report["policy"], "growth=50")
        heap = report["heap"]
        self.assertEqual(heap["live_bytes"],
                         heap["allocated_bytes_total"] - heap["freed_bytes_total"])
        self.assertEqual({row["name"] for row in heap["pools"]} & {"obj", "mem", "raw", "c"},
                         {"obj", "mem", "raw", "c"})
        self.assertIn("full", heap["actions"])

    def test_a_file_replaces_what_it_held(self):
        with open(self.path("r"), "w") as file:
            file.write("old\n" * 10000)
        self.python("pass", f"--report={self.path('r')}")
        self.assertReports(self.read("r"))
        self.assertNotIn(b"old", self.read("r"))

    def test_programs_that_go_elsewhere(self):
        self.python("import os; os.chdir('/')", "--report=r", cwd=self.folder.name)
        self.assertReports(self.read("r"))

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_programs_that_become_somebody_else(self):
        os.chmod(self.folder.name, 0o700)
        self.python("import os; os.setgid(65534); os.setuid(65534)", f"--report={self.path('r')}")
        self.assertReports(self.read("r"))

    def test_programs_that_close_every_descriptor(self):
        code = "import os; os.closerange(3, 4096)"
        self.assertReports(self.python(code, "--report").stderr)
        self.assertEqual(self.python(code, f"--report={self.path('r')}").stderr, b"")
        self.assertReports(self.read("r"))
        everything = "import os; os.closerange(0, 4096)"
        self.assertEqual(self.python(everything, "--report").stderr, b"")

    def test_numbers_that_the_program_reuses_are_left_alone(self):
        code = """if True:
            import os, sys
            os.closerange(2, 4096)
            fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
            for number in range(2, 1000):
                os.dup2(fd, number)"""
        self.run_it("--report", "--", PYTHON, "-c", code, self.path("data"))
        self.assertEqual(self.read("data"), b"")

    def test_standard_error_may_go_to_a_file_of_the_programs(self):
        code = "import os, sys; os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), 2)"
        result = self.run_it("--report", "--", PYTHON, "-c", code, self.path("log"))
        self.assertReports(result.stderr)
        self.assertEqual(self.read("log"), b"")

    def test_only_the_process_itself_reports(self):
        code = """if True:
            import os, subprocess, sys
            if os.fork() == 0:
                sys.exit(0)
            os.wait()
            subprocess.run([sys.executable, "-c", "pass"])
            os.system("/bin/true")"""
        self.assertReports(self.python(code, "--report").stderr)

    def test_a_chain_of_exec_reports_once_and_of_the_last(self):
        text = self.run_it("--report", "--", "sh", "-c", "/bin/true; exec env A=1 /bin/echo").stderr
        self.assertReports(text)
        self.assertTrue(text.startswith(b"tidemark: /bin/echo (process "), text)

    def test_exit_in_a_thread(self):
        program = self.compile("thread", """
            #include <pthread.h>
            #include <stdlib.h>
            static void *leave(void *x) { exit(7); return x; }
            int main(void) { pthread_t t; pthread_create(&t, 0, leave, 0); pthread_join(t, 0); }
            """, "-pthread")
        result = self.run_it("--report", "--", program)
        self.assertEqual(result.returncode, 7)
        self.assertReports(result.stderr)

    def test_a_thread_that_reads_does_not_hold_up_the_end(self):
        program = self.compile("reader", """
            #include <pthread.h>
            #include <stdio.h>
            #include <unistd.h>
            static void *wait_for_input(void *x) { getchar(); return x; }
            int main(void) {
              pthread_t t; pthread_create(&t, 0, wait_for_input, 0); usleep(50000);
              printf("out\\n"); return 0; }""", "-pthread")
        read_end, write_end = os.pipe()
        try:
            result = self.run_it("--report", "--", program, stdin=read_end)
        finally:
            os.close(read_end)
            os.close(write_end)
        self.assertEqual(result.stdout, b"out\n")
        self.assertReports(result.stderr)

    def test_sudden_ends_have_no_report(self):
        for code in ("import os; os._exit(0)", "import os, signal; os.kill(os.getpid(), 9)",
                     "import os; os.abort()"):
            self.assertReports(self.python(code, "--report").stderr, 0)

    def test_a_reader_that_left_changes_no_exit_status(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        result = self.python("import signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL)",
                             "--report", stderr=write_end)
        os.close(write_end)
        self.assertEqual(result.returncode, 0)

    def test_the_environment_may_be_overwritten(self):
        program = self.compile("title", """
            #include <string.h>
            extern char **environ;
            int main(void) {
              for (char **e = environ; *e; e++) memset(*e, 'x', strlen(*e)); }""")
        self.run_it(f"--report={self.path('r')}", "--policy", "growth=50", "--", program)
        self.assertReports(self.read("r"))
        self.assertIn(b"policy growth=50", self.read("r"))

    def test_a_file_that_went_away_gets_the_report_on_standard_error(self):
        gone = self.path("gone")
        os.mkdir(gone)
        code = "import os, shutil, sys; os.closerange(3, 4096); shutil.rmtree(sys.argv[1])"
        result = self.run_it(f"--report={gone}/r", "--", PYTHON, "-c", code, gone)
        self.assertIn(b"could not be written to", result.stderr)
        self.assertReports(result.stderr)


class Manners(PreloadCase):
    def test_children_do_not_hold_a_pipe_open(self):
        # a daemon: the parent ends, the child lets go of its descriptors and lives on
        code = """if True:
            import os, time
            if os.fork() == 0:
                os.closerange(0, 3)
                time.sleep(20)"""
        start = time.monotonic()
        self.python(code, "--report")
        self.assertLess(time.monotonic() - start, 10)

    def test_no_thread_without_need(self):
        program = self.compile("threads", """
            #include <stdio.h>
            #include <stdlib.h>
            #include <string.h>
            int main(void) {
              char line[256]; memset(malloc(64 << 20), 1, 64 << 20);
              FILE *f = fopen("/proc/self/status", "r");
              while (fgets(line, 256, f)) if (!strncmp(line, "Threads:", 8)) printf("%s", line + 8);
            }""")
        self.assertEqual(self.run_it("--report", "--", program).stdout.split(), [b"1"])

    def test_descriptors_end_with_exec_and_sit_high(self):
        code = "import os; print(*[f for f in os.listdir('/proc/self/fd') if int(f) > 3])"
        seen = self.python(code, f"--report={self.path('r')}").stdout.split()
        self.assertEqual(len(seen), 2)
        self.assertTrue(all(int(fd) >= 100 for fd in seen), seen)
        child = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]]," \
                " close_fds=False)"
        seen = self.run_it("--report", "--", PYTHON, "-c", child, code).stdout
        self.assertEqual(seen, b"\n")


if __name__ == "__main__":
    main()
