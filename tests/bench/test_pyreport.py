"""bench/pyreport.py: ratios to stock, garbage above the floor, the budget, and where it loses."""
import sys
import unittest
import unittest.mock
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import pyreport  # noqa: E402
import report  # noqa: E402
import table  # noqa: E402

MIB = 1024


def row(workload, arm, cpu, rss_mib, peaks_mib=(0, 0), counts=("", "")):
    return {"workload": workload, "arm": arm, "run": 0, "user_s": cpu * 0.75,
            "system_s": cpu * 0.25, "wall_s": cpu * 2, "peak_rss_kib": rss_mib * MIB,
            "minor_faults": 1, "context_switches": 0, "peak_pss_kib": peaks_mib[0] * MIB,
            "peak_footprint_kib": peaks_mib[1] * MIB, "young": counts[0], "full": counts[1]}


def results(*more):
    """queens wins, lisp loses; cycles has a tenth of the garbage, caches a half in more time."""
    return report.from_runs([("budget_mib", "100")], [
        row("queens", "stock", 2, 10, counts=(7, 1)), row("queens", "tidemark", 1, 20,
                                                          counts=(3, 0)),
        row("queens", "heap-only", 1, 10),
        row("lisp", "stock", 1, 10), row("lisp", "tidemark", 2, 5), row("lisp", "heap-only", 4, 10),
        row("cycles", "stock", 1, 230), row("cycles", "stock-floor", 9, 30),
        row("cycles", "tidemark", 0.5, 55), row("cycles", "tidemark-floor", 9, 35),
        row("caches", "stock", 1, 50), row("caches", "stock-floor", 9, 30),
        row("caches", "tidemark", 1.5, 40), row("caches", "tidemark-floor", 9, 30),
        row("prefork", "stock", 2, 1, (350, 0)), row("prefork", "tidemark", 3, 1, (90, 60)),
        *more])


def as_dicts(rows):
    return {line[0]: line for line in rows[1:]}


class Tables(unittest.TestCase):
    def test_speed(self):
        rows = as_dicts(pyreport.speed_rows(results()))
        self.assertEqual(list(rows), ["queens", "lisp", "geometric mean"])
        self.assertEqual(rows["queens"], ["queens", "2.00", "0.50", "0.50", "0.50", "10.0", "2.00",
                                          "0.50", "0.50", "1.00", "7+1", "3+0"])
        # CPU: 0.5 and 2; RSS: 2 and 0.5; heap only: 0.5 and 4
        self.assertEqual(rows["geometric mean"],
                         ["geometric mean", "", "1.000", "1.000", "1.000", "", "1.000", "1.414",
                          "1.414", "1.000", "", ""])

    def test_the_fastest_runs_have_a_column(self):
        again = results(row("queens", "stock", 0.5, 10), row("queens", "stock", 2, 10))
        self.assertEqual(as_dicts(pyreport.speed_rows(again))["queens"][1:4],
                         ["2.00", "0.50", "2.00"])

    def test_what_is_to_win(self):
        self.assertEqual(pyreport.uncollected_rows(results()), [])
        rows = pyreport.uncollected_rows(results(row("queens", "uncollected", 1, 30)))
        self.assertEqual(rows[1:], [["queens", "0.50", "0.50", "3.00"],
                                    ["geometric mean", "0.500", "0.500", "3.000"]])

    def test_garbage_is_the_peak_above_the_own_floor(self):
        rows = as_dicts(pyreport.memory_rows(results()))
        self.assertEqual(rows["cycles"][1:10], ["230.0", "30.0", "200.0", "55.0", "35.0", "20.0",
                                                "0.100", "0.50", "0.50"])
        self.assertEqual(rows["caches"][7:10], ["0.500", "1.50", "1.50"])

    def test_a_peak_below_the_floor_is_said(self):
        below = results(row("worker", "stock", 1, 100), row("worker", "stock-floor", 1, 20),
                        row("worker", "tidemark", 1, 16), row("worker", "tidemark-floor", 1, 20))
        self.assertEqual(as_dicts(pyreport.memory_rows(below))["worker"][6:8], ["-4.0", "-0.050"])

    def test_without_a_floor_there_is_no_garbage(self):
        half = results(row("worker", "stock", 1, 100), row("worker", "tidemark", 1, 50))
        self.assertEqual(as_dicts(pyreport.memory_rows(half))["worker"][6:8], ["-", "-"])
        self.assertNotIn("worker", " ".join(pyreport.losses(half)))

    def test_workers_against_their_budget(self):
        self.assertEqual(as_dicts(pyreport.prefork_rows(results()))["prefork"],
                         ["prefork", "100", "350.0", "3.50", "90.0", "0.90", "60.0", "0.60", "1.50",
                          "1.50"])

    def test_where_it_loses(self):
        self.assertEqual(pyreport.losses(results()), [
            "queens: peak RSS 2.00 of stock's", "lisp: CPU time 2.00 of stock's",
            "lisp: CPU time of the heap alone 4.00 of stock's",
            "caches: garbage in the peak 0.50 of stock's", "caches: CPU time 1.50 of stock's",
            "prefork: CPU time 1.50 of stock's"])

    def test_only_what_was_run_is_shown(self):
        titles = [title for title, _ in pyreport.parts(results())]
        self.assertEqual(len(titles), 3)
        only = report.from_runs([("budget_mib", "100")], [row("cycles", "stock", 1, 230)])
        self.assertEqual([title for title, _ in pyreport.parts(only)], ["Garbage in the peak"])

    def test_every_row_has_all_columns(self):
        for _, rows in pyreport.parts(results()):
            self.assertEqual({len(line) for line in rows}, {len(rows[0])})

    def test_the_newest_results_go_into_the_document(self):
        with unittest.mock.patch.object(table, "newest", lambda kind: f"x-{kind}.csv"), \
                unittest.mock.patch.object(report, "read", lambda path: results()):
            text = "\n".join(table.python_part())
        self.assertIn("| queens | 2.00 | 0.50 |", text)
        self.assertIn("- caches: CPU time 1.50 of stock's", text)
        self.assertIn("- budget_mib: 100", text)


if __name__ == "__main__":
    unittest.main()
