#!/usr/bin/env python3
"""The rules by promtool, with time that it makes up; and the dashboard as far as it can be read."""
# ctest: timeout=60
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from command import Case, main

DEPLOY = os.path.join(HERE, "../../deploy")


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


class Rules(Case):
    def promtool(self, *arguments):
        if not shutil.which("promtool"):
            print("SKIP: promtool (Debian: prometheus) is not installed")
            self.skipTest("no promtool")
        run = subprocess.run(["promtool", *arguments], capture_output=True, text=True,
                             cwd=self.folder.name)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        return run.stdout

    def test_the_configuration(self):
        text = self.promtool("check", "config", os.path.join(DEPLOY, "prometheus.yml"))
        self.assertRegex(text, r"SUCCESS: \d\d rules found")

    def test_each_alert_comes_and_stays_away(self):
        rules, tests = read(DEPLOY, "tidemark.rules.yml"), read(HERE, "rules_test.yml")
        self.write("tidemark.rules.yml", rules)
        self.promtool("test", "rules", self.write("rules_test.yml", tests))
        for alert in re.findall(r"alert: (\w+)", rules):
            expected = re.findall(rf"alertname: {alert}\n +eval_time: \w+\n +exp_alerts:(.*)", tests)
            self.assertIn("", expected, f"{alert}: no test makes it fire")

    def test_the_dashboard(self):
        dashboard = json.loads(read(DEPLOY, "grafana-dashboard.json"))
        panels = dashboard["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        taken = set()
        for panel in panels:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24)
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}
            self.assertFalse(cells & taken, panel["title"])
            taken |= cells
            self.assertTrue(panel["description"] and panel["targets"])
            for target in panel["targets"]:
                self.assertEqual(target["datasource"]["uid"], "${datasource}")
        recorded = set(re.findall(r"record: (\S+)", read(DEPLOY, "tidemark.rules.yml")))
        used = set(re.findall(r"tidemark:[a-z_:0-9]+", json.dumps(panels)))
        self.assertLessEqual(used, recorded)


if __name__ == "__main__":
    main()
