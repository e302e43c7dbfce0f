"""bench/report.py: medians, ratios, geometric means, the best peer; what is written is read back."""
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import report  # noqa: E402
import table  # noqa: E402


def row(workload, arm, run, cpu, rss):
    """One run; the CPU time is split so that both parts count."""
    return {"workload": workload, "arm": arm, "run": run, "user_s": cpu * 0.75,
            "system_s": cpu * 0.25, "wall_s": cpu * 2, "peak_rss_kib": rss, "minor_faults": 1,
            "context_switches": 0}


def rows():
    """a: tidemark 1, x 2, y 4. b: tidemark 4, x 8, y 1 (and one wild run that a mean would see)."""
    cpu = {("a", "tidemark"): 1, ("a", "x"): 2, ("a", "y"): 4,
           ("b", "tidemark"): 4, ("b", "x"): 8, ("b", "y"): 1}
    return [row(workload, arm, run, seconds * (100 if run == 2 else 1), 1024 * seconds)
            for (workload, arm), seconds in cpu.items() for run in range(3)]


class Newest(unittest.TestCase):
    def test_a_kind_that_ends_as_another_is_not_it(self):
        # Regression: the table of instructions a pair showed those of the profile.
        with tempfile.TemporaryDirectory() as folder, \
                unittest.mock.patch.object(table, "RESULTS", folder):
            for name in ("20260101-000000-counts", "20260102-000000-counts",
                         "20260103-000000-other-counts"):
                (Path(folder) / f"{name}.csv").touch()
            self.assertEqual(Path(table.newest("counts")).stem, "20260102-000000-counts")
            self.assertEqual(Path(table.newest("other-counts")).stem,
                             "20260103-000000-other-counts")
            self.assertIsNone(table.newest("ounts"))


class Report(unittest.TestCase):
    def setUp(self):
        self.results = report.from_runs([("commit", "abc: def")], rows())

    def test_median_ignores_one_wild_run(self):
        self.assertEqual(self.results.median("a", "x", "cpu"), 2)
        self.assertEqual(self.results.median("a", "x", "wall"), 4)
        self.assertEqual(self.results.median("a", "x", "rss"), 2048)
        self.assertIsNone(self.results.median("a", "z", "cpu"))

    def test_ratio_is_ours_over_theirs(self):
        self.assertEqual(self.results.ratio("a", "tidemark", "x", "cpu"), 0.5)
        self.assertIsNone(self.results.ratio("a", "tidemark", "z", "cpu"))

    def test_geometric_mean(self):
        self.assertAlmostEqual(self.results.geometric_mean("tidemark", "x", "cpu"), 0.5)
        self.assertAlmostEqual(self.results.geometric_mean("tidemark", "y", "cpu"), 1.0)
        self.assertAlmostEqual(self.results.geometric_mean("tidemark", "y", "cpu", ["a"]), 0.25)

    def test_best_peer_is_one_for_all_and_never_ours(self):
        self.assertEqual(self.results.best_peer("cpu"), "y")
        self.assertEqual(self.results.own_best("a", "cpu"), "x")
        self.assertEqual(self.results.own_best("b", "cpu"), "y")

    def test_written_is_read_back(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "x-full.csv"
            report.write(path, list(self.results.head.items()), rows())
            again = report.read(path)
        self.assertEqual(again.head, {"commit": "abc: def"})
        self.assertEqual(again.workloads, ["a", "b"])
        for arm in ("tidemark", "x", "y"):
            self.assertEqual(again.median("b", arm, "cpu"), self.results.median("b", arm, "cpu"))

    def test_every_row_of_a_table_has_all_columns(self):
        for measure, _ in report.MEASURES:
            for lines in (report.measure_table(self.results, measure, "tidemark"),
                          report.measure_table(self.results, measure, "absent"),
                          table.ratio_rows(self.results, measure, "tidemark")):
                self.assertEqual({len(line) for line in lines}, {len(lines[0])})

    def test_where_we_lose_is_named(self):
        self.assertIn("- b: CPU time 4.00 of y's", table.losses(self.results, "tidemark"))
        self.assertFalse([line for line in table.losses(self.results, "tidemark")
                          if line.startswith("- a")])


if __name__ == "__main__":
    unittest.main()
