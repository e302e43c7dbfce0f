#!/usr/bin/python3
"""Instructions of one malloc and free pair, counted by callgrind: the same on every run.

    instructions.py [--size N] [--arms A,B] [--build DIR] [--functions]

Runs the pair loop twice with different counts; the difference is the pairs alone, without start-up.
The first number is what the allocator spends, the second includes the loop that calls it.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

import machine
import run

FEW, MANY = 20_000, 220_000


def count(program, size, pairs, library, out):
    """Instructions of the whole program, and of each function of it."""
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
               program, f"size={size}", f"pairs={pairs}"]
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


def per_pair(program, size, library):
    """(instructions of a pair, the same by function)."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        out = os.path.join(directory, "out")
        few, few_functions = count(program, size, FEW, library, out)
        many, many_functions = count(program, size, MANY, library, out)
    pairs = MANY - FEW
    parts = {name: (many_functions[name] - few_functions.get(name, 0)) / pairs
             for name in many_functions}
    return (many - few) / pairs, {name: n for name, n in parts.items() if n >= 0.1}


def main(arguments):
    """Exit status 0, or 2 when something could not be counted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--functions", action="store_true", help="where they are spent")
    options, rest = parser.parse_known_args(arguments)
    options = argparse.Namespace(**{**vars(run.parse(rest)), **vars(options)})
    try:
        arms = run.choose_arms(options)
        programs_dir = machine.find_program_dir(options.build)
        if programs_dir is None:
            raise run.BenchError(f"no benchmark programs below {options.build}")
        program = os.path.join(programs_dir, "pair")
        for arm in arms:
            total, parts = per_pair(program, options.size, arm.library or machine.find_libc())
            own = {name: n for name, n in parts.items() if name not in ("main", "run_one_size")}
            print(f"{arm.name:14} {sum(own.values()):6.1f} a pair, "
                  f"{total:6.1f} with the loop around it")
            if options.functions:
                for name, n in sorted(parts.items(), key=lambda part: -part[1]):
                    print(f"    {n:6.1f} {name}")
    except (run.BenchError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
