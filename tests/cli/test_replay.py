#!/usr/bin/env python3
"""tidemark replay as people meet it: real recordings, answers that do not change, bad input."""
# ctest: timeout=180
import json
import os
import sys
import xml.etree.ElementTree as xml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from command import PYTHON, Case, main

PROGRAM = """
class Node: pass
kept = []
for i in range(4000):
    node = Node()
    node.itself = node
    node.data = bytearray(64 << 10)
    if i % 8 == 0:
        kept.append(bytearray(16 << 10))
"""


class Replay(Case):
    def setUp(self):
        super().setUp()
        self.trace = self.path("run.trace")
        self.report = self.path("report.json")
        result = self.run_it("--record", self.trace, f"--report={self.report}", "--", PYTHON, "-c",
                             PROGRAM)
        self.assertEqual((result.returncode, result.stderr), (0, b""))

    def replay(self, *arguments):
        result = self.tidemark("replay", self.trace, *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, b""), result.stderr)
        return result.stdout.decode()

    def numbers(self, *arguments):
        return json.loads(self.replay("--json", *arguments))

    def test_what_was_recorded_is_what_the_report_said(self):
        with open(self.report) as file:
            report = json.load(file)
        recorded = self.numbers()["recorded"]
        actions = report["heap"]["actions"]
        self.assertEqual(recorded["minor_runs"], actions["minor"]["runs_total"])
        self.assertEqual(recorded["full_runs"], actions["full"]["runs_total"])
        peak = report["heap"]["footprint_peak_bytes"]
        self.assertLessEqual(recorded["peak_bytes"], peak * 1.01)
        self.assertGreater(recorded["peak_bytes"], peak * 0.9)
        self.assertEqual(recorded["policy"], "growth=100")

    def test_equal_questions_have_equal_answers(self):
        for options in ((), ("--sweep",), ("--policy", "growth=50", "--soft", "16M")):
            self.assertEqual(self.replay(*options), self.replay(*options))

    def test_the_recorded_policy(self):
        answer = self.numbers()
        lived, again = answer["recorded"], answer["replayed"][0]
        self.assertGreater(lived["collections"], 20)
        # a run of a fifth of a second, in which every hiccup of the machine shows; how near replays
        # come is bench/replay.py's business, and test_simulate.c's without a clock
        self.assertLess(abs(again["collections"] - lived["collections"]),
                        2 + 0.3 * lived["collections"])
        self.assertLess(abs(again["peak_bytes"] - lived["peak_bytes"]), 0.3 * lived["peak_bytes"])

    def test_less_headroom_is_less_memory(self):
        tight, wide = self.numbers("--policy", "growth=10", "--policy", "growth=800")["replayed"]
        self.assertLess(tight["peak_bytes"], wide["peak_bytes"])
        self.assertGreater(tight["collections"], wide["collections"])
        self.assertEqual((tight["policy"], wide["policy"]), ("growth=10", "growth=800"))
        off = self.numbers("--policy", "off")["replayed"][0]
        self.assertEqual(off["collections"], 0)
        self.assertGreater(off["peak_bytes"], 200 << 20)  # all 4,000 buffers
        soft = self.numbers("--policy", "off", "--soft", "64M")["replayed"][0]
        self.assertLess(soft["peak_bytes"], off["peak_bytes"] / 1.5)

    def test_a_sweep_and_its_drawing(self):
        picture = self.path("front.svg")
        text = self.replay("--sweep", "--plot", picture)
        self.assertGreater(text.count("growth="), 6)
        tree = xml.parse(picture).getroot()
        self.assertTrue(tree.tag.endswith("}svg"))
        words = "".join(tree.itertext())
        for word in ("peak footprint", "time spent in actions", "growth=10", "MiB"):
            self.assertIn(word, words)

    def test_help(self):
        for arguments in (["replay", "--help"], ["help", "replay"]):
            result = self.tidemark(*arguments)
            self.assertEqual(result.returncode, 0)
            self.assertIn(b"--sweep", result.stdout)
            for line in result.stdout.decode().splitlines():
                self.assertLessEqual(len(line), 100, line)

    def test_bad_input(self):
        def refused(status, *words, arguments):
            self.assertComplains(self.tidemark("replay", *arguments), status, *words)

        refused(2, "replay needs a recording", arguments=[])
        refused(2, "did you mean --sweep?", arguments=[self.trace, "--sweeep"])
        refused(125, "No such file", arguments=["/no/such/file"])
        refused(125, "is not a recording", arguments=[self.report])
        refused(125, "--plot: cannot write", arguments=[self.trace, "--plot", "/no/such/dir/x.svg"])
        refused(2, "--soft is above",
                arguments=[self.trace, "--soft", "2G", "--hard", "1G"])
        data = bytearray(self.read("run.trace"))
        data[len(data) // 2] ^= 16
        refused(125, "is damaged", arguments=[self.write("flipped", bytes(data), 0o644)])
        whole = self.read("run.trace")
        result = self.tidemark("replay", self.write("cut", whole[:-3], 0o644))
        if len(whole) > 70000:  # the last of several blocks is missing
            self.assertIn(b"The recording breaks off", result.stdout)
        else:
            self.assertComplains(result, 125, "breaks off before its first block ends")

    def test_an_answer_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            result = self.tidemark("replay", self.trace, stdout=full)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"cannot write to standard output", result.stderr)
        result = self.tidemark("replay", self.trace, "--plot", "/dev/full")
        self.assertComplains(result, 125, "--plot: cannot write '/dev/full': No space left")


if __name__ == "__main__":
    main()
