#!/usr/bin/env python3
"""A real Prometheus over three programs: rules evaluate, an alert comes and goes, and the dashboard
has something to show in every panel. The committed files are used, with seconds for minutes."""
# ctest: timeout=120
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from command import main
from served import ServedCase

DEPLOY = os.path.join(HERE, "../../deploy")

# Collects all the time, and has told of memory outside.
BUSY = """
import ctypes, sys
lib = ctypes.CDLL(None)
lib.tm_heap_default.restype = ctypes.c_void_p
lib.tm_inform(ctypes.c_void_p(lib.tm_heap_default()), b"tiles", ctypes.c_int64(5_000_000))
outside = bytearray(1)
import mmap
outside = mmap.mmap(-1, 50_000_000)
outside.write(b"x" * 50_000_000)
print("ready", flush=True)
import threading
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
while not ended.wait(0.005):
    for i in range(100):
        a, b = [bytearray(20_000)], []
        a.append(b), b.append(a)
"""
# Nearly full until it reads a line.
FULL = """
import sys
kept = bytearray(62_000_000)
print("ready", flush=True)
sys.stdin.readline()
kept = None
print("ready", flush=True)
sys.stdin.read()
"""


def read(name):
    with open(os.path.join(DEPLOY, name), encoding="utf-8") as file:
        return file.read()


def quick(text):
    """Five minutes become five seconds, and whatever has to hold for long, two."""
    text = re.sub(r"\[5m\]", "[5s]", text)
    return re.sub(r"(?m)^( +for:) \d+m$", r"\1 2s", text)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Prometheus(ServedCase):
    def setUp(self):
        super().setUp()
        if not shutil.which("prometheus"):
            print("SKIP: prometheus is not installed")
            self.skipTest("no prometheus")
        self.end_of_test = time.monotonic() + 60
        self.programs = {"idle": self.serve(), "busy": self.serve(BUSY, "--soft", "20M"),
                         "full": self.serve(FULL, "--hard", "64M")}
        addresses = {name: one.url.split("/")[2] for name, one in self.programs.items()}
        self.instances = {address: name for name, address in addresses.items()}
        config = read("prometheus.yml").replace("interval: 15s", "interval: 1s")
        self.write("prometheus.yml", config.replace('["127.0.0.1:9464"]',
                                                    json.dumps(list(self.instances))))
        self.write("tidemark.rules.yml", quick(read("tidemark.rules.yml")))
        self.start()

    def start(self):
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}/api/v1/"
        with open(self.path("prometheus.log"), "wb") as log:
            process = subprocess.Popen(
                ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                 f"--web.listen-address={address}"], cwd=self.folder.name, stdout=log, stderr=log)
        self.addCleanup(self.end, process)

    def ask(self, path, **parameters):
        url = self.url + path + "?" + urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def wait_for(self, what, question):
        """What the question gives, as soon as it gives something; Prometheus may still start."""
        while True:
            try:
                answer = question()
                if answer:
                    return answer
            except (urllib.error.URLError, ConnectionError):
                pass
            self.assertLess(time.monotonic(), self.end_of_test,
                            f"{what}\n{self.read('prometheus.log').decode()[-2000:]}")
            time.sleep(0.2)

    def query(self, text):
        return self.ask("query", query=text)["result"]

    def firing(self):
        return {(alert["labels"]["alertname"], self.instances.get(alert["labels"].get("instance")))
                for alert in self.ask("alerts")["alerts"] if alert["state"] == "firing"}

    def rules_have_run(self):
        rules = [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]
        return rules if all(rule["health"] != "unknown" for rule in rules) else None

    def dashboard(self):
        for panel in json.loads(read("grafana-dashboard.json"))["panels"]:
            for target in panel["targets"]:
                text = re.sub(r"\$(job|instance|heap)\b", ".*", target["expr"])
                yield panel["title"], text.replace("$__rate_interval", "5s")

    def test_three_programs(self):
        self.wait_for("all three are scraped",
                      lambda: [one["value"][1] for one in self.query("sum(up == 1)")] == ["3"])
        for rule in self.wait_for("the rules are evaluated", self.rules_have_run):
            self.assertEqual((rule["health"], rule.get("lastError", "")), ("ok", ""), rule["name"])
        for title, text in self.dashboard():
            self.wait_for(f"'{title}' has data: {text}", lambda t=text: self.query(t))
        alert = ("TidemarkNearHardLimit", "full")
        self.wait_for("the alert comes", lambda: alert in self.firing())
        self.assertNotIn(("TidemarkNearHardLimit", "busy"), self.firing())
        self.assertNotIn("TidemarkGone", {name for name, _ in self.firing()})
        full = self.programs["full"]
        full.stdin.write("\n")
        full.stdin.flush()
        self.assertEqual(full.stdout.readline(), "ready\n")
        self.wait_for("the alert goes", lambda: alert not in self.firing())
        self.programs["idle"].stdin.close()
        self.wait_for("an end is told", lambda: ("TidemarkGone", "idle") in self.firing())


if __name__ == "__main__":
    main()
