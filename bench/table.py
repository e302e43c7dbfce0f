#!/usr/bin/python3
"""Writes the tables of docs/performance.md from results, so that no number is typed by hand.

    table.py [FILE.csv] [--check]

Without FILE it takes the newest full run in bench/results/, and always the newest results of
instructions.py, scale.py, inside.py, monitor.py, profiled.py, delay.py, simulated.py and python.py.
What stands between the markers of docs/performance.md is replaced; --check only says (exit status
1) whether it would change.
"""

import argparse
import glob
import os
import sys

import machine
import profiled
import pyreport
import report
import simulated

DOCUMENT = os.path.join(machine.ROOT, "docs", "performance.md")
BEGIN, END = "<!-- table: begin (bench/table.py) -->", "<!-- table: end -->"
RESULTS = os.path.join(machine.ROOT, "bench", "results")


def newest(kind):
    """The newest file of a kind of run, or None."""
    stamp = "[0-9]" * 8 + "-" + "[0-9]" * 6  # no "*": one kind may end as another does
    files = sorted(glob.glob(os.path.join(RESULTS, f"{stamp}-{kind}.csv")))
    return files[-1] if files else None


def ratio_rows(results, measure, subject):
    """Rows: subject's median, its ratio to each peer and to the workload's own best."""
    peers = results.peers()
    unit = "MiB" if measure == "rss" else "s"
    rows = [["workload", f"{subject}, {unit}", *(f"/ {arm}" for arm in peers), "own best",
             "/ own best"]]
    for name in results.workloads:
        best = results.own_best(name, measure)
        rows.append([name, report.number(report.amount(results, name, subject, measure)),
                     *(report.number(results.ratio(name, subject, arm, measure))
                       for arm in peers),
                     best or "-", report.number(results.ratio(name, subject, best, measure)
                                                if best else None)])
    for title, names in results.groups():
        best = results.best_peer(measure, names)
        mean = results.geometric_mean(subject, best, measure, names)
        rows.append([f"**geometric mean of {title}**", "",
                     *(report.number(results.geometric_mean(subject, arm, measure, names), 3)
                       for arm in peers), f"best peer: {best}", report.number(mean, 3)])
    return rows


def off_rows(results):
    """Rows: what counting costs, against the build that does not count."""
    rows = [["workload", "CPU time", "peak RSS"]]
    for name in results.workloads:
        rows.append([name, *(report.number(results.ratio(name, machine.TIDEMARK, machine.OFF,
                                                          measure)) for measure in ("cpu", "rss"))])
    rows.append(["**geometric mean**",
                 *(report.number(results.geometric_mean(machine.TIDEMARK, machine.OFF, measure), 3)
                   for measure in ("cpu", "rss"))])
    return rows


def losses(results, subject):
    """A sentence for every workload that is slower or bigger than its best peer by a tenth."""
    lines = []
    for name in results.workloads:
        for measure, title in report.MEASURES:
            best = results.own_best(name, measure)
            ratio = results.ratio(name, subject, best, measure) if best else None
            if ratio and ratio > 1.10:
                lines.append(f"- {name}: {title} {ratio:.2f} of {best}'s")
    return lines or ["- none"]


def inside_rows(rows):
    """Rows: program, name, median."""
    return [["program", "value", "median"],
            *([program, name, f"{value:.10g}"]
              for (program, name), value in report.value_medians(rows).items())]


def value_part(kind, title, rows_of):
    """Lines of a table from the newest results of a kind; none when there are none."""
    path = newest(kind)
    if path is None:
        return []
    head, rows = report.read_rows(path)
    return ["", f"### {title}", "",
            f"Raw data: `{os.path.relpath(path, machine.ROOT)}`, commit {dict(head)['commit']}",
            "", report.as_markdown(rows_of(rows))]


def python_part():
    """Lines of the newest results of python.py; none when there are none."""
    path = newest("python")
    if path is None:
        return []
    results = report.read(path)
    lines = ["", "### CPython", "", f"Raw data: `{os.path.relpath(path, machine.ROOT)}`", ""]
    lines += [f"- {name}: {text}" for name, text in results.head.items()]
    for title, rows in pyreport.parts(results):
        lines += ["", f"#### {title}", "", report.as_markdown(rows)]
    never = newest("python-uncollected")
    rows = pyreport.uncollected_rows(report.read(never)) if never else []
    if rows:
        lines += ["", "#### Stock without its collector", "",
                  f"Raw data: `{os.path.relpath(never, machine.ROOT)}`", "",
                  report.as_markdown(rows)]
    lines += ["", "#### Where CPython loses", ""]
    return lines + [f"- {line}" for line in pyreport.losses(results) or ["nowhere"]]


def text_of(path):
    """Everything between the markers."""
    results = report.read(path)
    if machine.TIDEMARK not in results.arms:
        raise SystemExit(f"bench: {path} has no runs of {machine.TIDEMARK}")
    parts = [f"Raw data: `{os.path.relpath(path, machine.ROOT)}`", ""]
    parts += [f"- {name}: {text}" for name, text in results.head.items()]
    for measure, title in report.MEASURES:
        parts += ["", f"### {title[0].upper()}{title[1:]}", "",
                  report.as_markdown(ratio_rows(results, measure, machine.TIDEMARK))]
    if machine.OFF in results.arms:
        parts += ["", "### Counting against not counting", "",
                  report.as_markdown(off_rows(results))]
    parts += ["", "### More than a tenth behind the best peer", "",
              *losses(results, machine.TIDEMARK)]
    parts += value_part("instructions", "Instructions",
                        lambda rows: report.value_table("instructions a pair", rows))
    parts += value_part("scale", "Against size and threads",
                        lambda rows: report.value_table("nanoseconds of a pair", rows))
    parts += value_part("inside", "From inside", inside_rows)
    parts += python_part()
    parts += value_part("simulated", "CPython on a simulated machine",
                        lambda rows: simulated.ratio_rows(simulated.found_in(rows)))
    parts += value_part("delay", "Until CPython serves a request", inside_rows)
    parts += value_part("monitor", "Being watched", inside_rows)
    parts += value_part("profiled", "Being profiled", profiled.ratio_rows)
    parts += value_part("profiled-instructions", "Being profiled, in instructions",
                        profiled.instruction_rows)
    return "\n".join(parts)


def main(arguments):
    """Exit status 0; 1 when --check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    with open(DOCUMENT, encoding="utf-8") as file:
        before = file.read()
    head, _, rest = before.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise SystemExit(f"bench: {DOCUMENT} has no markers {BEGIN} and {END}")
    path = options.file or newest("full")
    if path is None:
        raise SystemExit("bench: no full run in bench/results/: ./dev bench makes one")
    after = f"{head}{BEGIN}\n{text_of(path)}\n{END}{tail}"
    if options.check:
        return 0 if after == before else 1
    with open(DOCUMENT, "w", encoding="utf-8") as file:
        file.write(after)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
