"""The Python examples: a prefork server under one budget, and a run drawn from its log."""
# ctest: timeout=240
import re
import signal
import subprocess
import sys
import unittest
import urllib.request
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hosts" / "python_module"))
import module  # noqa: E402
from module import ROOT, harness, stock, tidemark  # noqa: E402

EXAMPLES = ROOT / "examples" / "python"


class Prefork(module.Case):
    def test_workers_share_a_budget(self):
        run = tidemark(EXAMPLES / "prefork.py", "--requests", "1200",
                       options=["--group", f"test-prefork-{id(self)}", "--budget", "192M"])
        self.assertRan(run)
        held = re.fullmatch(r"1200 requests of 1 MiB each by 4 workers\n"
                            r"the workers held (\d+) MiB together at the most\n", run.out)
        self.assertTrue(held, run.out)
        # peaks of four workers need not coincide: the sum of them is more than was ever held
        self.assertLess(int(held.group(1)), 192)
        self.assertGreater(int(held.group(1)), 16)

    def test_it_runs_without(self):
        run = stock(EXAMPLES / "prefork.py", "--requests", "40", "--workers", "2")
        self.assertRan(run, "40 requests of 1 MiB each by 2 workers\n"
                            "no books: start it with `tidemark run`\n")

    def test_it_serves_until_it_is_told_to_end(self):
        server = subprocess.Popen([sys.executable, EXAMPLES / "prefork.py"], text=True,
                                  stdout=subprocess.PIPE, env=harness.environment())
        self.addCleanup(server.stdout.close)
        url = re.search(r"http://\S+/", server.stdout.readline()).group()
        with urllib.request.urlopen(url + "7", timeout=30) as answer:
            self.assertEqual(answer.read(), b"34\n")
        server.send_signal(signal.SIGINT)
        self.assertEqual(server.wait(30), 0)


class Notebook(module.Case):
    def check(self, way):
        target = self.folder() / "run.svg"
        run = way(EXAMPLES / "notebook.py", target)
        self.assertRan(run)
        self.assertRegex(run.out, r"^minor +[1-9]\d* times, +\d\d+\.\d MiB freed")
        self.assertIn("the footprint stayed below the budget: yes\n", run.out)
        svg = ElementTree.parse(target).getroot()
        tag = "{http://www.w3.org/2000/svg}"
        points = svg.find(f"{tag}polyline").get("points").split()
        self.assertEqual(len(points), 300)
        for point in points:
            x, y = map(float, point.split(","))
            self.assertTrue(70 <= x <= 890 and 0 <= y <= 320, point)
        marks = [one for one in svg.iter(f"{tag}circle") if one.get("class") == "minor"]
        self.assertGreater(len(marks), 3)

    def test_a_run_is_drawn(self):
        self.check(module.alone)

    def test_a_run_is_drawn_under_the_command(self):
        self.check(tidemark)


if __name__ == "__main__":
    unittest.main()
