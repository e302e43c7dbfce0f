#!/usr/bin/python3
"""Instructions of one malloc and free pair, counted by callgrind: the same on every run.

    instructions.py [NAME ...] [--arms A,B] [--build DIR] [--functions]

NAME is a workload with a fixed number of pairs (default pair-64). Runs it twice with different
amounts of work; the difference is the pairs alone, without start-up. The first number is what the
allocator spends, the second includes the program around it.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

import machine
import report
import run
import suite

PAIRS = 200_000  # what the two runs differ by


def count(command, library, out):
    """Instructions of the whole program, and of each function of it."""
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *command]
    environment = {**run.clean_environment(), "LD_PRELOAD": library,
                   "BENCH_ALLOCATOR": os.path.basename(library)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment,
                          timeout=run.TIME_LIMIT_S)
    total = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or total is None:
        raise run.BenchError(f"{library}: {done.stderr[-500:]}")
    return int(total.group(1)), functions(out)


def functions(out):
    """Instructions by function name, from a callgrind file."""
    done = subprocess.run(["callgrind_annotate", "--auto=no", "--threshold=100", out], capture_output=True,
                          text=True, check=True)
    found = {}
    for line in done.stdout.splitlines():
        match = re.match(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+(.*)$", line)
        if match and not re.search("PROGRAM TOTALS|\\(calls", line):
            name = re.sub(r"\s*\[.*\]$", "", match.group(2)).rsplit(":", 1)[-1]
            found[name] = found.get(name, 0) + int(match.group(1).replace(",", ""))
    return found


def per_pair(workload, program, library):
    """(instructions of a pair, the same by function)."""
    option, _ = workload.work
    units = max(1, PAIRS // workload.pairs)
    few = max(1, units // 10)
    counts = []
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        for amount in (few, few + units):
            command = [program, *workload.command[1:], f"{option}={amount}"]
            counts.append(count(command, library, os.path.join(directory, "out")))
    (few_total, few_parts), (many_total, many_parts) = counts
    pairs = units * workload.pairs
    parts = {name: (n - few_parts.get(name, 0)) / pairs for name, n in many_parts.items()}
    return (many_total - few_total) / pairs, {name: n for name, n in parts.items() if n >= 0.05}


def count_workload(workload, program, arms, with_functions):
    """Counts one workload under every arm, prints it, returns rows of report.VALUE_FIELDS."""
    print(workload.name)
    rows, symbols = [], program_symbols(program)
    for arm in arms:
        total, parts = per_pair(workload, program, arm.library or machine.find_libc())
        own = sum(n for name, n in parts.items() if name not in symbols)
        print(f"  {arm.name:14} {own:6.1f} a pair, {total:6.1f} with the program around it",
              flush=True)
        rows.append(report.value_row(workload.name, 0, arm.name, round(own, 1)))
        if with_functions:
            for name, n in sorted(parts.items(), key=lambda part: -part[1]):
                print(f"      {n:6.1f} {name}")
    return rows


def program_symbols(program):
    """Names of the functions of a program of ours."""
    done = subprocess.run(["nm", "--defined-only", program], capture_output=True, text=True,
                          check=True)
    return {line.split()[-1] for line in done.stdout.splitlines()}


def main(arguments):
    """Exit status 0, or 2 when something could not be counted."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--functions", action="store_true", help="where they are spent")
    own, rest = parser.parse_known_args(arguments)
    options = run.parse(rest)
    try:
        arms = run.choose_arms(options)
        programs_dir = machine.find_program_dir(options.build)
        if programs_dir is None:
            raise run.BenchError(f"no benchmark programs below {options.build}")
        rows = []
        for workload in run.choose(options.names or ["pair-64"], suite.GENERAL):
            if workload.pairs is None:
                raise run.BenchError(f"{workload.name} has no fixed number of pairs")
            program = suite.find_program(workload, programs_dir)
            rows += count_workload(workload, program, arms, own.functions)
        path = run.result_path(options, "instructions")
        report.write(path, machine.describe(options.build, arms), rows, report.VALUE_FIELDS)
        print(f"written: {os.path.relpath(path, machine.ROOT)}")
    except (run.BenchError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
