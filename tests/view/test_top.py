#!/usr/bin/env python3
"""`tidemark top` where there is no terminal; test_terminal.py has the rest."""
# ctest: timeout=180
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from command import TIDEMARK, environment, main
from served import BUSY, ServedCase


class NoTerminal(ServedCase):
    def test_once(self):
        process = self.serve(BUSY, "--soft", "100M", "--hard", "200M")
        text = self.view("top", "--once", str(process.pid))
        self.assertNotIn("\033", text)
        self.assertRegex(text, rf"^tidemark top  process {process.pid}  up ")
        self.assertRegex(text, r"\n  \S+ \d+ % of soft 100 MiB\n")
        self.assertRegex(text, r"\n(minor|full) +[1-9]\d* +")
        self.assertRegex(text, r"\nobj +[\d.]+ MiB +[\d,]+ ")
        self.assertIn("LATEST DECISIONS", text)
        self.assertNotIn("deferred", text)
        for line in text.splitlines():
            self.assertLessEqual(len(line), 80)

    def test_widths_and_letters(self):
        process = self.serve()
        for columns in (20, 40, 132):
            text = self.view("top", "--once", str(process.pid),
                             env=environment(COLUMNS=str(columns), LC_ALL="C"))
            self.assertTrue(text.isascii())
            self.assertLessEqual(max(map(len, text.splitlines())), columns)
        self.assertIn("\u2591", self.view("top", "--once", process.url,
                                          env=environment(LC_ALL="C.UTF-8")))

    def test_json(self):
        process = self.serve()
        one = json.loads(self.view("top", "--once", "--json", str(process.pid)))
        self.assertEqual(one["stats"]["process"]["pid"], process.pid)
        self.assertEqual(one["doctor"], {"findings": []})
        self.assertIsInstance(one["log"], list)
        self.assertAlmostEqual(one["time_ns"] / 1e9, time.time(), delta=60)

    def test_frames_until_the_process_ends(self):
        process = self.serve()
        top = subprocess.Popen([TIDEMARK, "top", "--json", "--interval", "0.1", process.url],
                               env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, top)
        for _ in range(3):
            json.loads(top.stdout.readline())
        process.stdin.close()
        process.wait(20)
        top.stdout.read()
        said = top.stderr.read()
        self.assertEqual((top.wait(20), said),
                         (0, b"tidemark: the process has ended, or serves no more\n"))

    def test_output_that_cannot_be_written(self):
        process = self.serve()
        with open("/dev/full", "w", encoding="ascii") as full:
            for command, code in (("top", 1), ("stat", 1), ("log", 1), ("doctor", 125)):
                result = self.tidemark(command, str(process.pid), stdout=full)
                self.assertEqual(result.returncode, 0 if command == "log" else code, command)

    def test_names_cannot_command_the_terminal(self):
        program = ("import ctypes, sys; lib = ctypes.CDLL(None)\n"
                   "lib.tm_heap_default.restype = ctypes.c_void_p\n"
                   "lib.tm_inform(ctypes.c_void_p(lib.tm_heap_default()), b'\\x1b[2Jx',"
                   " ctypes.c_int64(1000))\n"
                   "print('ready', flush=True); sys.stdin.read()")
        text = self.view("top", "--once", str(self.serve(program).pid))
        self.assertIn("?[2Jx", text)
        self.assertNotIn("\033", text)

    def test_wrong_command_lines(self):
        for words in (["--nce"], ["--interval"], ["--interval", "0"], ["--interval=x"], ["a", "b"],
                      ["--once=1"], ["--follow"]):
            self.assertComplains(self.tidemark("top", *words), 2)
        self.assertComplains(self.tidemark("top", "--onec"), 2, "did you mean --once?")


if __name__ == "__main__":
    main()
