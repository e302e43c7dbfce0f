#!/usr/bin/python3
"""What the heap profile costs while it runs: the same programs with and without it.

    profiled.py [NAME ...] [--runs N] [--build DIR]

The arms take turns. Prints the least CPU time of each, because what else the machine does only adds
to it, their ratio, and the ratios' geometric mean. A library without the profiler is no arm: malloc
and free are the same instructions in it.
"""

import argparse
import math
import os
import resource
import subprocess
import sys

import machine
import run

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


def main():
    """Exit status 0, or 2 when there is nothing to measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="programs; without names all of them")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--build", default=os.path.join(machine.ROOT, "build", "bench"))
    options = parser.parse_args()
    library = os.path.join(options.build, "lib", "libtidemark-preload.so")
    print_sample_cost(options.build, library)
    ratios = []
    for command in PROGRAMS:
        if options.names and os.path.basename(command[-1]) not in options.names:
            continue
        if "/" not in command[0]:
            command = (os.path.join(options.build, "bench", command[0]), *command[1:])
        if not os.access(command[-1], os.R_OK):
            continue
        times = {False: [], True: []}
        for _ in range(options.runs):
            for profiled, seconds in times.items():
                seconds.append(cpu_seconds(command, library, profiled))
        off, on = (min(times[profiled]) for profiled in (False, True))
        ratios.append(on / off)
        print(f"{os.path.basename(command[-1]):12} off {off:7.3f} s   on {on:7.3f} s   "
              f"{on / off:6.3f}", flush=True)
    if not ratios:
        print(f"no program is called so below {options.build}", file=sys.stderr)
        return 2
    mean = math.exp(sum(math.log(ratio) for ratio in ratios) / len(ratios))
    print(f"geometric mean {mean:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
