#!/usr/bin/env python3
"""`tidemark log`: the decisions as lines, once each, also those that come later."""
# ctest: timeout=120
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from command import TIDEMARK, environment, main
from served import BUSY, ServedCase


class Log(ServedCase):
    def test_lines(self):
        text = self.view("log", str(self.serve(BUSY).pid))
        self.assertRegex(text, r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} default +minor +\w+ +"
                               r"[\d.]+ \w+ -> [\d.]+ \w+ in [\d.]+ \w+$")
        today = time.strftime("%Y-%m-%d")
        self.assertTrue(text.startswith(today) or time.strftime("%Y-%m-%d") != today)

    def test_follow_tells_each_decision_once(self):
        process = self.serve(BUSY)
        log = subprocess.Popen([TIDEMARK, "log", "--follow", "--json", str(process.pid)],
                               env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, log)
        seen = [json.loads(log.stdout.readline())]
        before = [json.loads(line)
                  for line in self.view("log", "--json", str(process.pid)).splitlines()]
        while seen[-1]["sequence"] < before[-1]["sequence"]:
            seen.append(json.loads(log.stdout.readline()))
        self.assertEqual(seen[-len(before):], before)
        self.again(process)
        seen.append(json.loads(log.stdout.readline()))
        self.assertGreater(seen[-1]["sequence"], before[-1]["sequence"])
        process.stdin.close()
        rest, said = log.stdout.read(), log.stderr.read()
        log.wait(20)
        numbers = [one["sequence"] for one in seen]
        numbers += [json.loads(line)["sequence"] for line in rest.splitlines()]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual((log.returncode, said),
                         (0, b"tidemark: the process has ended, or serves no more\n"))


if __name__ == "__main__":
    main()
