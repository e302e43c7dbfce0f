"""docs/accounting.md names every counter of fields.def with its kind, and no other."""
import os
import re
import unittest
from pathlib import Path

ROOT = Path(os.environ.get("TIDEMARK_SOURCE") or Path(__file__).resolve().parents[2])
FIELD = re.compile(r"^TM_FIELD\(\w+, (\w+), (\w+), ([01]),", re.MULTILINE)
BY_REASON = re.compile(r"^TM_FIELD_BY_REASON\((\w+),", re.MULTILINE)
ROW = re.compile(r"^\| `(\w+)`( \*)? \| (level|total|peak|bound) \| (.*) \|$", re.MULTILINE)
REASON = re.compile(r'X\((TM_FAIL_\w+), "(\w+)"')
REASON_ROW = re.compile(r"^\| `(TM_FAIL_\w+)` \| (\w+) \|", re.MULTILINE)


def declared(text):
    """[(name, kind, kept per pool)] of a fields.def, in its order."""
    fields = [(m.start(), (m[1], m[2].lower(), m[3] == "1")) for m in FIELD.finditer(text)]
    fields += [(m.start(), (m[1], "total", False)) for m in BY_REASON.finditer(text)]
    return [field for _, field in sorted(fields)]


def documented(text):
    return [(m[1], m[3], m[2] is not None) for m in ROW.finditer(text)]


class Accounting(unittest.TestCase):
    def setUp(self):
        self.page = (ROOT / "docs" / "accounting.md").read_text(encoding="utf-8")
        self.fields = (ROOT / "include/tidemark/fields.def").read_text(encoding="utf-8")
        self.stats = (ROOT / "include/tidemark/stats.h").read_text(encoding="utf-8")

    def test_every_counter_in_its_order(self):
        self.assertGreater(len(declared(self.fields)), 20)
        self.assertEqual(documented(self.page), declared(self.fields))

    def test_every_reason(self):
        reasons = REASON.findall(self.stats)
        self.assertEqual(len(reasons), 4)
        self.assertEqual(REASON_ROW.findall(self.page), reasons)

    def test_meanings_say_something(self):
        for name, _, _, meaning in ROW.findall(self.page):
            self.assertGreater(len(meaning.split()), 2, name)


class Rule(unittest.TestCase):
    """The comparison can fail."""

    def test_a_counter_that_nobody_described(self):
        fields = 'TM_FIELD(uint64_t, a_bytes, LEVEL, 1, "x")\nTM_FIELD_BY_REASON(b_total, "y")\n'
        page = "| `a_bytes` * | level | some meaning of it |\n| `b_total` | total | x y z |\n"
        self.assertEqual(documented(page), declared(fields))
        self.assertNotEqual(documented(page.replace(" *", "")), declared(fields))
        self.assertNotEqual(documented(page.replace("level", "total")), declared(fields))
        self.assertNotEqual(documented(page), declared(fields + fields.replace("a_b", "c_b")))


if __name__ == "__main__":
    unittest.main()
