"""stats(), footprint(), inform(), trim(): the numbers of the library, under its own names."""
# ctest: timeout=120
import json
import re

import module
from module import ROOT, program, shimmed, tidemark


def declared():
    """The names of fields.def."""
    text = (ROOT / "include" / "tidemark" / "fields.def").read_text(encoding="utf-8")
    plain = re.findall(r"^TM_FIELD\(\w+, (\w+),", text, re.MULTILINE)
    return plain + re.findall(r"^TM_FIELD_BY_REASON\((\w+),", text, re.MULTILINE)


class Stats(module.Case):
    def test_each_counter_has_its_name(self):
        run = shimmed("import json; print(json.dumps(tidemark.stats()))")
        self.assertRan(run)
        stats = json.loads(run.out)
        self.assertEqual(set(declared()) - set(stats), set())
        self.assertEqual(set(stats) - set(declared()), {"name", "pools", "sizes", "tags", "actions"})
        self.assertLessEqual({"raw", "mem", "obj", "c"}, {pool["name"] for pool in stats["pools"]})
        self.assertEqual(stats["name"], "default")

    def test_it_is_what_the_monitor_serves(self):
        self.both("""
            import json, urllib.request
            mine = tidemark.stats()
            with urllib.request.urlopen(tidemark.monitor() + "stats.json") as answer:
                heaps = json.load(answer)["heaps"]
            print(set(heaps[0]) == set(mine), len(heaps))
        """, "True 1\n")

    def test_the_footprint_is_exact(self):
        self.both("""
            before = tidemark.footprint()
            block = bytearray(100 << 20)
            grown = tidemark.footprint() - before
            del block
            print(100 << 20 <= grown < 101 << 20, abs(tidemark.footprint() - before) < 1 << 16)
        """, "True True\n")

    def test_the_peak_starts_again(self):
        self.both("""
            block = bytearray(80 << 20)
            del block
            high = tidemark.stats()["footprint_peak_bytes"]
            tidemark.reset_peak()
            print(high > 80 << 20, tidemark.stats()["footprint_peak_bytes"] < 40 << 20)
        """, "True True\n")

    def test_what_is_told_of_is_in_the_books(self):
        self.both("""
            tidemark.inform("gpu", 64 << 20)
            stats = tidemark.stats()
            print(stats["footprint_bytes"] == stats["live_bytes"] + (64 << 20))
            print({tag["name"]: tag["informed_bytes"] for tag in tidemark.stats()["tags"]})
            tidemark.inform("gpu", -(64 << 20))
            print(tidemark.stats()["informed_bytes"], tidemark.stats()["tags"][0]["informed_peak_bytes"])
        """, "True\n{'gpu': 67108864}\n0 67108864\n")

    def test_informed_bytes_make_it_act(self):
        self.both("""
            import gc
            gc.collect()
            runs = gc.get_stats()[2]["collections"]
            tidemark.inform("gpu", 512 << 20)
            for _ in range(200000): [None]
            print(gc.get_stats()[2]["collections"] > runs)
        """, "True\n")

    def test_trim_gives_back_what_it_says(self):
        self.both("""
            kept = [bytearray(60000) for _ in range(2000)]
            del kept
            stats = tidemark.stats()
            returned = tidemark.trim()
            after = tidemark.stats()
            print(returned > 50 << 20, after["committed_bytes"] <= stats["committed_bytes"])
        """, "True True\n")

    def test_wrong_arguments(self):
        self.assertRan(shimmed("""
            for call in (lambda: tidemark.inform(1, 2), lambda: tidemark.inform("a"),
                         lambda: tidemark.inform("a", 1.5), lambda: tidemark.inform("a", 1 << 70),
                         lambda: tidemark.inform("a\\0b", 1)):
                try:
                    call()
                except (TypeError, OverflowError, ValueError) as error:
                    print(type(error).__name__)
        """), "TypeError\nTypeError\nTypeError\nOverflowError\nValueError\n")


class Group(module.Case):
    def test_a_group_shows(self):
        name = f"test-module-{id(self)}"
        run = tidemark(*program("print(tidemark.stats()['group']['name'])"),
                       options=["--group", name, "--budget", "1G"])
        self.assertRan(run, name + "\n")


if __name__ == "__main__":
    module.main()
