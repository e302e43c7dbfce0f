#!/usr/bin/python3
"""What the heap profile costs while it runs: the same programs with and without it.

    profiled.py [NAME ...] [--runs N] [--build DIR] [--out DIR]

The arms take turns. Writes every run to bench/results/*-profiled.csv; prints the least CPU time of
each, because what else the machine does only adds to it, their ratio, and the ratios' geometric
mean. A library without the profiler is no arm: malloc and free are the same instructions in it.
"""

import math
import os
import resource
import subprocess
import sys

import machine
import report
import run

OFF, ON = "off", "on"
PROGRAMS = (
    ("pair",), ("batch",), ("live",), ("churn",), ("xthread",), ("large",), ("regrow",), ("trees",),
    ("/usr/bin/python3", os.path.join(machine.ROOT, "bench", "programs", "objects.py")),
)


def cpu_seconds(command, library, profiled):
    """CPU time of one run of a command."""
    settings = {"LD_PRELOAD": library}
    if profiled:
        settings["TM_PROFILE_INTERVAL"] = "512K"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=run.TIME_LIMIT_S,
                   env={**run.clean_environment(), **settings}, preexec_fn=lambda: run.pin(2))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def print_sample_cost(build, library):
    """A sample by itself: every pair of malloc and free, against none of them."""
    for settings in ({}, {"TM_PROFILE_INTERVAL": "1"}):
        done = subprocess.run([os.path.join(build, "bench", "sampled")], check=True, text=True,
                              stdout=subprocess.PIPE, timeout=run.TIME_LIMIT_S,
                              env={**run.clean_environment(), "LD_PRELOAD": library, **settings})
        print("each pair a sample:" if settings else "no sample:", done.stdout.strip())


def measure(options, library):
    """Rows of report.VALUE_FIELDS: CPU seconds of every run."""
    rows = []
    for command in PROGRAMS:
        name = os.path.basename(command[-1])
        if options.names and name not in options.names:
            continue
        if "/" not in command[0]:
            command = (os.path.join(options.build, "bench", command[0]), *command[1:])
        if not os.access(command[-1], os.R_OK):
            continue
        for number in range(options.runs):
            for arm in (OFF, ON):
                seconds = cpu_seconds(command, library, arm == ON)
                rows.append(dict(zip(report.VALUE_FIELDS,
                                     (name, number, arm, round(seconds, 6)))))
        print(name, "...", file=sys.stderr, flush=True)
    return rows


def ratio_rows(rows):
    """Rows: program, the least CPU time of both arms, their ratio."""
    least = {}
    for row in rows:
        key = row["program"], row["name"]
        least[key] = min(float(row["value"]), least.get(key, math.inf))
    names = list(dict.fromkeys(row["program"] for row in rows))
    ratios = [least[name, ON] / least[name, OFF] for name in names]
    table = [["program", "off, s", "on, s", "on / off"]]
    table += [[name, report.number(least[name, OFF], 3), report.number(least[name, ON], 3),
               report.number(ratio, 3)] for name, ratio in zip(names, ratios)]
    mean = report.number(report.geometric_mean(ratios), 3)
    return table + [["geometric mean", "", "", mean]]


def main(arguments):
    """Exit status 0, or 2 when there is nothing to measure."""
    options = run.parse(arguments)
    library = os.path.join(options.build, "lib", "libtidemark-preload.so")
    try:
        print_sample_cost(options.build, library)
        rows = measure(options, library)
        if not rows:
            raise run.BenchError(f"no program is called so below {options.build}")
    except (run.BenchError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    path = run.result_path(options, "profiled-part" if options.names else "profiled")
    report.write(path, machine.describe(options.build, []), rows, report.VALUE_FIELDS)
    print(report.as_text(ratio_rows(rows)))
    print(f"written: {os.path.relpath(path, machine.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
