#!/usr/bin/env python3
"""The monitor in programs that do not know of it: `tidemark run --serve`."""
import gzip
import json
import os
import socket
import subprocess
import sys
import unittest
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from command import PRELOAD, PYTHON, TIDEMARK, Case, environment, main

MONITOR = os.path.join(os.path.dirname(PRELOAD), "libtidemark-monitor.so")


@unittest.skipUnless(os.path.exists(MONITOR), "the monitor is not built")
class Serving(Case):
    def start(self, address, *command):
        """Starts a served program; the process, and what it says of its address."""
        child = subprocess.Popen([TIDEMARK, "run", "--serve", address, *command],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env=environment())
        self.addCleanup(child.wait)
        for pipe in (child.stdin, child.stdout, child.stderr):
            self.addCleanup(pipe.close)
        self.addCleanup(child.kill)
        line = child.stderr.readline().decode()
        self.assertTrue(line.startswith("tidemark: serving "), line)
        return child, line.split()[-1]

    def serve(self, code, *options):
        """A Python program on a free port; its process and its URL."""
        child, url = self.start(":0", *options, "--", PYTHON, "-c", code)
        self.assertRegex(url, r"^http://127\.0\.0\.1:\d+/$")
        return child, url

    def get(self, url):
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()

    def finish(self, child):
        child.stdin.close()
        self.assertEqual(child.wait(30), 0)

    def test_the_numbers_are_those_of_the_program(self):
        child, url = self.serve("x = bytearray(123 << 20); print('up', flush=True); input()",
                                "--hard", "1G")
        child.stdout.readline()
        heap = json.loads(self.get(url + "stats.json"))["heaps"][0]
        self.assertGreater(heap["live_bytes"], 123 << 20)
        self.assertEqual(heap["hard_limit_bytes"], 1 << 30)
        self.assertIn('tidemark_heap_hard_limit_bytes{heap="default"} 1073741824',
                      self.get(url + "metrics"))
        child.stdin.write(b"\n")
        self.finish(child)

    def test_a_program_that_closes_every_descriptor_is_served_on(self):
        child, url = self.serve("""if True:
            import os
            os.closerange(3, 4096)
            files = [open("/dev/null") for _ in range(50)]
            print("up", flush=True)
            input()
            for file in files:
                file.close()""")
        child.stdout.readline()
        for _ in range(20):
            self.assertEqual(self.get(url + "healthz"), "ok\n")
        child.stdin.write(b"\n")
        self.finish(child)

    def test_the_program_sees_one_descriptor_and_its_children_none(self):
        code = "import os; print([int(f) for f in os.listdir('/proc/self/fd')], flush=True)"
        child, _ = self.serve(f"""if True:
            import os, subprocess, sys
            {code}
            subprocess.run([sys.executable, "-c", {code!r}], close_fds=False)
            if os.fork() == 0:
                {code}
                os._exit(0)
            os.wait()
            input()""")
        own, executed, forked = (set(json.loads(child.stdout.readline())) for _ in range(3))
        listener = max(own)
        self.assertGreaterEqual(listener, 100)
        self.assertTrue(all(fd < 100 for fd in executed), executed)
        self.assertNotIn(listener, forked)
        child.stdin.write(b"\n")
        self.finish(child)

    def test_the_port_is_free_when_the_program_ended(self):
        child, url = self.serve("""if True:
            import os, time
            if os.fork() == 0:
                os.closerange(0, 3)
                time.sleep(20)
                os._exit(0)""")
        child.wait(30)
        port = int(url.rstrip("/").rsplit(":", 1)[1])
        with socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex(("127.0.0.1", port)), 0)

    def test_a_chain_of_exec_is_served(self):
        command = f"exec env A=1 {PYTHON} -c 'print(1, flush=True); input()'"
        child, url = self.start(":0", "--", "sh", "-c", command)
        child.stdout.readline()
        self.assertEqual(json.loads(self.get(url + "stats.json"))["process"]["pid"], child.pid)
        child.communicate(b"\n", timeout=30)
        self.assertEqual(child.returncode, 0)

    def test_unix_socket(self):
        where = self.path("s")
        child, url = self.start(f"unix:{where}", "--", PYTHON, "-c", "input()")
        self.assertEqual(url, f"unix:{where}")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(where)
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with client.makefile("rb") as answer:
                self.assertTrue(answer.read().endswith(b"ok\n"))
        child.communicate(b"\n", timeout=30)
        self.assertEqual(child.returncode, 0)

    def test_the_heap_profile_of_this_moment(self):
        child, url = self.serve("""if True:
            kept = [bytes(2000) for _ in range(2000)]
            print("up", flush=True)
            input()""", "--profile-interval", "4K")
        child.stdout.readline()
        with urllib.request.urlopen(url + "heap.pb.gz", timeout=10) as answer:
            raw = gzip.decompress(answer.read())
        self.assertIn(b"inuse_space", raw)
        self.assertRegex(raw, rb"tidemark: \d{3,} samples")
        child.stdin.write(b"\n")
        self.finish(child)

    def test_the_report_comes_with_it(self):
        child, _ = self.serve("input()", "--report")
        _, text = child.communicate(b"\n", timeout=30)
        self.assertRegex(text, rb"(?m)^tidemark: .* ran for ")


if __name__ == "__main__":
    main()
