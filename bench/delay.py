#!/usr/bin/python3
"""How long a request of the engine waits for CPython to serve it.

    delay.py [NAME ...] [--runs N] [--build DIR] [--out DIR]

`cycles` and `caches` make their garbage in the main thread, which serves the request between two
bytecodes. `worker` makes it while the main thread waits in join(): the watchdog, a thread of ours,
steps in. The time runs from the record of the request to the next record, so where an action was
held back without one, the wait for it is in the upper tenth, not in the median.
"""

import os
import statistics
import subprocess
import sys
import tempfile

import machine
import pysuite
import report
import run

PROGRAMS = ("cycles", "caches", "worker")
DELAYS = os.path.join(pysuite.OWN, "delays.py")


def delays_of(name, tidemark):
    """The waits of one run, in ms, in order of size."""
    with tempfile.NamedTemporaryFile(prefix="bench-", mode="r", encoding="ascii") as out:
        subprocess.run([tidemark, "run", "--", "/usr/bin/python3", DELAYS, out.name,
                        os.path.join(pysuite.DEMO, f"{name}.py")], check=True,
                       stdout=subprocess.DEVNULL, timeout=run.TIME_LIMIT_S,
                       env=run.clean_environment())
        return sorted(int(line) / 1e6 for line in out)


def figures(delays):
    """(name, value) of one run."""
    if len(delays) < 10:
        raise run.BenchError(f"only {len(delays)} requests were answered")
    yield "requests", len(delays)
    yield "median ms", statistics.median(delays)
    yield "90th percentile ms", statistics.quantiles(delays, n=10)[-1]


def main(arguments):
    """Exit status 0, or 2 when something could not be measured."""
    options = run.parse(arguments)
    tidemark = os.path.join(options.build, "bin", "tidemark")
    rows = []
    try:
        for name in options.names or PROGRAMS:
            for number in range(options.runs):
                rows += [report.value_row(name, number, what, round(value, 4))
                         for what, value in figures(delays_of(name, tidemark))]
    except (run.BenchError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    path = run.result_path(options, "delay")
    report.write(path, machine.describe(options.build, []), rows, report.VALUE_FIELDS)
    for (program, what), value in report.value_medians(rows).items():
        print(f"{program:10} {what:20} {value:.3g}")
    print(f"written: {os.path.relpath(path, machine.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
