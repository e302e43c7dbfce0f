"""bench/fronts.py: the table and the pictures of docs/policy.md are what it says today.

When this fails although the change is meant, draw them again:
bench/fronts.py --plot docs/pictures, and copy its table into docs/policy.md.
"""
# ctest: timeout=240
import contextlib
import io
import os
import re
import sys
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import fronts  # noqa: E402
import fronts_plot  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
PROGRAM = os.path.join(os.environ.get("TIDEMARK_BUILD", ""), "bench", "fronts")
SVG = "{http://www.w3.org/2000/svg}"
LARGEST = 40 << 10


def numbers(element, *names):
    return [float(element.get(name)) for name in names]


def example(policies=2):
    """Fronts that fall: the second policy needs half of the first one's memory."""
    names = ("growth", "sqrt", "share", "debt", "fixed")[:policies]
    return {name: [(knob, 100 * knob / (i + 1), 0.1 / knob) for knob in (1, 2, 4, 8)]
            for i, name in enumerate(names)}


class Documented(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.access(PROGRAM, os.X_OK):
            print("SKIP: no build/bench/fronts: run by ctest, or set TIDEMARK_BUILD")
            raise unittest.SkipTest("no build")
        cls.fronts = fronts.measure(PROGRAM)
        cls.text = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")

    def test_table(self):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            fronts.show(self.fronts)
        self.assertIn("```\n" + printed.getvalue() + "```\n", self.text)

    def test_pictures(self):
        drawn = fronts.pictures(self.fronts)
        with tempfile.TemporaryDirectory() as folder:
            fronts_plot.write(folder, drawn)
            names = sorted(os.listdir(folder))
            self.assertEqual(names, sorted(path.name for path in PICTURES.glob("fronts-*.svg")))
            for name in names:
                self.assertEqual(Path(folder, name).read_bytes(), (PICTURES / name).read_bytes(),
                                 f"{name} is not what bench/fronts.py --plot draws")

    def test_every_picture_is_shown_and_small(self):
        for path in PICTURES.glob("*.svg"):
            self.assertEqual(len(re.findall(rf"!\[[^\]]+\]\(pictures/{path.name}\)", self.text)), 1)
            self.assertLess(path.stat().st_size, LARGEST)
            self.assertNotRegex(path.read_text(encoding="utf-8"), "href|url\\(|<script|@import")


class Drawing(unittest.TestCase):
    def draw(self, lines, base):
        return xml.etree.ElementTree.fromstring(
            fronts_plot.draw("a", "b", lines, base, "growth 100 %"))

    def marks(self, drawn, policy):
        """Where the policy's marks are, without the legend's."""
        return [tuple(map(float, re.match(r"M([\d.]+) ([\d.]+)m", element.get("d")).groups()))
                for element in drawn.iter(SVG + "path")
                if element.get("class") == f"mark {policy}" and len(element)]

    def test_more_time_is_right_and_more_memory_is_up(self):
        drawn = self.draw(example(), (200, 0.05))
        growth, sqrt = self.marks(drawn, "growth"), self.marks(drawn, "sqrt")
        self.assertEqual(len(growth), 4)
        for (x1, y1), (x2, y2) in zip(growth, growth[1:]):
            self.assertTrue(x2 < x1 and y2 < y1)  # a larger knob: less time, more memory
        for (x1, y1), (x2, y2) in zip(growth, sqrt):
            self.assertTrue(x1 == x2 and y2 > y1)

    def test_the_compared_point_is_ringed_and_named(self):
        drawn = self.draw(example(), (200, 0.05))
        ring = drawn.find(f"{SVG}circle[@class='ring']")
        self.assertEqual(tuple(numbers(ring, "cx", "cy")), self.marks(drawn, "growth")[1])
        self.assertIn("growth 100 %", [element.text for element in drawn.iter(SVG + "text")])

    def test_axes_have_units_and_ticks_are_apart(self):
        drawn = self.draw(example(), (200, 0.05))
        ticks = [element for element in drawn.iter(SVG + "text")
                 if element.get("class", "").startswith("tick")]
        shares = [element for element in ticks if element.text.endswith(" %")]
        sizes = [element for element in ticks if element.text.endswith(" MiB")]
        self.assertEqual(len(shares) + len(sizes), len(ticks))
        self.assertTrue(len(shares) >= 3 and len(sizes) >= 3)
        places = [numbers(element, "x")[0] for element in shares]
        self.assertTrue(all(b - a >= 40 for a, b in zip(places, places[1:])))
        # a tick says what a point at its place has
        growth = dict(zip(("10 %", "5 %"), self.marks(drawn, "growth")))
        for element in shares:
            if element.text in growth:
                self.assertAlmostEqual(numbers(element, "x")[0], growth[element.text][0], delta=0.1)

    def test_every_policy_has_a_colour_and_a_form_of_its_own(self):
        drawn = self.draw(example(5), (200, 0.05))
        for policy in fronts.KNOBS:
            self.assertIn(policy, [element.text for element in drawn.iter(SVG + "text")])
            self.assertEqual(len(re.findall(rf"\.{policy}{{stroke:#", fronts_plot.STYLE)), 2,
                             f"{policy}: one colour in the light and one in the dark")
        self.assertEqual(len(set(fronts_plot.MARKS.values())), len(fronts.KNOBS))

    def test_what_is_far_away_is_cut_at_the_axes(self):
        lines = example()
        lines["sqrt"] += [(16, 1e9, 1e-9), (32, 1e9, 0)]
        drawn = self.draw(lines, (200, 0.05))
        self.assertEqual(len(self.marks(drawn, "sqrt")), 4)
        line = [element.get("d") for element in drawn.iter(SVG + "path")
                if element.get("class") == "line sqrt"][-1]
        places = [tuple(map(float, place))
                  for place in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", line)]
        self.assertEqual(len(places), 5)
        for x, y in places:
            self.assertTrue(fronts_plot.LEFT <= x <= fronts_plot.RIGHT)
            self.assertTrue(fronts_plot.TOP <= y <= fronts_plot.BOTTOM)

    def test_one_point_only(self):
        self.assertEqual(len(self.marks(self.draw({"growth": [(100, 50, 0.1)]}, (50, 0.1)),
                                        "growth")), 1)


if __name__ == "__main__":
    unittest.main()
