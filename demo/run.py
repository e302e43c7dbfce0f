#!/usr/bin/env python3
"""Runs real Python programs side by side, as they are and under Tidemark, and prints what it took.

    demo/run.py [--runs N] [--python PATH] [PROGRAM...]

Needs nothing but the standard library and a built `tidemark` (the variable TIDEMARK names it, else
it is looked for under build/). Exit status: 0, 1 if a program failed or printed something else
under Tidemark, 2 if there is nothing to run.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

# file, title, what its row shows
PROGRAMS = [
    ("cycles", "buffer cycles", "1,500 dead cycles of 1 MiB each: few objects, much memory."),
    ("worker", "worker thread", "The same in a thread, while the main thread only waits for it."),
    ("caches", "caches", "Dropped documents whose pages point back at them, with their texts."),
    ("build", "building", "An index that stays alive: looking for garbage in it finds none."),
    ("ordinary", "ordinary", "Records through JSON, pickle and XML: nothing to win but time."),
]
ARMS = ("stock", "tidemark")

# The counting run: the program, then what the interpreter's own statistics say.
COUNTING = (
    "import gc, runpy, sys\n"
    "out, sys.argv = sys.argv[1], sys.argv[2:]\n"
    "try:\n"
    "    runpy.run_path(sys.argv[0], run_name='__main__')\n"
    "finally:\n"
    "    runs = [row['collections'] for row in gc.get_stats()]\n"
    "    open(out, 'w').write(f'{sum(runs[:-1])} {runs[-1]}')\n"
)


class Failure(Exception):
    """A sentence for the user; the demo ends with it, and with this exit status."""

    def __init__(self, sentence, status=1):
        super().__init__(sentence)
        self.status = status


# ---- running -------------------------------------------------------------------------------------


def find_tidemark():
    """The built command, by TIDEMARK or in the build folder, a release build first."""
    named = os.environ.get("TIDEMARK")
    if named:
        if not os.access(named, os.X_OK):
            raise Failure(f"TIDEMARK={named} is no program that can be run", 2)
        return Path(named).resolve()
    builds = sorted(ROOT.glob("build/*"), key=lambda path: (path.name != "release", path.name))
    for build in builds:
        if os.access(build / "bin" / "tidemark", os.X_OK):
            return build / "bin" / "tidemark"
    raise Failure("there is no built tidemark under build/: run `./dev build` first", 2)


class Cost:
    """What one run took, as demo/measure.py wrote it."""

    def __init__(self, line):
        code, cpu, wall, peak = line.split()
        self.code = int(code)
        self.cpu = float(cpu)
        self.wall = float(wall)
        self.peak = int(peak)


class Runner:
    """Runs programs in either arm, in a clean environment."""

    def __init__(self, tidemark, python, folder):
        self.prefix = {"stock": [], "tidemark": [str(tidemark), "run", "--"]}
        self.python = python
        self.folder = Path(folder)
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "TM_")) and name != "LD_PRELOAD"
        }
        self.environment["PYTHONHASHSEED"] = "0"

    def run(self, arm, arguments):
        """Output and cost of one run of python3 with these arguments."""
        result = self.folder / "cost"
        command = [self.python, "-I", "-S", str(HERE / "measure.py"), str(result)]
        command += self.prefix[arm] + [self.python] + arguments
        done = subprocess.run(command, env=self.environment, capture_output=True, check=False)
        errors = done.stderr.decode(errors="replace").strip()
        if done.returncode != 0:
            raise Failure(f"`{' '.join(command[5:])}` cannot be run: {errors}")
        cost = Cost(result.read_text(encoding="ascii"))
        if cost.code != 0:
            raise Failure(f"`{' '.join(command[5:])}` ended with {cost.code}: {errors}")
        return done.stdout, cost

    def count(self, arm, program):
        """Output, and how often young and all generations were collected."""
        counts = self.folder / "counts"
        output, _ = self.run(arm, ["-c", COUNTING, str(counts), str(program)])
        young, full = counts.read_text(encoding="ascii").split()
        return output, (int(young), int(full))


class Row:
    """One program's results."""

    def __init__(self, title, text):
        self.title = title
        self.text = text
        self.outputs = {arm: set() for arm in ARMS}
        self.costs = {arm: [] for arm in ARMS}
        self.collections = {}

    def median(self, arm, what):
        return statistics.median(getattr(cost, what) for cost in self.costs[arm])

    def same_output(self):
        return len(self.outputs["stock"] | self.outputs["tidemark"]) == 1


def measure(runner, programs, runs, progress):
    """All rows; the arms of a program take turns."""
    rows = []
    for name, title, text in programs:
        row = Row(title, text)
        program = HERE / "programs" / f"{name}.py"
        for arm in ARMS:
            progress.step(f"{title}: counting collections, {arm}")
            output, row.collections[arm] = runner.count(arm, program)
            row.outputs[arm].add(output)
        for number in range(runs):
            for arm in ARMS:
                progress.step(f"{title}: run {number + 1} of {runs}, {arm}")
                output, cost = runner.run(arm, [str(program)])
                row.outputs[arm].add(output)
                row.costs[arm].append(cost)
        rows.append(row)
    progress.end()
    return rows


# ---- telling -------------------------------------------------------------------------------------


class Progress:
    """One line on a terminal that is always overwritten; nothing elsewhere."""

    def __init__(self, steps):
        self.steps = steps
        self.done = 0
        self.shown = sys.stderr.isatty()

    def step(self, text):
        if self.shown:
            sys.stderr.write(f"\r\x1b[K[{self.done + 1:2}/{self.steps}] {text}")
            sys.stderr.flush()
        self.done += 1

    def end(self):
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


class Paint:
    """Colours on a terminal, unless NO_COLOR says otherwise."""

    def __init__(self):
        self.on = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def __call__(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self.on else text

    def ratio(self, value):
        text = f"{value:5.2f}"
        if value <= 0.95:
            return self("32", text)
        if value > 1.05:
            return self("31", text)
        return text


def mebibytes(count):
    return f"{count / (1 << 20):.0f}"


def print_table(rows, paint):
    measures = [("CPU seconds", "cpu", "{:.2f}".format), ("wall seconds", "wall", "{:.2f}".format),
                ("peak MiB", "peak", mebibytes)]
    head, names = " " * 14, " " * 14
    for title, _, _ in measures:
        head += f"{title:>21}  "
        names += f"{'stock':>6}{'tidemark':>9}{'ratio':>6}  "
    print(paint("1", f"{head}{'collections':>17}"))
    print(paint("1", f"{names}{'stock':>8}{'tidemark':>9}"))
    for row in rows:
        cells = f"{row.title:<14}"
        for _, what, form in measures:
            stock, tidemark = (row.median(arm, what) for arm in ARMS)
            cells += f"{form(stock):>6}{form(tidemark):>9} {paint.ratio(tidemark / stock)}  "
        young_full = ["{}+{}".format(*row.collections[arm]) for arm in ARMS]
        print(f"{cells}{young_full[0]:>8}{young_full[1]:>9}")
        print(paint("2", f"  {row.text}"))
    print()
    print("Medians. Ratio: Tidemark to stock, below 1 is better. Collections: young+full.")


def print_next(tidemark):
    command = os.path.relpath(tidemark)
    if command.startswith(os.pardir):
        command = str(tidemark)
    print("\nTry it on a program of your own:")
    for arguments, text in (
        ("run --report -- python3 your_app.py", "what it needed, at its end"),
        ("run --soft 256M --report -- python3 your_app.py", "collect to stay below 256 MiB"),
        ("run --serve 127.0.0.1:9180 -- python3 your_app.py", "and look at /metrics meanwhile"),
    ):
        print(f"  {command} {arguments:<50} {text}")


# ---- the command ---------------------------------------------------------------------------------


def parse():
    names = [name for name, _, _ in PROGRAMS]
    parser = argparse.ArgumentParser(description="Python programs, as they are and under Tidemark.")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="runs of each (default 3)")
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="the interpreter")
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help=", ".join(names))
    options = parser.parse_args()
    unknown = [name for name in options.programs if name not in names]
    if unknown:
        parser.error(f"no program {unknown[0]!r}: there are {', '.join(names)}")
    if options.runs < 1:
        parser.error("--runs needs at least 1")
    return options


def main():
    options = parse()
    chosen = [entry for entry in PROGRAMS if not options.programs or entry[0] in options.programs]
    paint = Paint()
    start = time.monotonic()
    try:
        tidemark = find_tidemark()
        print(f"Real Python programs, each run {options.runs} times as it is and under Tidemark.")
        print(f"Interpreter: {options.python}\n", flush=True)
        with tempfile.TemporaryDirectory(prefix="tidemark-demo-") as folder:
            runner = Runner(tidemark, options.python, folder)
            progress = Progress(len(chosen) * len(ARMS) * (options.runs + 1))
            rows = measure(runner, chosen, options.runs, progress)
    except Failure as failure:
        print(f"\ndemo: {failure}", file=sys.stderr)
        return failure.status
    print_table(rows, paint)
    different = [row.title for row in rows if not row.same_output()]
    if different:
        print(f"\ndemo: the output differs: {', '.join(different)}", file=sys.stderr)
        return 1
    print(f"All outputs are equal. It took {time.monotonic() - start:.0f} seconds.")
    print_next(tidemark)
    return 0


if __name__ == "__main__":
    sys.exit(main())
