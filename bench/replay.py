#!/usr/bin/python3
"""How near does `tidemark replay` come? Programs are recorded under one policy, replayed with
another one, and then run with that other one.

    replay.py [NAME ...] [--runs N] [--build DIR] [--out DIR]

Prints, for each program and pair of policies, what the replay predicted and what happened, as
medians of the runs, and how much longer a recorded run takes than one that is not. Writes every
value with the machine's description to bench/results/*-replay.csv.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile

import machine
import report
import run

PYTHON = "/usr/bin/python3"
PROGRAMS = {name: os.path.join(machine.ROOT, path) for name, path in (
    ("objects", "bench/programs/objects.py"),
    ("ordinary", "demo/programs/ordinary.py"),
    ("building", "demo/programs/build.py"),
    ("caches", "demo/programs/caches.py"),
)}
# (recorded under, replayed with): options of `tidemark run` and of `tidemark replay` alike
PAIRS = (
    (("--policy", "growth=100"), ("--policy", "growth=25")),
    (("--policy", "growth=100"), ("--policy", "growth=400")),
    (("--policy", "growth=400"), ("--policy", "growth=50")),
    (("--policy", "growth=100"), ("--policy", "growth=100", "--soft", "48M")),
)
MEASURES = ("collections", "peak_bytes", "collector_seconds")
GOAL = 0.10


def tidemark(options, *arguments):
    """Runs the command; what it said on standard output."""
    command = [os.path.join(options.build, "bin", "tidemark"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          timeout=run.TIME_LIMIT_S, env=run.clean_environment(),
                          preexec_fn=lambda: run.pin(1))
    if done.returncode != 0 or done.stderr:
        raise run.BenchError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def live(options, policy, program, folder, trace=None):
    """One real run: what its report says, and the CPU seconds that it took."""
    path = os.path.join(folder, "report.json")
    recorded = ("--record", trace) if trace else ()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    tidemark(options, "run", *policy, *recorded, f"--report={path}", "--", PYTHON, program)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(path, encoding="utf-8") as file:
        heap = json.load(file)["heap"]
    rows = heap["actions"]
    return {"collections": rows["minor"]["runs_total"] + rows["full"]["runs_total"],
            "peak_bytes": heap["footprint_peak_bytes"],
            "collector_seconds": sum(row["duration_ns_total"] for row in rows.values()) / 1e9,
            "cpu_seconds": (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)}


def predict(options, trace, policy):
    """What the replay says of a recording."""
    return json.loads(tidemark(options, "replay", trace, "--json", *policy))["replayed"][0]


def measure(options, name, pair, folder):
    """Rows of one program and pair; recorded, plain and other runs take turns."""
    trace, rows = os.path.join(folder, "run.trace"), []

    def add(number, what, values, measures):
        rows.extend(report.value_row(label(name, pair), number, f"{what} {measure}",
                                     values[measure]) for measure in measures)

    for number in range(options.runs):
        recorded = live(options, pair[0], PROGRAMS[name], folder, trace)
        add(number, "recorded", recorded, (*MEASURES, "cpu_seconds"))
        add(number, "plain", live(options, pair[0], PROGRAMS[name], folder), ("cpu_seconds",))
        add(number, "predicted", predict(options, trace, pair[1]), MEASURES)
        add(number, "same", predict(options, trace, ()), MEASURES)
        add(number, "real", live(options, pair[1], PROGRAMS[name], folder), MEASURES)
    return rows


def label(name, pair):
    """objects: growth=100 > growth=25."""
    words = [" ".join(word for word in policy if word not in ("--policy", "--soft"))
             for policy in pair]
    return f"{name}: {words[0]} > {words[1]}"


def table(rows):
    """Predicted, real and their ratio, a program and pair a row; the ratios."""
    medians, ratios = report.value_medians(rows), []
    lines = [["recorded > replayed", "collections", "real", "ratio", "peak MiB", "real", "ratio",
              "seconds", "real", "as recorded: coll.", "peak", "recording costs"]]
    for program in dict.fromkeys(row["program"] for row in rows):
        def median(name, of=program):
            return medians[(of, name)]

        def ratio(what, measure, base, of=median):
            return of(f"{what} {measure}") / max(of(f"{base} {measure}"), 1e-9)

        count, peak = (ratio("predicted", measure, "real") for measure in MEASURES[:2])
        ratios += [count, peak]
        lines.append([
            program, report.number(median("predicted collections"), 0),
            report.number(median("real collections"), 0), report.number(count),
            report.number(median("predicted peak_bytes") / 2**20, 1),
            report.number(median("real peak_bytes") / 2**20, 1), report.number(peak),
            report.number(median("predicted collector_seconds"), 3),
            report.number(median("real collector_seconds"), 3),
            report.number(ratio("same", "collections", "recorded")),
            report.number(ratio("same", "peak_bytes", "recorded")),
            f"{100 * (ratio('recorded', 'cpu_seconds', 'plain') - 1):+.1f} %"])
    return lines, ratios


def main(arguments):
    """Exit status 0, or 2 when a program failed."""
    options = run.parse(arguments)
    rows = []
    try:
        unknown = [name for name in options.names if name not in PROGRAMS]
        if unknown:
            raise run.BenchError(f"no program {unknown[0]}; there are: {' '.join(PROGRAMS)}")
        for name in options.names or PROGRAMS:
            for pair in PAIRS:
                print(f"{label(name, pair)} ...", file=sys.stderr, flush=True)
                with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                    rows += measure(options, name, pair, folder)
    except (run.BenchError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    lines, ratios = table(rows)
    print(report.as_text(lines))
    near = sum(abs(ratio - 1) <= GOAL for ratio in ratios)
    print(f"\n{near} of {len(ratios)} ratios are within {GOAL:.0%}; "
          f"the median error is {statistics.median(abs(r - 1) for r in ratios):.1%}")
    path = run.result_path(options, "replay")
    report.write(path, [*machine.describe(options.build, []), ("runs", str(options.runs))], rows,
                 report.VALUE_FIELDS)
    print(f"written: {os.path.relpath(path, machine.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
