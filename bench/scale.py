#!/usr/bin/python3
"""Nanoseconds of a malloc and free pair against the size of the live set and the number of threads.

    scale.py [--runs N] [--arms A,B] [--build DIR] [--out DIR]

Each allocator serves bench/scale.c; the column "bare" is a free list in the same loop, whose
growth is that of the caches' misses. Prints medians and writes every value with the machine's
description to bench/results/*-scale.csv.
"""

import os
import re
import subprocess
import sys

import machine
import report
import run

LIVE_MIB = (1, 16, 256, 2048, 8192)
THREADS = (1, 2, 4, 16, 64)
THREADS_LIVE_MIB = 64
ARMS = "tidemark,mimalloc,tcmalloc,glibc"  # unless others are asked for


def cases():
    """(what the row is called, the program's arguments)."""
    for mib in LIVE_MIB:
        yield f"{mib} MiB live", (f"live_mib={mib}", "threads=1")
    for threads in THREADS:
        yield (f"{threads} threads, {THREADS_LIVE_MIB} MiB live",
               (f"live_mib={THREADS_LIVE_MIB}", f"threads={threads}"))


def run_once(program_dir, arm, arguments, libc):
    """{name: value} of one run; on all CPUs, for the threads."""
    library = arm.library or libc
    environment = {**run.clean_environment(), "LD_PRELOAD": library,
                   "BENCH_ALLOCATOR": os.path.basename(library),
                   **dict(setting.split("=", 1) for setting in arm.settings)}
    done = subprocess.run([os.path.join(program_dir, "scale"), *arguments], capture_output=True,
                          text=True, check=False, timeout=run.TIME_LIMIT_S, env=environment)
    values = dict(re.findall(r"(\w+)=([\d.]+)", done.stdout))
    if done.returncode != 0 or not values:
        raise run.BenchError(f"{arm.name}: scale {' '.join(arguments)}: exit {done.returncode}: "
                             f"{done.stderr}")
    return values


def measure(options, arms):
    """Rows of all cases; the arms take turns."""
    program_dir, libc = machine.find_program_dir(options.build), machine.find_libc()
    if program_dir is None:
        raise run.BenchError(f"no benchmark programs below {options.build}")
    rows = []
    for name, arguments in cases():
        print(f"{name} ...", file=sys.stderr, flush=True)
        for number in range(options.runs):
            for arm in arms:
                values = run_once(program_dir, arm, arguments, libc)
                rows.append(report.value_row(name, number, arm.name, values["pair_ns"]))
                rows.append(report.value_row(name, number, "bare", values["bare_ns"]))
    return rows


def main(arguments):
    """Exit status 0, or 2 when a program failed."""
    options = run.parse(arguments)
    options.arms = options.arms or ARMS
    try:
        arms = run.choose_arms(options)
        rows = measure(options, arms)
    except (run.BenchError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    print(report.as_text(report.value_table("nanoseconds of a pair", rows)))
    path = run.result_path(options, "scale")
    report.write(path, [*machine.describe(options.build, arms), ("runs", str(options.runs))], rows,
                 report.VALUE_FIELDS)
    print(f"written: {os.path.relpath(path, machine.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
