"""The installed command, in a place of any name: it finds its libraries, and they each other."""
# ctest: timeout=120
import os
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from command import PYTHON, Case, environment, main

BUILD = os.environ.get("TIDEMARK_BUILD", "")


class Installed(Case):
    def setUp(self):
        super().setUp()
        if not os.path.exists(os.path.join(BUILD, "cmake_install.cmake")):
            print("SKIP: no build to install: run by ctest, or set TIDEMARK_BUILD")
            self.skipTest("no build")
        subprocess.run(["cmake", "--install", BUILD, "--prefix", self.path("first")], check=True,
                       capture_output=True)
        os.rename(self.path("first"), self.path("moved"))
        self.command = self.path("moved/bin/tidemark")

    def test_run_report_and_serve(self):
        child = subprocess.Popen([self.command, "run", "--serve", ":0", "--report", "--", PYTHON,
                                  "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=environment())
        self.addCleanup(child.kill)
        url = child.stderr.readline().decode().split()[-1]
        with urllib.request.urlopen(url + "healthz", timeout=10) as answer:
            self.assertEqual(answer.read(), b"ok\n")
        top = subprocess.run([self.command, "top", "--once", str(child.pid)], capture_output=True,
                             env=environment(), timeout=30)
        self.assertIn(b"tidemark top  process %d " % child.pid, top.stdout, top.stderr)
        _, text = child.communicate(b"\n", timeout=30)
        self.assertEqual(child.returncode, 0)
        self.assertIn(b"peak footprint", text)
        self.assertNotIn(b"nothing is served", text)

    def test_the_manual_page_names_every_option(self):
        with open(self.path("moved/share/man/man1/tidemark.1"), encoding="ascii") as file:
            manual = file.read().replace("\\-", "-")
        options = subprocess.run([self.command, "help", "run"], capture_output=True, text=True,
                                 check=True).stdout.split()
        for option in {word.split("[")[0] for word in options if word.startswith("--")} - {"--"}:
            self.assertIn(option, manual)


if __name__ == "__main__":
    main()
