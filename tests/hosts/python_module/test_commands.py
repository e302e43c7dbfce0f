"""python3 -m tidemark run | stats | top, as a person types them."""
# ctest: timeout=120
import json
import os
import pty
import select
import subprocess
import sys
import time

import module
from module import PACKAGE, alone, code, harness, stock

SERVED = module.CYCLES + """
import sys, tidemark
cycles(100)
print(tidemark.monitor(), flush=True)
sys.stdin.read()
"""


def command(*arguments, **more):
    return alone("-m", "tidemark", *arguments, **more)


class Run(module.Case):
    def script(self, text):
        path = self.folder() / "app.py"
        path.write_text(text)
        return str(path)

    def test_a_script_runs_with_this_interpreter(self):
        app = self.script("import sys, tidemark; print(tidemark.installed(), sys.argv[1:], "
                          "tidemark.limit()[0], sys.executable)\n")
        out = f"True ['a', '--soft', '-m'] {512 << 20} {sys.executable}\n"
        self.assertRan(command("run", "--soft", "512M", app, "a", "--soft", "-m"), out)
        self.assertRan(command("run", "--soft=512M", "--", app, "a", "--soft", "-m"), out)

    def test_modules_and_text(self):
        show = "import tidemark, sys; print(tidemark.installed(), sys.argv[1:])"
        self.assertRan(command("run", "-c", show, "x"), "True ['x']\n")
        self.assertRan(command("run", "--", "-c", show, "x"), "True ['x']\n")
        self.assertEqual(command("run", "-m", "tidemark", "stats").code, 0)

    def test_any_other_command(self):
        self.assertRan(command("run", "--", "/bin/echo", "a b", "--"), "a b --\n")
        self.assertRan(command("run", "/bin/echo", "hello"), "hello\n")

    def test_exit_codes_and_errors_are_the_commands(self):
        self.assertEqual(command("run", "-c", "raise SystemExit(7)").code, 7)
        wrong = command("run", "--sofft", "1G", "--", "true")
        self.assertEqual(wrong.code, 2)
        self.assertIn("--soft", wrong.err)

    def test_the_command_of_the_build_is_taken(self):
        run = alone(*code("import tidemark.__main__ as main; print(main.find_command())"))
        self.assertRan(run, os.path.realpath(harness.TIDEMARK) + "\n")


class Served(module.Case):
    def serve(self, *options):
        """(process, URL) of a program that waits; with options under `tidemark run`."""
        before = [harness.TIDEMARK, "run", *options, "--"] if options else []
        env = harness.environment(PYTHONPATH=str(PACKAGE))
        process = subprocess.Popen([*before, sys.executable, "-c", SERVED], text=True, env=env,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.addCleanup(process.communicate)
        return process, process.stdout.readline().strip()

    def test_by_number_url_and_port(self):
        process, url = self.serve("--soft", "700M")
        port = url.rsplit(":", 1)[1].rstrip("/")
        for target in (str(process.pid), url, f"127.0.0.1:{port}", f":{port}"):
            run = command("stats", target)
            self.assertEqual((run.code, run.err), (0, ""), target)
            for words in (f"process {process.pid}", "heap default", "soft limit 700 MiB", "minor"):
                self.assertIn(words, run.out)
            data = json.loads(command("stats", "--json", target).out)
            self.assertEqual(data["process"]["pid"], process.pid)

    def test_a_socket_and_a_hidden_monitor(self):
        path = self.folder() / "app.sock"
        process, _ = self.serve("--serve", f"unix:{path}")
        for target in (str(path), f"unix:{path}", str(process.pid)):
            self.assertIn(f"process {process.pid}", command("stats", target).out)

    def test_oneself(self):
        run = module.tidemark("-m", "tidemark", "stats")
        self.assertRan(run)
        self.assertRegex(run.out, r"^process \d+\n\nheap default\n  footprint")
        refused = command("stats")
        self.assertEqual(refused.code, 1)
        self.assertIn("name a process", refused.err)

    def test_top_once(self):
        process, url = self.serve("--soft", "700M")
        for options in ((url, "--once"), (str(process.pid),)):      # no terminal: once
            run = command("top", *options)
            self.assertEqual((run.code, run.err), (0, ""))
            self.assertIn("last decisions", run.out)
            self.assertRegex(run.out, r"\d  fired +minor")

    def test_top_in_a_terminal(self):
        _, url = self.serve("--soft", "700M")
        mine, theirs = pty.openpty()
        top = subprocess.Popen([sys.executable, "-m", "tidemark", "top", url, "--interval", "0.1"],
                               stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                               env=harness.environment(PYTHONPATH=str(PACKAGE), TERM="xterm",
                                                       COLUMNS="60", LINES="12"))
        os.close(theirs)
        self.addCleanup(os.close, mine)
        seen, deadline = b"", time.monotonic() + 60
        while seen.count(b"\x1b[H\x1b[J") < 3 and time.monotonic() < deadline:
            if select.select([mine], [], [], 1)[0]:
                seen += os.read(mine, 65536)
        top.send_signal(2)
        while select.select([mine], [], [], 10)[0]:
            try:
                seen += os.read(mine, 65536)
            except OSError:
                break                                               # it is gone
        self.assertEqual(top.wait(30), 0)
        screens = seen.decode().split("\x1b[H\x1b[J")
        self.assertGreater(len(screens), 3)
        lines = screens[1].replace("\r", "").split("\n")
        self.assertLessEqual(len(lines), 12)
        self.assertLessEqual(max(map(len, lines)), 60)
        self.assertIn("heap default", screens[1])
        self.assertNotIn("Traceback", seen.decode())

    def test_a_pipe_that_ends(self):
        _, url = self.serve("--soft", "700M")
        shell = f"'{sys.executable}' -m tidemark top {url} | head -1"
        run = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False,
                             env=harness.environment(PYTHONPATH=str(PACKAGE)), timeout=60)
        self.assertEqual((run.stderr, run.stdout.count("\n")), ("", 1))


class Unreachable(module.Case):
    def test_it_is_said_in_a_sentence(self):
        for target, words in (("999999999", "no process"), ("127.0.0.1:1", "127.0.0.1:1"),
                              ("/no/such.sock", "/no/such.sock"), (str(os.getpid()), "serves nothing"),
                              ("http://[", "[")):
            run = command("stats", target)
            self.assertEqual(run.code, 1, target)
            self.assertRegex(run.err, r"^tidemark: .*\n$")
            self.assertIn(words, run.err)

    def test_usage(self):
        for arguments in ((), ("fly",), ("top",), ("top", ":1", "--interval", "0")):
            run = command(*arguments)
            self.assertEqual(run.code, 2, arguments)
            self.assertIn("usage: python3 -m tidemark", run.err)
        self.assertIn("TARGET is the number of a process", command("--help").out)
        self.assertRegex(command("--version").out, r"^tidemark \d+\.\d+\.\d+\n$")


class Sizes(module.Case):
    def test_three_digits_that_count(self):
        self.assertRan(stock(*code("""
            from tidemark._show import duration, size
            for n in (0, 1023, 1024, 12345, 102300, 1047552, 1 << 20, 5 << 40, -2048): print(size(n))
            for n in (0, 999, 1000, 1234567, 12 * 10**9): print(duration(n))
        """), env={"PYTHONPATH": str(PACKAGE)}),
            "0 B\n1.00 KiB\n1.00 KiB\n12.1 KiB\n99.9 KiB\n1.00 MiB\n1.00 MiB\n5.00 TiB\n-2.00 KiB\n"
            "0 ns\n999 ns\n1 us\n1.23 ms\n12 s\n")


if __name__ == "__main__":
    module.main()
