#!/usr/bin/python3
"""What the heap profile costs while it runs: the same programs with and without it.

    profiled.py [NAME ...] [--runs N] [--instructions] [--build DIR] [--out DIR]

The arms take turns. Writes every run to bench/results/*-profiled.csv; prints the least CPU time of
each, because what else the machine does only adds to it, their ratio, and the ratios' geometric
mean. A library without the profiler is no arm: malloc and free are the same instructions in it.

With --instructions each program runs once in each arm, counted by cachegrind: what a clock cannot
tell from the machine's moods. The programs with two threads are then left out, for there the number
of turns they wait for each other is in the count.
"""

import concurrent.futures
import math
import os
import resource
import subprocess
import sys

import machine
import report
import run
import simulated

OFF, ON = "off", "on"
THREADED = ("churn", "xthread")
PROGRAMS = (
    ("pair",), ("batch",), ("live",), ("churn",), ("xthread",), ("large",), ("regrow",), ("trees",),
    ("/usr/bin/python3", os.path.join(machine.ROOT, "bench", "programs", "objects.py")),
)


def environment(library, profiled):
    """What a program is run with."""
    settings = {"LD_PRELOAD": library}
    if profiled:
        settings["TM_PROFILE_INTERVAL"] = "512K"
    return {**run.clean_environment(), **settings}


def cpu_seconds(command, library, profiled):
    """CPU time of one run of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=run.TIME_LIMIT_S,
                   env=environment(library, profiled), preexec_fn=lambda: run.pin(2))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def instructions(command, library, profiled):
    """Instructions of one run of a command."""
    text = simulated.cachegrind(command, environment(library, profiled), "--cache-sim=no")
    return simulated.count_in(text, simulated.INSTRUCTIONS)


def print_sample_cost(build, library):
    """A sample by itself: every pair of malloc and free, against none of them."""
    for settings in ({}, {"TM_PROFILE_INTERVAL": "1"}):
        done = subprocess.run([os.path.join(build, "bench", "sampled")], check=True, text=True,
                              stdout=subprocess.PIPE, timeout=run.TIME_LIMIT_S,
                              env={**run.clean_environment(), "LD_PRELOAD": library, **settings})
        print("each pair a sample:" if settings else "no sample:", done.stdout.strip())


def choose(options):
    """[(name, command)] of what is here."""
    chosen = []
    for command in PROGRAMS:
        name = os.path.basename(command[-1])
        if "/" not in command[0]:
            command = (os.path.join(options.build, "bench", command[0]), *command[1:])
        if (os.access(command[-1], os.R_OK) and (not options.names or name in options.names)
                and not (options.instructions and name in THREADED)):
            chosen.append((name, command))
    if not chosen:
        raise run.BenchError(f"no program is called so below {options.build}")
    return chosen


def measure(programs, options, library):
    """Rows of report.VALUE_FIELDS: CPU seconds of every run."""
    rows = []
    for name, command in programs:
        for number in range(options.runs):
            for arm in (OFF, ON):
                seconds = cpu_seconds(command, library, arm == ON)
                rows.append(report.value_row(name, number, arm, round(seconds, 6)))
        print(name, "...", file=sys.stderr, flush=True)
    return rows


def count(programs, library):
    """Rows of report.VALUE_FIELDS: instructions of every program in both arms."""
    jobs = [(name, command, arm) for name, command in programs for arm in (OFF, ON)]
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        counts = pool.map(lambda job: instructions(job[1], library, job[2] == ON), jobs)
        return [report.value_row(name, 0, arm, value)
                for (name, _, arm), value in zip(jobs, counts)]


def ratio_rows(rows, unit="s", scale=1):
    """Rows: program, the least value of both arms, which are divided by `scale`; their ratio."""
    least = {}
    for row in rows:
        key = row["program"], row["name"]
        least[key] = min(float(row["value"]), least.get(key, math.inf))
    names = list(dict.fromkeys(row["program"] for row in rows))
    ratios = [least[name, ON] / least[name, OFF] for name in names]
    table = [["program", f"off, {unit}", f"on, {unit}", "on / off"]]
    table += [[name, *(report.number(least[name, arm] / scale, 3) for arm in (OFF, ON)),
               report.number(ratio, 3)] for name, ratio in zip(names, ratios)]
    mean = report.number(report.geometric_mean(ratios), 3)
    return table + [["geometric mean", "", "", mean]]


def instruction_rows(rows):
    """The same of instructions."""
    return ratio_rows(rows, "10⁹", 1e9)


def add_options(parser):
    """What this benchmark has besides."""
    parser.add_argument("--instructions", action="store_true", help="count, do not time")


def main(arguments):
    """Exit status 0, or 2 when there is nothing to measure."""
    options = run.parse(arguments, add_options)
    library = os.path.join(options.build, "lib", "libtidemark-preload.so")
    try:
        programs = choose(options)
        if options.instructions:
            rows, kind, table = count(programs, library), "profiled-instructions", instruction_rows
        else:
            print_sample_cost(options.build, library)
            rows, kind, table = measure(programs, options, library), "profiled", ratio_rows
    except (run.BenchError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    path = run.result_path(options, f"{kind}-part" if options.names else kind)
    report.write(path, machine.describe(options.build, []), rows, report.VALUE_FIELDS)
    print(report.as_text(table(rows)))
    print(f"written: {os.path.relpath(path, machine.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
