#!/usr/bin/python3
"""What the heap profile costs while it runs: the same programs with and without it.

    profiled.py [--runs N] [--build DIR]

The arms take turns. Prints the CPU time of each, their ratio, and the ratios' geometric mean. Off is
not an arm: malloc and free are then the same instructions as without a profiler.
"""

import argparse
import math
import os
import resource
import statistics
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


def main():
    """Exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--build", default=os.path.join(machine.ROOT, "build", "bench"))
    options = parser.parse_args()
    library = os.path.join(options.build, "lib", "libtidemark-preload.so")
    ratios = []
    for command in PROGRAMS:
        if "/" not in command[0]:
            command = (os.path.join(options.build, "bench", command[0]), *command[1:])
        if not os.access(command[-1], os.R_OK):
            continue
        times = {False: [], True: []}
        for _ in range(options.runs):
            for profiled, seconds in times.items():
                seconds.append(cpu_seconds(command, library, profiled))
        off, on = (statistics.median(times[profiled]) for profiled in (False, True))
        ratios.append(on / off)
        print(f"{os.path.basename(command[-1]):12} off {off:7.3f} s   on {on:7.3f} s   "
              f"{on / off:6.3f}", flush=True)
    mean = math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))
    print(f"geometric mean {mean:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
