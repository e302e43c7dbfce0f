#!/usr/bin/env python3
"""What docs/operations.md tells people to paste is accepted by the real tool, and the metrics that
it names are there."""
# ctest: timeout=60
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from command import PYTHON, TIDEMARK, Case, environment, main

with open(os.path.join(HERE, "../../docs/operations.md"), encoding="utf-8") as file:
    TEXT = file.read()


def block(language):
    return re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL).group(1)


def queries():
    return [line for line in block("promql").splitlines() if line and not line.startswith("#")]


class Operations(Case):
    def promtool(self, *arguments):
        if not shutil.which("promtool"):
            print("SKIP: promtool (Debian: prometheus) is not installed")
            self.skipTest("promtool (Debian: prometheus) is not installed")
        run = subprocess.run(["promtool", *arguments], capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_scrape_configuration(self):
        self.promtool("check", "config", self.write("prometheus.yml", block("yaml")))

    def test_queries(self):
        self.assertGreater(len(queries()), 3)
        rules = [{"record": f"docs:query:{i}", "expr": query} for i, query in enumerate(queries())]
        text = json.dumps({"groups": [{"name": "docs", "rules": rules}]})  # JSON is YAML
        self.promtool("check", "rules", self.write("rules.yml", text))

    def scrape(self):
        process = subprocess.Popen(
            [TIDEMARK, "run", "--soft", "1G", "--hard", "2G", "--serve", "127.0.0.1:0", "--",
             PYTHON, "-c", "import sys; print('ready', flush=True); sys.stdin.read()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment(), text=True)
        for pipe in (process.stdin, process.stdout, process.stderr):
            self.addCleanup(pipe.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.stdout.readline()
        url = process.stderr.readline().split()[-1].rstrip("/")
        with urllib.request.urlopen(url + "/metrics") as answer:
            return answer.read().decode()

    def test_names_are_there(self):
        metrics = self.scrape()
        # a machine without a control group, and a program that informs of nothing, lack some
        missing = [name for name in re.findall(r"\b(?:tidemark|process)_[a-z_]*[a-z]\b", TEXT)
                   if not re.search(rf"^{name}[ {{_]", metrics, re.MULTILINE)
                   and "cgroup" not in name and name != "tidemark_informed_bytes"]
        self.assertEqual(missing, [])
        levels = re.search(r"fields\.def\): (.*?) \|", TEXT).group(1)
        for name in re.findall(r"`([a-z_]+)`", levels):
            self.assertIn(f"\ntidemark_heap_{name}_bytes{{", metrics)


if __name__ == "__main__":
    main()
