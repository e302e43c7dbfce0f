#!/usr/bin/env python3
"""`tidemark top` on a real terminal (tmux): what is drawn, keys, sizes, and how it is left."""
# ctest: timeout=180
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from command import TIDEMARK, environment, main
from served import BUSY, ServedCase


class Terminal(ServedCase):
    """Each test has a tmux server of its own."""

    def setUp(self):
        super().setUp()
        if not shutil.which("tmux"):
            print("SKIP: tmux is not installed")
            self.skipTest("no tmux")

    def tmux(self, *arguments):
        run = subprocess.run(["tmux", "-S", self.path("tmux"), "-f", "/dev/null", *arguments],
                             capture_output=True, env=environment(LC_ALL="C.UTF-8", SHELL="/bin/sh"))
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout.decode()

    def open(self, command, columns, rows):
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows),
                  f"trap : INT; {command}; echo END=$?; stty -a; cat")
        self.addCleanup(self.tmux, "kill-server")

    def wait_for(self, pattern, *options):
        """The pane, as soon as it shows that."""
        end = time.monotonic() + 30
        while True:
            pane = self.tmux("capture-pane", "-p", *options)
            if re.search(pattern, pane, re.MULTILINE):
                return pane
            self.assertLess(time.monotonic(), end, f"{pattern} is not in\n{pane}")
            time.sleep(0.05)

    def test_live(self):
        process = self.serve(BUSY, "--soft", "100M")
        self.open(f"{TIDEMARK} top --interval 0.2 {process.pid}", 80, 24)
        pane = self.wait_for(r"^q quit  space pause")
        self.assertRegex(pane, rf"^tidemark top  process {process.pid} ")
        self.assertRegex(pane, r"\u2591 \d+ % of soft 100 MiB\n")
        runs = int(re.search(r"^minor +([\d,]+)", pane, re.MULTILINE).group(1).replace(",", ""))
        self.again(process)
        end = time.monotonic() + 30
        while True:  # the numbers move by themselves
            pane = self.wait_for(r"^minor +[\d,]+")
            now = int(re.search(r"^minor +([\d,]+)", pane, re.MULTILINE).group(1).replace(",", ""))
            if now > runs:
                break
            self.assertLess(time.monotonic(), end)
        self.assertIn("\033[", self.tmux("capture-pane", "-p", "-e"))
        self.tmux("send-keys", " ")
        self.wait_for(r"^PAUSED")
        self.tmux("resize-window", "-x", "40", "-y", "12")
        pane = self.wait_for(r"^PAUSED .*\(\d+ more l")  # drawn anew, also while paused
        self.assertLessEqual(max(map(len, pane.splitlines())), 40)
        self.assertRegex(pane, r"^tidemark top")
        self.tmux("send-keys", " ")
        self.wait_for(r"^q quit")
        self.tmux("resize-window", "-x", "100", "-y", "40")
        self.wait_for(r"LATEST DECISIONS")
        self.tmux("send-keys", "q")
        pane = self.wait_for(r"^END=0")
        self.assertNotIn("tidemark top", pane)  # the other screen is back
        self.assertRegex(self.wait_for(r"(?<!-)icanon"), r"(?<!-)\becho\b")

    def test_ended_by_a_signal(self):
        process = self.serve()
        self.open(f"{TIDEMARK} top {process.pid}", 80, 24)
        self.wait_for(r"^q quit")
        self.tmux("send-keys", "C-c")
        self.wait_for(r"^END=0")
        self.assertRegex(self.wait_for(r"(?<!-)icanon"), r"(?<!-)\becho\b")

    def test_process_ends(self):
        process = self.serve()
        self.open(f"{TIDEMARK} top --interval 0.1 {process.pid}", 60, 20)
        self.wait_for(r"^q quit")
        process.stdin.close()
        pane = self.wait_for(r"^END=0")
        self.assertIn("the process has ended", pane)

    def test_no_color(self):
        process = self.serve()
        self.open(f"NO_COLOR=1 {TIDEMARK} top {process.pid}", 80, 24)
        self.wait_for(r"^q quit")
        self.assertNotIn("\033", self.tmux("capture-pane", "-p", "-e"))


if __name__ == "__main__":
    main()
