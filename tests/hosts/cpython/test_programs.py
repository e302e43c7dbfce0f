"""The demo's programs: the same output as without Tidemark, and the bytes that the demo promises.

What is bounded here is counted by the heap itself, not timed: it holds on a busy machine too.
"""
# ctest: timeout=300
import unittest

import harness
from harness import MIB, PROGRAMS, tidemark

# What is alive at once, at most; the garbage of a whole run is 1,500 MiB each.
LIVE = {"cycles": 8 * MIB, "worker": 8 * MIB, "caches": 10 * MIB}


class Programs(harness.Case):
    def program(self, name):
        return self.assertSame(PROGRAMS / f"{name}.py")

    def test_buffer_cycles_are_collected_on_bytes(self):
        run = self.program("cycles")
        self.assertGreater(run.heap["allocated_bytes_total"], 1500 * MIB)
        self.assertGreater(run.collections(), 10)
        # stock Python holds 700 of them at a time
        self.assertLess(run.heap["footprint_peak_bytes"], LIVE["cycles"] + 250 * MIB)

    def test_a_worker_is_collected_while_main_waits(self):
        run = self.program("worker")
        self.assertGreater(run.collections(), 3)
        # without the collector thread nothing is collected before the join returns
        self.assertLess(run.heap["footprint_peak_bytes"], LIVE["worker"] + 300 * MIB)

    def test_caches_with_back_references(self):
        run = self.program("caches")
        self.assertGreater(run.collections(), 10)
        self.assertLess(run.heap["footprint_peak_bytes"], LIVE["caches"] + 150 * MIB)

    def test_a_program_that_builds_is_left_alone(self):
        run = self.program("build")
        self.assertGreater(run.heap["footprint_peak_bytes"], 150 * MIB)
        self.assertLess(run.runs("full"), 8)

    def test_an_ordinary_program(self):
        run = self.program("ordinary")
        self.assertLess(run.runs("full"), 8)

    def test_a_soft_limit_is_kept(self):
        run = tidemark(PROGRAMS / "cycles.py", options=["--soft", "48M"])
        self.assertRan(run)
        self.assertEqual(run.heap["soft_limit_bytes"], 48 * MIB)
        self.assertLess(run.heap["footprint_peak_bytes"], 100 * MIB)

    def test_the_hard_limit_is_a_memory_error(self):
        run = tidemark(*harness.code("""
            try:
                held = [bytearray(1 << 20) for _ in range(200)]
            except MemoryError:
                held = None
                print("MemoryError")
        """), options=["--hard", "64M"])
        self.assertRan(run, "MemoryError\n")
        self.assertLessEqual(run.heap["footprint_peak_bytes"], 64 * MIB)
        self.assertGreater(run.heap["failures_total"]["limit"], 0)


class Books(harness.Case):
    def test_objects_are_in_the_pool_of_their_domain(self):
        run = tidemark(*harness.code("data = [bytes(100) for _ in range(100000)]"))
        pools = {pool["name"]: pool for pool in run.heap["pools"]}
        self.assertGreater(pools["obj"]["allocated_bytes_total"], 10 * MIB)
        self.assertGreater(pools["mem"]["allocs_total"], 1000)
        self.assertGreater(pools["raw"]["allocs_total"], 100)

    def test_no_block_goes_home_to_another_family(self):
        for name in ("ordinary", "worker"):
            run = tidemark(PROGRAMS / f"{name}.py")
            self.assertEqual(run.heap["family_mismatches_total"], 0)


if __name__ == "__main__":
    unittest.main()
