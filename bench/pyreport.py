"""The tables of bench/python.py, for the terminal and for the documentation."""

import statistics

import pysuite
import report

STOCK, TIDEMARK, HEAP_ONLY = "stock", "tidemark", "heap-only"
UNCOLLECTED = "uncollected"
# where a run goes that measures how little memory the program needs: see programs/python/command.py
FLOOR = {STOCK: "stock-floor", TIDEMARK: "tidemark-floor"}
FIELDS = (*report.FIELDS, "peak_pss_kib", "peak_footprint_kib", "young", "full")
# what is worth a line of its own
SLOWER, BIGGER, MUCH_GARBAGE = 1.03, 1.25, 1 / 8


def of_kind(results, kind):
    """The measured programs of a kind."""
    known = pysuite.names_of(kind)
    return [name for name in results.workloads if name in known]


def collections_of(results, name, arm):
    """young+full of one run."""
    runs = results.runs.get((name, arm))
    return f"{runs[0]['young']}+{runs[0]['full']}" if runs and runs[0]["young"] != "" else "-"


def speed_rows(results):
    """Stock's medians; the ratios of both other arms to them, and of the fastest runs; how often
    was collected."""
    names = of_kind(results, pysuite.SPEED)
    rows = [["program", "stock, s", "CPU", "fastest", "wall", "stock, MiB", "peak RSS",
             "heap only: CPU", "fastest", "peak RSS", "collections: stock", "tidemark"]]
    median = statistics.median
    ratios = ((TIDEMARK, "cpu", median), (TIDEMARK, "cpu", min), (TIDEMARK, "wall", median),
              (TIDEMARK, "rss", median), (HEAP_ONLY, "cpu", median), (HEAP_ONLY, "cpu", min),
              (HEAP_ONLY, "rss", median))
    for name in names:
        cells = [report.number(results.ratio(name, arm, STOCK, measure, of))
                 for arm, measure, of in ratios]
        rows.append([name, report.number(report.amount(results, name, STOCK, "cpu")), *cells[:3],
                     report.number(report.amount(results, name, STOCK, "rss"), 1), *cells[3:],
                     *(collections_of(results, name, arm) for arm in (STOCK, TIDEMARK))])
    cells = [report.number(results.geometric_mean(arm, STOCK, measure, names, of), 3)
             for arm, measure, of in ratios] if names else ["-"] * len(ratios)
    rows.append(["geometric mean", "", *cells[:3], "", *cells[3:], "", ""])
    return rows


def uncollected_rows(results):
    """Stock without its collector against stock: what collecting at other times can win at most."""
    names = [name for name in of_kind(results, pysuite.SPEED)
             if results.runs.get((name, UNCOLLECTED))]
    if not names:
        return []
    ratios = (("cpu", statistics.median), ("cpu", min), ("rss", statistics.median))
    rows = [["program", "CPU", "fastest", "peak RSS"]]
    rows += [[name, *(report.number(results.ratio(name, UNCOLLECTED, STOCK, measure, of))
                      for measure, of in ratios)] for name in names]
    means = [results.geometric_mean(UNCOLLECTED, STOCK, measure, names, of)
             for measure, of in ratios]
    return rows + [["geometric mean", *(report.number(mean, 3) for mean in means)]]


def garbage(results, name, arm):
    """MiB of the peak that the program does not need, or None. Below 0 when the arm collected even
    more often than the floor does."""
    peak = report.amount(results, name, arm, "rss")
    floor = report.amount(results, name, FLOOR[arm], "rss")
    return peak - floor if peak and floor else None


def garbage_ratio(results, name):
    """Tidemark's garbage to stock's, or None."""
    ours, theirs = (garbage(results, name, arm) for arm in (TIDEMARK, STOCK))
    return ours / theirs if ours is not None and theirs else None


def memory_rows(results):
    """Peak, floor and what is between them, of both arms."""
    rows = [["program", "stock, MiB", "floor", "garbage", "tidemark, MiB", "floor", "garbage",
             "/ stock's", "CPU", "wall", "collections: stock", "tidemark"]]
    for name in of_kind(results, pysuite.MEMORY):
        row = [name]
        for arm in (STOCK, TIDEMARK):
            row += [report.number(report.amount(results, name, which, "rss"), 1)
                    for which in (arm, FLOOR[arm])]
            row.append(report.number(garbage(results, name, arm), 1))
        row.append(report.number(garbage_ratio(results, name), 3))
        row += [report.number(results.ratio(name, TIDEMARK, STOCK, measure))
                for measure in ("cpu", "wall")]
        rows.append(row + [collections_of(results, name, arm) for arm in (STOCK, TIDEMARK)])
    return rows


def median_peak(results, name, arm, field):
    """MiB of the whole tree of processes at its highest, or None."""
    runs = results.runs.get((name, arm))
    return statistics.median(float(run[field]) / 1024 for run in runs) if runs else None


def prefork_rows(results):
    """The peak of all workers together, against their budget."""
    budget = float(results.head["budget_mib"])
    rows = [["program", "budget, MiB", "stock: PSS, MiB", "/ budget", "tidemark: PSS, MiB",
             "/ budget", "footprints, MiB", "/ budget", "CPU", "wall"]]
    columns = ((STOCK, "peak_pss_kib"), (TIDEMARK, "peak_pss_kib"),
               (TIDEMARK, "peak_footprint_kib"))
    for name in of_kind(results, pysuite.PREFORK):
        row = [name, report.number(budget, 0)]
        for arm, field in columns:
            peak = median_peak(results, name, arm, field)
            row += [report.number(peak, 1), report.number(peak and peak / budget)]
        rows.append(row + [report.number(results.ratio(name, TIDEMARK, STOCK, measure))
                           for measure in ("cpu", "wall")])
    return rows


def losses(results):
    """A line for every program that is slower or bigger than stock, or keeps much garbage."""
    lines = []

    def look(name, what, ratio, most):
        if ratio is not None and ratio > most:
            lines.append(f"{name}: {what} {ratio:.2f} of stock's")

    for name in of_kind(results, pysuite.SPEED):
        look(name, "CPU time", results.ratio(name, TIDEMARK, STOCK, "cpu"), SLOWER)
        look(name, "peak RSS", results.ratio(name, TIDEMARK, STOCK, "rss"), BIGGER)
        look(name, "CPU time of the heap alone", results.ratio(name, HEAP_ONLY, STOCK, "cpu"),
             SLOWER)
    for name in of_kind(results, pysuite.MEMORY):
        look(name, "garbage in the peak", garbage_ratio(results, name), MUCH_GARBAGE)
    for name in of_kind(results, pysuite.MEMORY) + of_kind(results, pysuite.PREFORK):
        look(name, "CPU time", results.ratio(name, TIDEMARK, STOCK, "cpu"), 1.0)
    return lines


def parts(results):
    """(title, rows) of the tables that there are."""
    tables = (("Programs: ratios to stock", speed_rows, pysuite.SPEED),
              ("Garbage in the peak", memory_rows, pysuite.MEMORY),
              ("Forked workers: peaks of the sum of all", prefork_rows, pysuite.PREFORK))
    shown = [(title, rows(results)) for title, rows, kind in tables if of_kind(results, kind)]
    never = uncollected_rows(results)
    return shown + ([("Stock without its collector, to stock", never)] if never else [])
