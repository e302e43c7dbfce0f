#!/usr/bin/env python3
# ctest: timeout=120
"""Processes under one budget: `tidemark run --group`, its forked workers, and `tidemark groups`."""
import json
import os
import subprocess
import sys
import textwrap

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from command import PYTHON, TIDEMARK, Case, environment, main

# Grows, has its cycles collected, then says one line and waits for one.
WORK = """
def work(rounds):
    kept = []
    for i in range(rounds):
        a, b = [bytearray(100_000)], []
        a.append(b), b.append(a)
"""


class Group(Case):
    def setUp(self):
        super().setUp()
        self.name = self.path("web")

    def start(self, code, *options, **more):
        """A program that is run in the group, connected by pipes; ended with the test."""
        command = [TIDEMARK, "run", "--group", self.name, *options, "--", PYTHON, "-c",
                   textwrap.dedent(code)]
        process = subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def groups(self):
        """{pid: line} of `tidemark groups`, and the headline."""
        result = self.tidemark("groups", self.name)
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.decode().splitlines()
        return {int(line.split()[0]): line for line in lines[2:]}, lines[0]

    def hear(self, process):
        line = process.stdout.readline()
        self.assertTrue(line, process.poll())
        return line.decode().strip()

    def tell(self, process):
        process.stdin.write(b"\n")
        process.stdin.flush()

    def test_forked_workers_are_members(self):
        master = self.start(WORK + """
import os, signal, sys
for _ in range(3):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        work(500)
        os.write(write, b"x")
        signal.pause()
    os.read(read, 1)
    print(pid, flush=True)
sys.stdin.readline()
""", "--budget", "300M")
        workers = [int(self.hear(master)) for _ in range(3)]
        members, headline = self.groups()
        self.assertLessEqual({master.pid, *workers}, set(members))
        self.assertEqual(len(members), 4)
        self.assertRegex(headline, r"web: .* of 300 MiB, 4 members$")
        os.kill(workers[0], 9)
        members, _ = self.groups()
        # a line is believed for a second after it was written; then the process must be there
        while workers[0] in members:
            members, _ = self.groups()
        self.assertEqual(len(members), 3)
        self.assertTrue(os.path.exists(f"/proc/{workers[0]}"))  # a zombie: nobody waited for it
        for pid in workers[1:]:
            os.kill(pid, 9)
        self.tell(master)
        master.wait(30)

    def test_a_run_is_paced_by_its_part(self):
        report = self.path("r.json")
        run = self.start(WORK + "work(6000)", "--budget", "200M", f"--report={report}")
        out, err = run.communicate(timeout=60)
        self.assertEqual((run.returncode, out, err), (0, b"", b""))
        written = json.loads(self.read("r.json"))
        self.assertEqual(written["policy"], "shared")
        self.assertEqual(written["heap"]["group"]["name"], "web")
        self.assertEqual(written["heap"]["group"]["budget_bytes"], 200 << 20)
        self.assertEqual(written["heap"]["group"]["members"], 1)
        self.assertGreater(written["heap"]["group"]["share_bytes"], 100 << 20)
        self.assertLess(written["heap"]["footprint_peak_bytes"], 210 << 20)
        self.assertEqual(self.members_left(), 0)  # it left, it did not just die

    def members_left(self):
        result = self.tidemark("groups", self.name)
        return int(result.stdout.split(b", ")[1].split()[0])

    def test_an_exec_keeps_the_place(self):
        code = "import os, sys; print(1, flush=True); sys.stdin.readline()"
        command = f"exec {PYTHON} -c '{code}'"
        process = subprocess.Popen([TIDEMARK, "run", "--group", self.name, "--budget", "64M", "--",
                                    "sh", "-c", command], env=environment(), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        self.addCleanup(self.end, process)
        self.assertEqual(self.hear(process), "1")
        self.assertEqual(list(self.groups()[0]), [process.pid])

    def test_another_budget_is_said_and_the_program_runs(self):
        first = self.start("import sys; print(1, flush=True); sys.stdin.readline()",
                           "--budget", "64M")
        self.hear(first)
        second = self.start("print(2)", "--budget", "128M")
        out, err = second.communicate(timeout=60)
        self.assertEqual((second.returncode, out), (0, b"2\n"))
        self.assertRegex(err.decode(), r"^tidemark: the group \S+web was not joined: its living "
                                       r"members have another budget; the program runs without "
                                       r"it\n$")
        third = self.start("print(3)")  # whatever it is
        self.assertEqual(third.communicate(timeout=60), (b"3\n", b""))
        self.tell(first)
        first.wait(30)
        fourth = self.start("print(4)", "--budget", "128M")  # nobody is there any more
        self.assertEqual(fourth.communicate(timeout=60), (b"4\n", b""))
        self.assertRegex(self.tidemark("groups", self.name).stdout.decode(),
                         r"of 128 MiB, 0 members\n$")

    def test_files_that_are_no_group(self):
        self.write("tidemark-web", "something else", 0o600)
        run = self.start("print(1)", "--budget", "64M")
        out, err = run.communicate(timeout=60)
        self.assertEqual((run.returncode, out), (0, b"1\n"))
        self.assertIn(b"was not joined: its file is of another version", err)
        self.assertEqual(self.read("tidemark-web"), b"something else")
        self.assertComplains(self.tidemark("groups", self.name), 125, "another version")

    def test_no_budget_and_no_group(self):
        run = self.start("print(1)")
        out, err = run.communicate(timeout=60)
        self.assertEqual(out, b"1\n")
        self.assertIn(b"there is no such group, and no budget to make it with", err)
        self.assertComplains(self.tidemark("groups", self.name), 125, "no group")
        self.assertComplains(self.tidemark("groups", "--all"), 2, "no option --all")

    def test_only_one_of_many_complains(self):
        """A child that is run by the program does not repeat what its parent said."""
        run = self.start(f"import subprocess; subprocess.run(['{PYTHON}', '-c', 'pass'])")
        self.assertEqual(run.communicate(timeout=60)[1].count(b"was not joined"), 1)

    def test_an_own_policy_stays(self):
        report = self.path("r.json")
        run = self.start("pass", "--budget", "64M", "--policy", "growth=50", f"--report={report}")
        run.communicate(timeout=60)
        written = json.loads(self.read("r.json"))
        self.assertEqual(written["policy"], "growth=50")
        self.assertEqual(written["heap"]["group"]["members"], 1)


if __name__ == "__main__":
    main()
