#!/usr/bin/python3
"""CPython as it is against CPython under Tidemark on a simulated machine: the same on every run.

    simulated.py [NAME ...] [--percent N] [--arms A,B] [--build DIR] [--out DIR]

Counts the instructions of bench/programs/python/ and their misses in two levels of cache
(cachegrind), so that two ways to do something can be compared where the clock cannot decide. What
it cannot see: page faults, the TLB, prefetching, how misses overlap. NAME as in python.py, among
the programs with little garbage; N (default 20) percent of their work.

  stock, tidemark, heap-only   as in python.py
  narrow                       tidemark, its thresholds set once more by a wrapper
  middle                       the same, but every tenth young collection takes the middle
                               generation along, as the interpreter has it
  wide                         the same, with a young collection after 10,000 containers, not 2,000

The last two are compared with `narrow`, the others with `stock`.
"""

import concurrent.futures
import os
import re
import subprocess
import sys

import machine
import pyreport
import pysuite
import python
import report
import run

CACHES = ("--cache-sim=yes", "--D1=32768,8,64", "--LL=524288,8,64")
TIME_LIMIT_S = 3000
THRESHOLDS = os.path.join(pysuite.OWN, "thresholds.py")
STOCK = pyreport.STOCK
# Environment, and what stands before the program.
ARMS = {
    STOCK: ({}, []),
    pyreport.TIDEMARK: ({}, []),
    pyreport.HEAP_ONLY: ({"TM_POLICY": "off"}, []),
    "narrow": ({}, [THRESHOLDS, "2000,25,1000000"]),
    "middle": ({}, [THRESHOLDS, "2000,10,1000000"]),
    "wide": ({}, [THRESHOLDS, "10000,25,1000000"]),
}
# What an arm is compared with; stock if it is not here.
BASES = {"middle": "narrow", "wide": "narrow"}
SHOWN = [arm for arm in ARMS if arm not in (STOCK, *BASES.values())]
INSTRUCTIONS = r"I +refs: +([\d,]+)"
COUNTS = (("instructions", INSTRUCTIONS), ("L1 misses", r"D1 +misses: +([\d,]+)"),
          ("L2 misses", r"LLd misses: +([\d,]+)"))


def environment_of(arm, library):
    """What the program is run with."""
    preload = {} if arm == STOCK else {"LD_PRELOAD": library}
    settings = dict(setting.split("=") for setting in python.SETTINGS)
    return {**run.clean_environment(), **settings, **preload, **ARMS[arm][0]}


def count_in(text, pattern):
    """One of the counts that cachegrind says at its end."""
    found = re.search(pattern, text)
    if not found:
        raise run.BenchError(text[-500:])
    return int(found.group(1).replace(",", ""))


def counts_in(text):
    """What cachegrind says at its end."""
    return [count_in(text, pattern) for _, pattern in COUNTS]


def cachegrind(command, environment, *options):
    """What cachegrind says of a run of the command."""
    done = subprocess.run(["valgrind", "--tool=cachegrind", "--cachegrind-out-file=/dev/null",
                           *options, *command], capture_output=True, text=True, check=False,
                          env=environment, timeout=TIME_LIMIT_S)
    if done.returncode != 0:
        raise run.BenchError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr[-500:]}")
    return done.stderr


def simulate(job):
    """(name, arm, counts) of one run."""
    program, arm, library, options = job
    command = [options.python, *ARMS[arm][1], *program.command(options.percent)]
    return program.name, arm, counts_in(cachegrind(command, environment_of(arm, library), *CACHES))


def simulate_all(programs, arms, library, options):
    """(program, arm) -> counts."""
    jobs = [(program, arm, library, options) for program in programs for arm in arms]
    found = {}
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for name, arm, counts in pool.map(simulate, jobs):
            found[name, arm] = counts
            print(f"{name}, {arm}: " + ", ".join(
                f"{count / 1e6:.1f} million {title}" for count, (title, _) in zip(counts, COUNTS)),
                file=sys.stderr, flush=True)
    return found


def ratio_rows(found):
    """Rows: program; for each count the ratio of each arm to its base."""
    names = list(dict.fromkeys(name for name, _ in found))
    arms = [arm for arm in SHOWN if (names[0], arm) in found]
    bases = [BASES.get(arm, STOCK) for arm in arms]
    rows = [["program", *(f"{arm} / {base}: {title}" for title, _ in COUNTS
                          for arm, base in zip(arms, bases))]]
    columns = [[found[name, arm][at] / found[name, base][at] for name in names]
               for at in range(len(COUNTS)) for arm, base in zip(arms, bases)]
    for line, name in enumerate(names):
        rows.append([name, *(report.number(column[line]) for column in columns)])
    means = [report.number(report.geometric_mean(column), 3) for column in columns]
    return rows + [["geometric mean", *means]]


def found_in(rows):
    """(program, arm) -> counts, from a file of results."""
    found = {}
    for row in rows:
        arm, title = row["name"].split(": ")
        counts = found.setdefault((row["program"], arm), [0] * len(COUNTS))
        counts[[name for name, _ in COUNTS].index(title)] = int(row["value"])
    return found


def choose(names):
    """The programs of a kind that know how to do a part of their work."""
    chosen = [program for program in python.choose(names)
              if program.kind == pysuite.SPEED and program.folder == pysuite.OWN]
    if not chosen:
        raise run.BenchError(f"no program {' '.join(names)}")
    return chosen


def add_options(parser):
    """What this benchmark has besides the options of bench/python.py."""
    python.add_options(parser)
    parser.add_argument("--percent", type=int, default=20, help="of the programs' work, default 20")


def main(arguments):
    """Exit status 0, or 2 when something could not be counted."""
    options = run.parse(arguments, add_options)
    try:
        arms = options.arms.split(",") if options.arms else list(ARMS)
        if not set(arms) <= set(ARMS) or not {BASES.get(arm, STOCK) for arm in arms} <= set(arms):
            raise run.BenchError(f"arms are stock and some of {' '.join(ARMS)}; middle and wide "
                                 "need narrow")
        library = os.path.join(options.build, "lib", "libtidemark-preload.so")
        if not os.path.exists(library):
            raise run.BenchError(f"no {library}: build it first")
        found = simulate_all(choose(options.names), arms, os.path.abspath(library), options)
    except (run.BenchError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    rows = [report.value_row(name, 0, f"{arm}: {title}", count)
            for (name, arm), counts in found.items() for count, (title, _) in zip(counts, COUNTS)]
    partial = options.names or options.arms
    path = run.result_path(options, "simulated-part" if partial else "simulated")
    report.write(path, [*machine.describe(options.build, []), ("work", f"{options.percent} %")],
                 rows, report.VALUE_FIELDS)
    print(report.as_text(ratio_rows(found)))
    print(f"\nwritten: {os.path.relpath(path, machine.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
