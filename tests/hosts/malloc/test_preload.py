#!/usr/bin/env python3
"""The preload library in whole programs: limits, the report, the monitor, and good manners."""
# ctest: timeout=180
import glob
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request


def built(name, variable):
    """A path from the environment, or from the newest build in the source tree."""
    if os.environ.get(variable):
        return os.environ[variable]
    here = os.path.dirname(os.path.abspath(__file__))
    found = glob.glob(os.path.join(here, "../../../build", "**", name), recursive=True)
    return max(found, key=os.path.getmtime) if found else ""


TIDEMARK = built("bin/tidemark", "TIDEMARK")
PRELOAD = built("libtidemark-preload.so", "TIDEMARK_PRELOAD")
MONITOR = os.path.join(os.path.dirname(PRELOAD), "libtidemark-monitor.so")
CC = os.environ.get("CC", "cc")
PYTHON = "/usr/bin/python3"
REPORT = re.compile(rb"^tidemark: .* \(process (\d+)\) ran for ", re.M)


def environment(**more):
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith("TM_") and k not in ("LD_PRELOAD", "PYTHONMALLOC")}
    kept.update(more)
    return kept


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def run_it(self, *arguments, **options):
        options.setdefault("env", environment())
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return subprocess.run([TIDEMARK, "run", *arguments], timeout=60, **options)

    def python(self, code, *options, **more):
        return self.run_it(*options, "--", PYTHON, "-c", code, **more)

    def compile(self, name, source, *flags):
        code = self.path(name + ".c")
        with open(code, "w") as file:
            file.write(source)
        subprocess.run([CC, "-O1", "-w", "-o", self.path(name), code, *flags], check=True)
        return self.path(name)

    def assertReports(self, text, times=1):
        self.assertEqual(len(REPORT.findall(text)), times, text.decode())


class Limits(Case):
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
        bad = environment(LD_PRELOAD=PRELOAD, TM_SOFT="lots", TM_POLICY="sqrt", TM_HARD="1G")
        result = subprocess.run([PYTHON, "-c", "print('ran')"], capture_output=True, env=bad)
        self.assertEqual((result.returncode, result.stdout), (0, b"ran\n"))
        lines = result.stderr.decode().splitlines()
        self.assertEqual(len(lines), 2, lines)
        self.assertTrue(lines[0].startswith("tidemark: TM_SOFT=lots is ignored: "), lines)
        self.assertTrue(lines[1].startswith("tidemark: TM_POLICY=sqrt is ignored: "), lines)

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


class Report(Case):
    def test_its_shape(self):
        text = self.python("x = [str(i) for i in range(100000)]", "--soft", "64M", "--report").stderr
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


class Manners(Case):
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


@unittest.skipUnless(os.path.exists(MONITOR), "the monitor is not built")
class Serving(Case):
    def start(self, address, *command):
        """Starts a served program; the process, and what it says of its address."""
        child = subprocess.Popen([TIDEMARK, "run", "--serve", address, *command],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env=environment())
        self.addCleanup(child.wait)
        for pipe in (child.stdin, child.stdout, child.stderr):
            self.addCleanup(pipe.close)
        self.addCleanup(child.kill)
        line = child.stderr.readline().decode()
        self.assertTrue(line.startswith("tidemark: serving "), line)
        return child, line.split()[-1]

    def serve(self, code, *options):
        """A Python program on a free port; its process and its URL."""
        child, url = self.start(":0", *options, "--", PYTHON, "-c", code)
        self.assertRegex(url, r"^http://127\.0\.0\.1:\d+/$")
        return child, url

    def get(self, url):
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()

    def finish(self, child):
        child.stdin.close()
        self.assertEqual(child.wait(30), 0)

    def test_the_numbers_are_those_of_the_program(self):
        child, url = self.serve("x = bytearray(123 << 20); print('up', flush=True); input()",
                                "--hard", "1G")
        child.stdout.readline()
        heap = json.loads(self.get(url + "stats.json"))["heaps"][0]
        self.assertGreater(heap["live_bytes"], 123 << 20)
        self.assertEqual(heap["hard_limit_bytes"], 1 << 30)
        self.assertIn('tidemark_heap_hard_limit_bytes{heap="default"} 1073741824',
                      self.get(url + "metrics"))
        child.stdin.write(b"\n")
        self.finish(child)

    def test_a_program_that_closes_every_descriptor_is_served_on(self):
        child, url = self.serve("""if True:
            import os
            os.closerange(3, 4096)
            files = [open("/dev/null") for _ in range(50)]
            print("up", flush=True)
            input()
            for file in files:
                file.close()""")
        child.stdout.readline()
        for _ in range(20):
            self.assertEqual(self.get(url + "healthz"), "ok\n")
        child.stdin.write(b"\n")
        self.finish(child)

    def test_the_program_sees_one_descriptor_and_its_children_none(self):
        code = "import os; print([int(f) for f in os.listdir('/proc/self/fd')], flush=True)"
        child, _ = self.serve(f"""if True:
            import os, subprocess, sys
            {code}
            subprocess.run([sys.executable, "-c", {code!r}], close_fds=False)
            if os.fork() == 0:
                {code}
                os._exit(0)
            os.wait()
            input()""")
        own, executed, forked = (set(json.loads(child.stdout.readline())) for _ in range(3))
        listener = max(own)
        self.assertGreaterEqual(listener, 100)
        self.assertTrue(all(fd < 100 for fd in executed), executed)
        self.assertNotIn(listener, forked)
        child.stdin.write(b"\n")
        self.finish(child)

    def test_the_port_is_free_when_the_program_ended(self):
        child, url = self.serve("""if True:
            import os, time
            if os.fork() == 0:
                os.closerange(0, 3)
                time.sleep(20)
                os._exit(0)""")
        child.wait(30)
        port = int(url.rstrip("/").rsplit(":", 1)[1])
        with socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex(("127.0.0.1", port)), 0)

    def test_a_chain_of_exec_is_served(self):
        command = f"exec env A=1 {PYTHON} -c 'print(1, flush=True); input()'"
        child, url = self.start(":0", "--", "sh", "-c", command)
        child.stdout.readline()
        self.assertEqual(json.loads(self.get(url + "stats.json"))["process"]["pid"], child.pid)
        child.communicate(b"\n", timeout=30)
        self.assertEqual(child.returncode, 0)

    def test_unix_socket(self):
        where = self.path("s")
        child, url = self.start(f"unix:{where}", "--", PYTHON, "-c", "input()")
        self.assertEqual(url, f"unix:{where}")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(where)
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with client.makefile("rb") as answer:
                self.assertTrue(answer.read().endswith(b"ok\n"))
        child.communicate(b"\n", timeout=30)
        self.assertEqual(child.returncode, 0)

    def test_the_report_comes_with_it(self):
        child, _ = self.serve("input()", "--report")
        _, text = child.communicate(b"\n", timeout=30)
        self.assertReports(text)


if __name__ == "__main__":
    if not os.access(TIDEMARK, os.X_OK) or not os.access(PRELOAD, os.R_OK):
        print("SKIP: the command or the preload library is not built")
        sys.exit(77)
    unittest.main()
