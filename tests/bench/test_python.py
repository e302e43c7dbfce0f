"""bench/python.py and its programs: equal output in every arm, options that act."""
# ctest: timeout=240
import contextlib
import io
import os
import signal
import subprocess
import sys
import unittest
import unittest.mock
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import pysuite  # noqa: E402
import python  # noqa: E402
import run  # noqa: E402

PERCENT = 3


def output(program, *prefix, percent=PERCENT, floor=False):
    """What it prints; without a word on standard error."""
    environment = {**run.clean_environment(), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*prefix, "/usr/bin/python3", *program.command(percent, floor)],
                          env=environment, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0 or done.stderr or not done.stdout:
        raise AssertionError(f"{program.name}: {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout


class Programs(unittest.TestCase):
    """Those of demo/programs/ do all of their work or none: ./dev demo compares them."""

    def setUp(self):
        self.programs = [program for program in pysuite.PROGRAMS if program.folder == pysuite.OWN]

    def test_the_same_under_tidemark(self):
        for program in self.programs:
            with self.subTest(program.name):
                stock = output(program)
                self.assertEqual(output(program, os.environ["TIDEMARK"], "run", "--"), stock)

    def test_there_are_enough_and_each_is_a_file(self):
        self.assertGreaterEqual(len(pysuite.names_of(pysuite.SPEED)), 16)
        self.assertGreaterEqual(len(pysuite.names_of(pysuite.MEMORY)), 5)
        listed = {program.name for program in self.programs}
        files = {path.stem for path in Path(pysuite.OWN).glob("*.py")}
        self.assertEqual(files - listed, {"command", "counted", "delays", "thresholds"})
        for program in pysuite.PROGRAMS:
            self.assertTrue(os.path.exists(program.command()[0]), program)

    def test_the_floor_prints_the_same_with_more_collections(self):
        counts = Path("counts")
        for program in self.programs:
            if program.kind != pysuite.MEMORY:
                continue
            self.assertEqual(output(program, floor=True), output(program), program.name)
            full = []
            for floor in (False, True):
                subprocess.run([sys.executable, python.COUNTED, counts,
                                *program.command(PERCENT, floor)], check=True,
                               stdout=subprocess.DEVNULL, timeout=60)
                full.append(int(counts.read_text(encoding="ascii").split()[1]))
            self.assertGreaterEqual(full[1], full[0] + 3, program.name)

    def test_the_demos_know_the_floor(self):
        for program in pysuite.PROGRAMS:
            if program.kind == pysuite.MEMORY and program.folder == pysuite.DEMO:
                text = Path(program.command()[0]).read_text(encoding="utf-8")
                self.assertIn("if FLOOR and number % 20 == 0:\n            gc.collect()", text)


class Runner(unittest.TestCase):
    def test_a_tree_of_processes(self):
        with subprocess.Popen(["sh", "-c", "exec 3<&0; cat <&3 & echo $!; wait"], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
            cat = int(shell.stdout.readline())
            self.assertEqual(python.processes_below(shell.pid), [cat])
            self.assertLessEqual({shell.pid, cat}, set(python.processes_below(os.getpid())))
            shell.stdin.close()
        self.assertEqual(python.processes_below(cat), [])

    def test_watching_sees_all_of_them(self):
        """Two children that hold 40 MiB each until they are asked to end."""
        holder = "import sys; kept = b'x' * (40 << 20); print(len(kept), flush=True); input()"
        with subprocess.Popen([sys.executable, "-c", (
                "import subprocess, sys\n"
                f"two = [subprocess.Popen([sys.executable, '-c', {holder!r}],"
                " stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]\n"
                "for one in two: one.stdout.readline()\n"
                "print('ready', flush=True)\ninput()\n"
                "for one in two: one.communicate(b'\\n')\n")],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()

            class Once:
                """Ends the process after it was looked at once."""
                pid, looks = process.pid, 0

                def poll(self):
                    self.looks += 1
                    if self.looks == 2:
                        process.stdin.write("\n")
                        process.stdin.flush()
                        return process.wait()
                    return None

            peak, footprint = python.watch(
                Once(), lambda: [SimpleNamespace(footprint=3), SimpleNamespace(footprint=4)], 0)
        self.assertEqual(footprint, 7)
        self.assertGreater(peak, 80 << 20)
        self.assertLess(peak, 140 << 20)

    def test_turns(self):
        options = SimpleNamespace(runs=4, arm_names=python.ARMS)
        speed = pysuite.Program("x")
        self.assertEqual([arm for _, arm, floor in python.turns(speed, options) if not floor],
                         ["stock", "tidemark", "heap-only"] * 4)
        memory = pysuite.Program("x", pysuite.MEMORY)
        self.assertEqual([turn for turn in python.turns(memory, options) if turn[2]],
                         [(number, arm, True) for number in (0, 3)
                          for arm in ("stock", "tidemark")])
        self.assertNotIn("heap-only", [arm for _, arm, _ in python.turns(memory, options)])

    def test_what_stands_before_the_interpreter(self):
        tools = python.Tools("measure", "tidemark", "python3")
        workers = pysuite.Program("x", pysuite.PREFORK)
        self.assertEqual(python.prefix(tools, "stock", workers, "/f"), [])
        self.assertEqual(python.prefix(tools, "uncollected", pysuite.Program("x"), "/f"), [])
        self.assertEqual(python.wrapper_of("uncollected")[1], "0,0,0")
        self.assertEqual(python.wrapper_of("tidemark"), ())
        self.assertEqual(python.prefix(tools, "heap-only", pysuite.Program("x"), "/f"),
                         ["tidemark", "run", "--policy", "off", "--"])
        self.assertEqual(python.prefix(tools, "tidemark", workers, "/f"),
                         ["tidemark", "run", "--group", "/f/bench",
                          f"--budget={pysuite.BUDGET_MIB}M", "--"])

    def test_names_choose(self):
        self.assertEqual([program.name for program in python.choose(["json", "prefork"])],
                         ["json_records", "prefork"])
        self.assertEqual(len(python.choose([])), len(pysuite.PROGRAMS))
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            self.assertEqual(python.main(["absent", "--build", str(ROOT / "absent")]), 2)
        self.assertIn("absent", errors.getvalue())

    def test_an_interrupted_run_leaves_nothing_running(self):
        """As Ctrl-C did, once: the program went on without anybody who waited for it."""
        started, stays = [], Path("stays").resolve()
        stays.write_text("#!/bin/sh\nexec sleep 600\n", encoding="ascii")
        stays.chmod(0o755)
        popen = subprocess.Popen

        def start(*arguments, **more):
            started.append(popen(*arguments, **more))
            return started[-1]

        with unittest.mock.patch.object(subprocess, "Popen", start), \
                unittest.mock.patch.object(popen, "communicate", side_effect=KeyboardInterrupt):
            with self.assertRaises(KeyboardInterrupt):
                python.measure(python.Tools(str(stays), "tidemark", "python3"), [],
                               pysuite.Program("x"))
        self.addCleanup(started[0].kill)
        self.assertEqual(started[0].wait(timeout=10), -signal.SIGKILL)

    def test_a_different_output_is_an_error(self):
        answers = iter(["a", "a", "a", "a", "b", "a"])
        with unittest.mock.patch.object(python, "count", lambda *_: ({}, "a")), \
                unittest.mock.patch.object(python, "measure", lambda *_: ({}, next(answers))):
            options = SimpleNamespace(runs=2, arm_names=python.ARMS, percent=100)
            with self.assertRaisesRegex(run.BenchError, r"output differs: .*\['tidemark'\]"):
                python.run_program(python.Tools("m", "t", "p"), pysuite.Program("x"), options)


if __name__ == "__main__":
    unittest.main()
