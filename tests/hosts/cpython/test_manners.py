"""What a program says to its collector still holds, and it sees nothing that it did not ask for."""
# ctest: timeout=300
import unittest

import harness
from harness import MIB, code, tidemark

# 400 dead cycles of 1 MiB, after `{0}`
GARBAGE = """
    import gc
    class Frame: pass
    {0}
    for number in range(400):
        frame = Frame()
        frame.me, frame.pixels = frame, bytearray(1 << 20)
    print(sum(1 for o in gc.get_objects() if type(o).__name__ == "Frame") >= 300)
"""


class GarbageCollector(harness.Case):
    def test_it_is_on_and_stretched(self):
        run = tidemark(*code("import gc; print(gc.isenabled(), *gc.get_threshold())"))
        enabled, young, middle, full = run.out.split()
        self.assertEqual(enabled, "True")
        self.assertLessEqual(int(young), 10_000)
        self.assertGreater(int(young), 700)
        self.assertEqual(int(middle), 25)
        self.assertGreaterEqual(int(full), 100_000)

    def test_garbage_is_collected(self):
        run = tidemark(*code(GARBAGE.format("")))
        self.assertRan(run, "False\n")
        self.assertLess(run.heap["footprint_peak_bytes"], 250 * MIB)

    def test_disable_is_obeyed(self):
        run = tidemark(*code(GARBAGE.format("gc.disable()")))
        self.assertRan(run, "True\n")
        self.assertGreater(run.heap["footprint_peak_bytes"], 400 * MIB)
        busy = sum(run.heap["actions"][kind]["results_total"]["busy"] for kind in ("minor", "full"))
        self.assertGreater(busy, 0)
        self.assertEqual(run.collections(), busy)

    def test_enable_after_disable(self):
        run = tidemark(*code("""
            import gc
            gc.disable()
            class Frame: pass
            def make(count):
                for _ in range(count):
                    frame = Frame()
                    frame.me, frame.pixels = frame, bytearray(1 << 20)
            make(100)
            gc.enable()
            for _ in range(40):
                make(50)
                gc.isenabled()
        """))
        self.assertRan(run)
        self.assertGreater(run.collections(), 0)

    def test_a_programs_own_thresholds_win(self):
        run = tidemark(*code("""
            import gc
            gc.set_threshold(123, 4, 5)
            data = []
            for _ in range(60):
                data.append(bytearray(1 << 20))     # crosses the trip again and again
            for _ in range(10000):
                len(data)
            print(gc.get_threshold())
        """))
        self.assertRan(run, "(123, 4, 5)\n")

    def test_a_multiplied_threshold_is_still_a_number(self):
        run = tidemark(*code("""
            import gc
            young, middle, full = gc.get_threshold()
            gc.set_threshold(young * 10, middle * 10, full * 100)
            print(gc.get_threshold() == (young * 10, middle * 10, full * 100))
        """))
        self.assertRan(run, "True\n")

    def test_cycles_of_few_bytes_are_collected_by_count(self):
        # as test_gc.py asks: within 10,000 containers
        run = tidemark(*code("""
            import gc
            class Node: pass
            before = gc.get_stats()[0]["collections"]
            nodes = []
            while gc.get_stats()[0]["collections"] == before and len(nodes) <= 10000:
                nodes.append([])
            print(len(nodes) <= 10000)
        """))
        self.assertRan(run, "True\n")

    def test_counting_never_walks_everything(self):
        run = tidemark(*code("""
            import gc
            before = gc.get_stats()[2]["collections"]
            for _ in range(30):
                nodes = [[] for _ in range(100000)]
            print(gc.get_stats()[2]["collections"] - before < 5)
        """))
        self.assertRan(run, "True\n")

    def test_callbacks_see_the_collections(self):
        run = tidemark(*code("""
            import gc
            seen = set()
            gc.callbacks.append(lambda phase, info: seen.add((phase, info["generation"])))
            class Frame: pass
            for number in range(600):
                frame = Frame()
                frame.me, frame.pixels = frame, bytearray(1 << 20)
            print(("start", 0) in seen and ("stop", 0) in seen)
        """))
        self.assertRan(run, "True\n")

    def test_frozen_objects_stay_frozen(self):
        run = tidemark(*code("""
            import gc
            kept = [[] for _ in range(1000)]
            gc.freeze()
            count = gc.get_freeze_count()
            data = [bytearray(1 << 20) for _ in range(100)]
            print(gc.get_freeze_count() == count, count > 1000)
        """))
        self.assertRan(run, "True True\n")

    def test_with_only_limits_pythons_own_schedule_stays(self):
        run = tidemark(*code("import gc; print(gc.get_threshold())"), options=["--policy", "off"])
        stock = harness.stock(*code("import gc; print(gc.get_threshold())"))
        self.assertRan(run, stock.out)


class Unseen(harness.Case):
    def test_modules_and_callbacks_are_the_programs_own(self):
        self.assertSame(*code("""
            import sys, threading
            data = [bytearray(1 << 20) for _ in range(100)]
            print("gc" in sys.modules, "atexit" in sys.modules, threading.active_count())
            print([name for name in sys.modules if "tidemark" in name])
            import gc
            print(gc.callbacks, gc.garbage, gc.isenabled())
        """))

    def test_an_exception_on_its_way_is_not_touched(self):
        self.assertSame(*code("""
            class Frame: pass
            def fail(number):
                frame = Frame()
                frame.me, frame.pixels = frame, bytearray(1 << 20)
                raise ValueError(number)
            caught = 0
            for number in range(300):
                try:
                    fail(number)
                except ValueError as error:
                    caught += error.args[0]
            print(caught)
        """))

    def test_errors_in_finalizers_are_reported_as_ever(self):
        run = tidemark(*code("""
            class Frame:
                def __del__(self): raise ValueError("in a finalizer")
            for number in range(60):
                frame = Frame()
                frame.me, frame.pixels = frame, bytearray(1 << 20)
            print("on")
        """))
        self.assertEqual((run.code, run.out), (0, "on\n"))
        self.assertIn("ValueError: in a finalizer", run.err)
        self.assertEqual(run.said(), [])

    def test_a_small_program_has_no_thread_of_ours(self):
        run = tidemark(*code("""
            import os
            print(len(os.listdir("/proc/self/task")))
        """))
        self.assertRan(run, "1\n")


if __name__ == "__main__":
    unittest.main()
