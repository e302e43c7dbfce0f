#!/usr/bin/python3
"""Runs the programs that measure the library from inside: they print name=value.

    inside.py [--runs N] [--build DIR] [--out DIR]

A pair against a bare free list, what watching costs, what trim gives back, how a full heap ends,
a loop of large strings in mruby. Prints medians and
writes every value with the machine's description to bench/results/*-inside.csv.
"""

import os
import re
import subprocess
import sys

import machine
import report
import run

PROGRAMS = (
    ("freelist", "size=64", "depth=1"),
    ("freelist", "size=64", "depth=16"),
    ("engine", "shards=8"),
    ("engine", "shards=64"),
    ("trimming",),
    ("full", "delivery=synchronous"),
    ("full", "delivery=deferred"),
    *(("slices", f"policy={policy}") for policy in ("off", "growth", "debt", "sqrt")),
)


def run_once(program_dir, command):
    """[(name, value)] of one run."""
    done = subprocess.run([os.path.join(program_dir, command[0]), *command[1:]],
                          capture_output=True, text=True, check=False,
                          timeout=run.TIME_LIMIT_S, env=run.clean_environment(),
                          preexec_fn=lambda: run.pin(1))
    values = re.findall(r"(\w+)=([\d.]+)", done.stdout)
    if done.returncode != 0 or not values:
        raise run.BenchError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr}")
    return values


def main(arguments):
    """Exit status 0, or 2 when a program failed."""
    options = run.parse(arguments)
    program_dir = machine.find_program_dir(options.build)
    rows = []
    try:
        if program_dir is None:
            raise run.BenchError(f"no benchmark programs below {options.build}")
        for number in range(options.runs):
            for command in PROGRAMS:
                rows += [report.value_row(" ".join(command), number, name, value)
                         for name, value in run_once(program_dir, command)]
    except (run.BenchError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    for (program, name), value in report.value_medians(rows).items():
        print(f"{program:28} {name:18} {value:>14g}")
    path = run.result_path(options, "inside")
    report.write(path, [*machine.describe(options.build, []), ("runs", str(options.runs))], rows,
                 report.VALUE_FIELDS)
    print(f"written: {os.path.relpath(path, machine.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
