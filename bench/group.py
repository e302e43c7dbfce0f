#!/usr/bin/python3
"""Four unequal forked workers under one budget, against an even split of the same total.

    group.py [--runs N] [--quick] [--budget-mib N] [--build DIR] [--out DIR]

  shared   tidemark run --group G --budget B          each worker's part follows what it needs
  less     the same with 7/8 of B                     for a peak like that of the split
  limits   tidemark run --soft B/4                    what one would write without groups
  fixed    tidemark run --policy fixed=B/4            the same split without any other rule

The arms take turns. Printed are medians of: the processor time that all collections of all workers
took, how many there were, the peak of the sum of their footprints (as the group's table has it,
which is read every 20 ms; the split arms are members of a group that only counts them), and the
peak of the summed PSS. Every value goes to bench/results/*-group.csv.
"""
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time

import machine
import report
import run

# name:live objects:requests per second:sessions kept. A session has some 20 KiB.
WORKERS = ("catalogue:450000:600:300", "search:150000:600:300", "feed:60000:3000:300",
           "admin:60000:50:50")
SECONDS = 30
TIME_LIMIT_S = 180
SAMPLE_S = 0.02
MIB = 1 << 20


class Row(ctypes.Structure):
    """tm_group_row."""
    _fields_ = [(name, ctypes.c_uint64) for name in
                ("pid", "age_ns", "live", "footprint", "soft")] + \
               [("growth", ctypes.c_double), ("speed", ctypes.c_double),
                ("share", ctypes.c_uint64)]


class Group:
    """A group's table, read from outside."""

    def __init__(self, build, name):
        self.library = ctypes.CDLL(os.path.join(build, "lib", "libtidemark.so"))
        self.name = name.encode()
        self.rows = (Row * 255)()

    def members(self):
        count = self.library.tm_group_read(self.name, None, self.rows, len(self.rows))
        return self.rows[:max(0, count)]


def pss_bytes(pid):
    """Proportional resident bytes; 0 of a process that is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def watch(process, group):
    """Until it ends: (peak of the sum of footprints, peak of the summed PSS)."""
    footprint = pss = looks = 0
    end = time.monotonic() + TIME_LIMIT_S
    while process.poll() is None:
        if time.monotonic() > end:
            process.kill()
            raise run.BenchError(f"not ended after {TIME_LIMIT_S} s")
        members = group.members()
        footprint = max(footprint, sum(member.footprint for member in members))
        if looks % 10 == 0:  # it is dear
            pss = max(pss, sum(pss_bytes(member.pid) for member in members))
        looks += 1
        time.sleep(SAMPLE_S)
    return footprint, pss


def arms(budget_mib):
    """name: (the group's budget, options of tidemark run)."""
    part = f"{budget_mib // len(WORKERS)}M"
    return {"shared": (budget_mib, ()), "less": (budget_mib * 7 // 8, ()),
            "limits": (budget_mib, ("--policy", "growth", "--soft", part)),
            "fixed": (budget_mib, ("--policy", f"fixed={part}"))}


def run_once(build, arm, seconds):
    """{name: value} of one run."""
    budget_mib, options = arm
    program = os.path.join(machine.ROOT, "bench", "programs", "workers.py")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        name = os.path.join(folder, "bench")
        command = [os.path.join(build, "bin", "tidemark"), "run", "--group", name,
                   f"--budget={budget_mib}M", *options, "--", sys.executable, program,
                   str(seconds), *WORKERS]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=run.clean_environment()) as process:
            footprint, pss = watch(process, Group(build, name))
            out, complaints = process.communicate()
    workers = [json.loads(line) for line in out.splitlines()]
    if process.returncode != 0 or complaints or len(workers) != len(WORKERS):
        raise run.BenchError(f"{' '.join(command)}: exit {process.returncode}: {complaints}")
    values = {"collector_s": sum(worker["collector_s"] for worker in workers),
              "cpu_s": sum(worker["cpu_s"] for worker in workers),
              "full": sum(worker["full"] for worker in workers),
              "minor": sum(worker["minor"] for worker in workers),
              "requests": sum(worker["requests"] for worker in workers),
              "footprint_peak_mib": footprint / MIB, "pss_peak_mib": pss / MIB}
    for worker in workers:
        values[f"{worker['worker']}_collector_s"] = worker["collector_s"]
        values[f"{worker['worker']}_full"] = worker["full"]
    return values


def take_budget(arguments):
    """Takes --budget-mib out of the arguments."""
    for at, argument in enumerate(arguments):
        if argument == "--budget-mib":
            return int(arguments[at + 1]), arguments[:at] + arguments[at + 2:]
    return 320, arguments


def show(rows, names):
    """The medians, an arm a column."""
    medians = report.value_medians(rows)
    print(f"{'':24}" + "".join(f"{name:>12}" for name in names))
    for value in [name for program, name in medians if program == names[0]]:
        cells = [medians[(name, value)] for name in names]
        print(f"{value:24}" + "".join(f"{cell:12.3f}" for cell in cells))
    for ours in ("shared", "less"):
        for theirs in ("limits", "fixed"):
            ratios = [medians[(ours, value)] / medians[(theirs, value)] - 1
                      for value in ("collector_s", "footprint_peak_mib")]
            print(f"{ours} against {theirs}: collector time {ratios[0]:+.1%}, "
                  f"peak footprint {ratios[1]:+.1%}")


def main(arguments):
    """Exit status 0, or 2 when something failed."""
    budget_mib, arguments = take_budget(arguments)
    options = run.parse(arguments)
    seconds = SECONDS // 3 if options.quick else SECONDS
    rows, names = [], list(arms(budget_mib))
    try:
        for number in range(options.runs):
            for name, arm in arms(budget_mib).items():
                values = run_once(options.build, arm, seconds)
                rows += [report.value_row(name, number, value, amount)
                         for value, amount in values.items()]
    except (run.BenchError, OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    print(f"{len(WORKERS)} workers, {budget_mib} MiB, {seconds} s, medians of {options.runs} runs")
    show(rows, names)
    path = run.result_path(options, "group")
    report.write(path, [*machine.describe(options.build, []), ("runs", str(options.runs)),
                        ("budget_mib", str(budget_mib)), ("seconds", str(seconds))], rows,
                 report.VALUE_FIELDS)
    print(f"written: {os.path.relpath(path, machine.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
