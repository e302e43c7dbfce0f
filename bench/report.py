"""From single runs to medians, ratios and geometric means; the one place where they are computed,
for the terminal and for the table in the documentation."""

import csv
import dataclasses
import math
import statistics

import machine
import suite

MEASURES = (("cpu", "CPU time"), ("wall", "wall time"), ("rss", "peak RSS"))
FIELDS = ("workload", "arm", "run", "user_s", "system_s", "wall_s", "peak_rss_kib",
          "minor_faults", "context_switches")
VALUE_FIELDS = ("program", "run", "name", "value")


def value_row(program, number, name, value):
    """A row of a file of values: program, number of the run, what was measured, how much."""
    return dict(zip(VALUE_FIELDS, (program, number, name, value)))


def geometric_mean(ratios):
    """Of some ratios; None of none."""
    logs = list(map(math.log, ratios))
    return math.exp(statistics.fmean(logs)) if logs else None


@dataclasses.dataclass
class Results:
    """Runs by (workload, arm), and the machine that made them."""
    head: dict
    workloads: list
    arms: list
    runs: dict

    def median(self, workload, arm, measure, of=statistics.median):
        """Median (or another pick) of a measure, or None when the arm did not run it."""
        runs = self.runs.get((workload, arm))
        return of(value(run, measure) for run in runs) if runs else None

    def spread(self, workload, arm, measure):
        """Half of the middle half of the runs, as a part of the median: how sure it is."""
        values = sorted(value(run, measure) for run in self.runs.get((workload, arm), ()))
        if len(values) < 4:
            return None
        quarters = statistics.quantiles(values, n=4)
        return (quarters[2] - quarters[0]) / 2 / statistics.median(values)

    def ratio(self, workload, arm, other, measure, of=statistics.median):
        """arm / other, below 1 when arm is better; None when one of them is missing."""
        mine = self.median(workload, arm, measure, of)
        theirs = self.median(workload, other, measure, of)
        return mine / theirs if mine and theirs else None

    def geometric_mean(self, arm, other, measure, names=None, of=statistics.median):
        """Geometric mean of the ratios over the workloads (default: all) that both ran."""
        ratios = [self.ratio(name, arm, other, measure, of) for name in names or self.workloads]
        return geometric_mean(filter(None, ratios))

    def peers(self):
        """Arms that are not ours."""
        return [arm for arm in self.arms if not arm.startswith(machine.TIDEMARK)]

    def best_peer(self, measure, names=None):
        """The one peer with the best geometric mean."""
        peers = self.peers()
        if not peers:
            return None
        return min(peers, key=lambda arm: self.geometric_mean(arm, peers[0], measure, names)
                   or math.inf)

    def groups(self):
        """(title, names) of the sets of workloads that means are taken over."""
        programs = {work.name for work in suite.PROGRAMS}
        groups = [("workloads", [name for name in self.workloads if name not in programs]),
                  ("programs", [name for name in self.workloads if name in programs])]
        groups = [(title, names) for title, names in groups if names]
        return groups + [("all", self.workloads)] if len(groups) == 2 else groups

    def own_best(self, workload, measure):
        """The peer that is best on this workload."""
        ran = [arm for arm in self.peers() if self.median(workload, arm, measure)]
        return min(ran, key=lambda arm: self.median(workload, arm, measure)) if ran else None


def value(run, measure):
    """A measure of one run: seconds or KiB."""
    if measure == "cpu":
        return float(run["user_s"]) + float(run["system_s"])
    return float(run["wall_s" if measure == "wall" else "peak_rss_kib"])


def from_runs(head, rows):
    """Results of rows that are dicts with FIELDS."""
    results = Results(dict(head), [], [], {})
    for row in rows:
        if row["workload"] not in results.workloads:
            results.workloads.append(row["workload"])
        if row["arm"] not in results.arms:
            results.arms.append(row["arm"])
        results.runs.setdefault((row["workload"], row["arm"]), []).append(row)
    return results


def read_rows(path):
    """(head, rows) of a file that `write` made."""
    with open(path, encoding="utf-8", newline="") as file:
        lines = file.read().splitlines()
    head = [line[2:].split(": ", 1) for line in lines if line.startswith("# ")]
    return head, list(csv.DictReader(line for line in lines if not line.startswith("#")))


def read(path):
    """Results of a file of runs."""
    return from_runs(*read_rows(path))


def write(path, head, rows, fields=FIELDS):
    """Machine first, as comments, then one line a run."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.writelines(f"# {name}: {text}\n" for name, text in head)
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def value_medians(rows):
    """{(program, name): median of the runs}, in the order of first appearance, of rows with
    VALUE_FIELDS."""
    values = {}
    for row in rows:
        values.setdefault((row["program"], row["name"]), []).append(float(row["value"]))
    return {key: statistics.median(numbers) for key, numbers in values.items()}


# ---- Tables -------------------------------------------------------------------------------------


def value_table(subject, rows):
    """Medians with a header: a program a row, a name a column."""
    names = list(dict.fromkeys(row["name"] for row in rows))
    values = value_medians(rows)
    return [[subject, *names],
            *([program, *(number(values.get((program, name)), 1) for name in names)]
              for program in dict.fromkeys(row["program"] for row in rows))]


def number(x, digits=2):
    """A number for a table; a dash for none."""
    return "-" if x is None else f"{x:.{digits}f}"


def amount(results, workload, arm, measure):
    """A median with its unit's scale: seconds, or MiB for RSS."""
    median = results.median(workload, arm, measure)
    return None if median is None else median / 1024 if measure == "rss" else median


def measure_table(results, measure, subject):
    """Rows of text: one a workload, medians of every arm, subject's ratio to each peer's."""
    peers = results.peers()
    columns = ["workload", *results.arms, "±%"]
    columns += [f"/{arm}" for arm in peers] if subject in results.arms else []
    columns += ["own best", "/own best"]
    rows = [columns]
    for name in results.workloads:
        best = results.own_best(name, measure)
        spreads = [results.spread(name, arm, measure) or 0 for arm in results.arms]
        row = [name, *(number(amount(results, name, arm, measure)) for arm in results.arms),
               number(100 * max(spreads), 0)]
        if subject in results.arms:
            row += [number(results.ratio(name, subject, arm, measure)) for arm in peers]
        ratio = results.ratio(name, subject, best, measure) if best else None
        rows.append([*row, best or "-", number(ratio)])
    rows += [_mean_row(results, measure, subject, group) for group in results.groups()]
    return rows


def _mean_row(results, measure, subject, group):
    """A last row: geometric means of every arm over ours, and of our ratios to each peer."""
    title, names = group
    best = results.best_peer(measure, names)
    base = subject if subject in results.arms else results.arms[0]
    row = [f"mean of {title} / {base}"]
    row += [number(results.geometric_mean(arm, base, measure, names), 3)
            for arm in results.arms] + [""]
    if subject in results.arms:
        row += [number(results.geometric_mean(subject, arm, measure, names), 3)
                for arm in results.peers()]
    mean = results.geometric_mean(subject, best, measure, names) if best else None
    return [*row, f"best peer: {best or '-'}", number(mean, 3)]


def as_text(rows):
    """Aligned columns for a terminal."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                  for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
        for row in rows)


def as_markdown(rows):
    """The same as a table of Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---|" + "---:|" * (len(rows[0]) - 1))
    return "\n".join(lines)
