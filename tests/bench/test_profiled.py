"""bench/profiled.py: the least of each arm, ratios, their mean."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import profiled  # noqa: E402


class Profiled(unittest.TestCase):
    def test_ratios_are_of_the_least_times(self):
        runs = [("a", "off", 2), ("a", "on", 9), ("a", "off", 4), ("a", "on", 4),
                ("b", "off", 8), ("b", "on", 4)]
        rows = [{"program": program, "name": arm, "value": str(seconds)}
                for program, arm, seconds in runs]
        self.assertEqual(profiled.ratio_rows(rows)[1:], [
            ["a", "2.000", "4.000", "2.000"], ["b", "8.000", "4.000", "0.500"],
            ["geometric mean", "", "", "1.000"]])


if __name__ == "__main__":
    unittest.main()
