#!/usr/bin/env python3
"""The monitor inside an unmodified program, where malloc is the heap that is watched: looking at
the books must not change them."""
# ctest: timeout=120
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from command import PYTHON, TIDEMARK, Case, environment, main

OPENMETRICS = {"Accept": "application/openmetrics-text"}


class Scrape(Case):
    def serve(self, program):
        """Runs a Python program under `tidemark run`; its process and the URL that serves it."""
        process = subprocess.Popen(
            [TIDEMARK, "run", "--serve", "127.0.0.1:0", "--", PYTHON, "-c", program],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment(), text=True)
        for pipe in (process.stdin, process.stdout, process.stderr):
            self.addCleanup(pipe.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n")
        line = process.stderr.readline()
        self.assertIn("http://127.0.0.1:", line)
        return process, line.split()[-1].rstrip("/")

    def get(self, url, path, headers=None):
        with urllib.request.urlopen(urllib.request.Request(url + path, headers=headers or {})) as r:
            return r.read().decode()

    def heap(self, url):
        """The books of the heap, once the program does nothing but wait."""
        before, after = None, json.loads(self.get(url, "/stats.json"))["heaps"][0]
        while before is None or before["allocs_total"] != after["allocs_total"]:
            before = after
            time.sleep(0.02)
            after = json.loads(self.get(url, "/stats.json"))["heaps"][0]
        return after

    def look_at_everything(self, url):
        for path in ("/", "/plain", "/app.js", "/metrics", "/stats.json", "/log.json", "/doctor",
                     "/holders.json", "/healthz"):
            self.get(url, path)
        self.get(url, "/metrics", OPENMETRICS)
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.get(url, "/nothing")
        caught.exception.close()

    def test_looking_changes_nothing(self):
        _, url = self.serve("import sys; print('ready', flush=True); sys.stdin.read()")
        self.look_at_everything(url)
        before = self.heap(url)
        for _ in range(50):
            self.look_at_everything(url)
        after = self.heap(url)
        before["dirty_bytes"] = after["dirty_bytes"]  # it decays by itself
        for books in (before, after):
            for name in ("committed_bytes", "os_released_bytes_total"):
                books.pop(name)
        self.assertEqual(after, before)
        self.assertGreater(after["live_bytes"], 0)

    def test_what_it_shows_is_true(self):
        process, url = self.serve(
            "import sys; print('ready', flush=True)\n"
            "for line in sys.stdin: kept = bytearray(int(line)); print('ready', flush=True)")
        before = self.heap(url)
        process.stdin.write("50000000\n")
        process.stdin.flush()
        process.stdout.readline()
        after = self.heap(url)
        grown = after["live_bytes"] - before["live_bytes"]
        self.assertAlmostEqual(grown, 50000000, delta=7000000)  # a large block's last slices
        metrics = self.get(url, "/metrics")
        sample = f'tidemark_heap_live_bytes{{heap="default"}} {after["live_bytes"]}'
        self.assertIn(f"\n{sample}\n", metrics)
        self.assertEqual(sum(row["live_bytes"] for row in after["pools"]), after["live_bytes"])
        self.assertEqual(json.loads(self.get(url, "/stats.json"))["process"]["pid"], process.pid)

    def test_it_ends_with_the_program(self):
        process, url = self.serve("import sys; print('ready', flush=True); sys.stdin.read()")
        process.stdin.close()
        self.assertEqual(process.wait(20), 0)
        end = time.monotonic() + 10
        while True:
            try:
                self.get(url, "/healthz")
            except (urllib.error.URLError, ConnectionError):
                break
            self.assertLess(time.monotonic(), end)


if __name__ == "__main__":
    main()
