#!/usr/bin/env python3
"""tidemark run --record: a file that tells the run, whatever the program does to it."""
# ctest: timeout=120
import os
import signal
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from command import PYTHON, TIDEMARK, Case, environment, main

MAGIC = b"\x8aTMTR\r\n\x1a\x01\0\0\0"
START, END = 1, 8
# cycles that hold 64 KiB each
GARBAGE = ("class A: pass\n"
           "for i in range(2000):\n"
           "    a = A(); a.a = a; a.b = bytes(65536)\n")


def blocks(data):
    """Payloads of the whole blocks."""
    at, found = len(MAGIC), []
    while at + 8 <= len(data):
        length = struct.unpack_from("<I", data, at)[0]
        if at + 8 + length > len(data):
            break
        found.append(data[at + 8:at + 8 + length])
        at += 8 + length
    return found


class Record(Case):
    def record(self, code, *options, **more):
        return self.python(code, "--record", self.path("trace"), *options, **more)

    def assertEnded(self, ended=True):
        data = self.read("trace")
        self.assertEqual(data[:len(MAGIC)], MAGIC)
        found = blocks(data)
        self.assertTrue(found)
        self.assertEqual(found[0][0], START)
        self.assertEqual(bool(found[-1][-2] == END), ended, found[-1][-16:])
        return data

    def test_a_run(self):
        result = self.record(GARBAGE + "print('done')")
        self.assertEqual((result.stdout, result.stderr), (b"done\n", b""))
        data = self.assertEnded()
        self.assertGreater(len(data), 1000)
        self.assertIn(b"default", data)

    def test_what_was_there_is_replaced_when_the_program_starts(self):
        self.write("trace", "old " * 100000, 0o644)
        missing = self.run_it("--record", self.path("trace"), "--", "no-such-command")
        self.assertEqual(missing.returncode, 127)
        self.assertEqual(self.read("trace"), b"old " * 100000)
        self.record("pass")
        self.assertNotIn(b"old old", self.assertEnded())

    def test_bad_names(self):
        self.assertComplains(self.run_it("--record", "/no/such/dir/f", "--", "true"), 125,
                             "--record: cannot write '/no/such/dir/f': No such file")
        self.assertComplains(self.run_it("--record=", "--", "true"), 2, "--record needs the name")
        self.assertComplains(self.run_it("--record", "--", "true"), 2, "--record needs a value")

    def test_a_relative_name_is_of_the_directory_at_the_start(self):
        result = self.run_it("--record", "trace", "--", "sh", "-c", "cd /; exec true",
                             cwd=self.folder.name)
        self.assertEqual(result.returncode, 0)
        self.assertEnded()

    def test_a_full_disk(self):
        result = self.run_it("--record", "/dev/full", "--", PYTHON, "-c", "print('done')")
        self.assertEqual((result.returncode, result.stdout), (0, b"done\n"))
        self.assertEqual(result.stderr.decode(), "tidemark: nothing is recorded: /dev/full cannot "
                                                 "be written: No space left on device\n")

    def test_a_limit_of_file_size(self):
        # SIGXFSZ is ignored by Python; the limit is one that the head fits into
        code = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))\n{GARBAGE}"
        result = self.record(code + "print('done')")
        self.assertEqual((result.returncode, result.stdout), (0, b"done\n"))
        self.assertEqual(result.stderr.decode(), "tidemark: the recording ends here, "
                         f"{self.path('trace')}: File too large\n")

    def test_a_program_that_closes_everything(self):
        other = self.path("other")
        code = ("import os\n"
                "held = [fd for fd in range(3, 1024) if os.path.exists(f'/proc/self/fd/{fd}')]\n"
                "os.closerange(3, 1024)\n"
                f"for fd in held: os.dup2(os.open({other!r}, os.O_RDWR | os.O_CREAT), fd)\n")
        result = self.record(code + GARBAGE + "print('done')")
        self.assertEqual((result.returncode, result.stdout), (0, b"done\n"))
        self.assertIn(b"the program closed the file\n", result.stderr)
        self.assertEqual(self.read("other"), b"")
        self.assertEqual(self.read("trace"), MAGIC)

    def test_a_killed_program_lacks_a_second_at_most(self):
        code = GARBAGE + "import time; time.sleep(1.1)\n" + GARBAGE + \
            "import os; os.kill(os.getpid(), 9)"
        result = self.record(code)
        self.assertEqual(result.returncode, -signal.SIGKILL)
        self.assertGreater(len(self.assertEnded(False)), 500)

    def test_children_do_not_write(self):
        self.record("pass")
        alone = len(self.assertEnded())
        code = ("import os, subprocess, sys\n"
                f"garbage = {GARBAGE!r}\n"
                "for i in range(3):\n"
                "    if not os.fork(): exec(garbage); sys.exit(0)\n"
                "    os.wait()\n"
                "subprocess.run([sys.executable, '-c', garbage])\n")
        self.record(code)
        self.assertLess(len(self.assertEnded()), 4 * alone)

    def test_what_is_executed_last_is_recorded(self):
        result = self.run_it("--record", self.path("trace"), "--", "sh", "-c",
                             f"exec {PYTHON} -c 'print(1)'")
        self.assertEqual(result.stdout, b"1\n")
        self.assertEnded()

    def test_an_inner_run_has_its_own(self):
        inner = [TIDEMARK, "run", "--", PYTHON, "-c", "import os; print('TM_RECORD' in os.environ)"]
        result = self.run_it("--record", self.path("trace"), "--", *inner)
        self.assertEqual(result.stdout, b"False\n")

    def test_the_library_alone(self):
        mine = environment(TM_RECORD="relative", LD_PRELOAD=os.environ.get("TIDEMARK_PRELOAD", ""))
        result = subprocess.run([PYTHON, "-c", "pass"], env=mine, stderr=subprocess.PIPE, timeout=60)
        if mine["LD_PRELOAD"]:
            self.assertIn(b"TM_RECORD=relative is ignored: it is not an absolute path",
                          result.stderr)


if __name__ == "__main__":
    main()
