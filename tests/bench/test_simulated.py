"""bench/simulated.py: what is read from cachegrind, what runs with what, ratios to stock."""
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import pysuite  # noqa: E402
import run  # noqa: E402
import simulated  # noqa: E402

SAID = """
==1== I   refs:      1,234,567
==1== I1  misses:        2,000
==1== LLi misses:        1,000
==1== D   refs:        500,000  (300,000 rd   + 200,000 wr)
==1== D1  misses:       40,000  ( 30,000 rd   +  10,000 wr)
==1== LLd misses:        3,000  (  2,000 rd   +   1,000 wr)
"""


class Simulated(unittest.TestCase):
    def test_what_cachegrind_says(self):
        self.assertEqual(simulated.counts_in(SAID), [1234567, 40000, 3000])
        with self.assertRaises(run.BenchError):
            simulated.counts_in("valgrind: no such program")

    def test_stock_is_not_preloaded(self):
        self.assertNotIn("LD_PRELOAD", simulated.environment_of("stock", "/lib/x.so"))
        self.assertEqual(simulated.environment_of("middle", "/lib/x.so")["LD_PRELOAD"], "/lib/x.so")
        self.assertEqual(simulated.environment_of("heap-only", "/lib/x.so")["TM_POLICY"], "off")

    def test_ratios(self):
        found = {("a", "stock"): [100, 10, 10], ("a", "tidemark"): [50, 20, 10],
                 ("b", "stock"): [100, 10, 10], ("b", "tidemark"): [200, 5, 10]}
        rows = simulated.ratio_rows(found)
        self.assertEqual(rows[0], ["program", "tidemark / stock: instructions",
                                   "tidemark / stock: L1 misses", "tidemark / stock: L2 misses"])
        self.assertEqual(rows[1], ["a", "0.50", "2.00", "1.00"])
        self.assertEqual(rows[3], ["geometric mean", "1.000", "1.000", "1.000"])

    def test_wrapped_arms_are_compared_with_the_wrapped_one(self):
        found = {("a", "stock"): [1, 1, 1], ("a", "narrow"): [10, 10, 10],
                 ("a", "wide"): [15, 20, 5]}
        self.assertEqual(simulated.ratio_rows(found)[1], ["a", "1.50", "2.00", "0.50"])
        self.assertEqual(simulated.main(["--arms", "stock,wide"]), 2)

    def test_results_are_read_back(self):
        rows = [{"program": "a", "name": f"stock: {title}", "value": str(count)}
                for count, (title, _) in zip((7, 8, 9), simulated.COUNTS)]
        self.assertEqual(simulated.found_in(rows), {("a", "stock"): [7, 8, 9]})

    def test_only_programs_that_do_a_part(self):
        names = [program.name for program in simulated.choose([])]
        self.assertIn("queens", names)
        self.assertNotIn("build", names)
        self.assertNotIn("cycles", names)
        self.assertEqual([program.name for program in simulated.choose(["qu"])], ["queens"])
        with self.assertRaises(run.BenchError):
            simulated.choose(["absent"])

    def test_a_failed_run_is_an_error(self):
        options = SimpleNamespace(python="/bin/false", percent=1)
        with self.assertRaises(run.BenchError):
            simulated.simulate((pysuite.PROGRAMS[1], "stock", "/lib/x.so", options))


if __name__ == "__main__":
    unittest.main()
