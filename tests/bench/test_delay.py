"""bench/delay.py: figures of the waits that a real program wrote."""
import os
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import delay  # noqa: E402
import run  # noqa: E402


class Delay(unittest.TestCase):
    def test_figures(self):
        self.assertEqual(dict(delay.figures([1.0] * 15 + [2.0] * 5)),
                         {"requests": 20, "median ms": 1.0, "90th percentile ms": 2.0})

    def test_a_handful_is_no_measurement(self):
        with self.assertRaises(run.BenchError):
            dict(delay.figures([1.0] * 9))

    def test_a_program_writes_its_waits(self):
        waits = delay.delays_of("caches", os.environ["TIDEMARK"])
        self.assertGreater(len(waits), 10)
        self.assertEqual(waits, sorted(waits))
        self.assertGreaterEqual(waits[0], 0)


if __name__ == "__main__":
    unittest.main()
