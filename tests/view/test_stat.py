#!/usr/bin/env python3
"""`tidemark stat`: a line per interval, whose numbers are the process's."""
# ctest: timeout=120
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from command import TIDEMARK, environment, main
from served import BUSY, IDLE, ServedCase

TOTALS = ("allocated_bytes", "freed_bytes", "runs", "reclaimed_bytes", "action_ns", "failures")


class Stat(ServedCase):
    def test_lines_under_their_heads(self):
        process = self.serve(BUSY, "--soft", "100M")
        lines = self.view("stat", str(process.pid), "0.1", "3").splitlines()
        self.assertEqual(len(lines), 4)
        self.assertEqual(lines[0].split()[:3], ["FOOTPRINT", "LIVE", "FREE"])
        for line in lines[1:]:
            self.assertEqual(len(line), len(lines[0]))
            for head in re.finditer(r"\S+", lines[0]):  # each number ends where its head does
                self.assertNotEqual(line[head.end() - 1], " ")
        self.assertRegex(lines[1], r" [1-9]\d* +\d+\.\d +0 +\d+\.\d$")  # it collected
        self.assertRegex(lines[3], r" 0 +0\.0 +0 +\d+\.\d$")            # and waits

    def test_a_head_every_twenty_lines_and_no_limit(self):
        lines = self.view("stat", self.serve(IDLE).url, "0.1", "21").splitlines()
        self.assertEqual([i for i, line in enumerate(lines) if "FOOTPRINT" in line], [0, 21])
        self.assertTrue(lines[1].endswith(" -"))

    def test_json_is_the_difference(self):
        process = self.serve(BUSY)
        stat = subprocess.Popen([TIDEMARK, "stat", "--json", str(process.pid), "0.5"],
                                env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, stat)
        first = json.loads(stat.stdout.readline())
        self.again(process)
        sums = dict.fromkeys(TOTALS, 0)
        while sums["allocated_bytes"] < 3000 * 20000:
            line = json.loads(stat.stdout.readline())
            self.assertGreater(line["interval_ns"], 300_000_000)
            for name in TOTALS:
                sums[name] += line[name]
        self.assertGreater(first["allocated_bytes"], 3000 * 20000)
        self.assertLess(sums["allocated_bytes"], first["allocated_bytes"] + 30_000_000)
        self.assertGreater(sums["runs"], 0)
        self.assertIsNone(line["limit_percent"])
        self.assertGreater(line["resident_bytes"], line["footprint_bytes"] // 2)
        process.stdin.close()
        self.assertIn(b"has ended", stat.stderr.read())
        self.assertEqual(stat.wait(20), 0)

    def test_wrong_command_lines(self):
        for words in (["1", "x"], ["1", "0"], ["1", "1", "0"], ["1", "1", "-1"], ["1", "1", "1", "1"],
                      ["--once"], ["1", "1e3"]):
            self.assertComplains(self.tidemark("stat", *words), 2)


if __name__ == "__main__":
    main()
