"""How the host comes and goes: start-up, what undoes it, finalize, and being wrapped."""
# ctest: timeout=300
import unittest

import harness
from harness import MIB, code, stock, tidemark

CYCLES = """
    class Frame: pass
    for number in range(300):
        frame = Frame()
        frame.me, frame.pixels = frame, bytearray(1 << 20)
"""


class Displaced(harness.Case):
    def says_once(self, run, *words):
        self.assertEqual(run.code, 0)
        self.assertEqual(len(run.said()), 1, run.err)
        for word in words:
            self.assertIn(word, run.err)

    def test_pythonmalloc_is_said_once(self):
        for mode in ("default", "malloc", "pymalloc", "debug", "malloc_debug", "pymalloc_debug"):
            with self.subTest(mode):
                run = tidemark(*code("print('on')"), env={"PYTHONMALLOC": mode})
                self.says_once(run, "PYTHONMALLOC=" + mode)
                self.assertEqual(run.out, "on\n")

    def test_it_is_said_once_in_a_long_program_too(self):
        for mode in ("malloc", "pymalloc"):
            with self.subTest(mode):
                run = tidemark(*code(CYCLES), env={"PYTHONMALLOC": mode})
                self.says_once(run, "PYTHONMALLOC=" + mode)

    def test_development_mode_is_said_once(self):
        run = tidemark("-X", "dev", *code("print('on')"))
        self.says_once(run, "-X dev")

    def test_pythons_own_schedule_stays(self):
        run = tidemark(*code(CYCLES + "    import gc; print(gc.get_threshold())"),
                       env={"PYTHONMALLOC": "pymalloc"})
        self.assertEqual(run.out, stock(*code("import gc; print(gc.get_threshold())")).out)

    def test_an_ignored_pythonmalloc_is_not_said(self):
        for option in ("-E", "-I"):
            self.assertRan(tidemark(option, *code("print('on')"), env={"PYTHONMALLOC": "malloc"}))

    def test_an_empty_pythonmalloc_is_not_said(self):
        self.assertRan(tidemark(*code("print('on')"), env={"PYTHONMALLOC": ""}))

    def test_a_forked_child_does_not_repeat_it(self):
        run = tidemark(*code("""
            import os
            for _ in range(3):
                if os.fork() == 0:
                    raise SystemExit(0)
                os.wait()
        """), env={"PYTHONMALLOC": "malloc"})
        self.says_once(run)

    def test_options_that_end_before_python_runs(self):
        self.assertSame("--version")
        self.assertSame("-c", "raise SystemExit(3)")
        self.assertSame("-c", "def :")


class Wrapped(harness.Case):
    TRACED = """
        import tracemalloc
        tracemalloc.start()
        data = [bytearray(1 << 20) for _ in range(40)]
        print(tracemalloc.get_traced_memory()[0] > 40 << 20)
        tracemalloc.stop()
        del data
        class Frame: pass
        for number in range(200):
            frame = Frame()
            frame.me, frame.pixels = frame, bytearray(1 << 20)
        print("on")
    """

    def test_tracemalloc_from_inside(self):
        run = tidemark(*code(self.TRACED))
        self.assertRan(run, "True\non\n")
        self.assertGreater(run.collections(), 0)

    def test_tracemalloc_from_the_start(self):
        for arguments, env in ((["-X", "tracemalloc"], {}), ([], {"PYTHONTRACEMALLOC": "5"})):
            run = tidemark(*arguments, *code(self.TRACED), env=env)
            self.assertRan(run, "True\non\n")
            self.assertGreater(run.collections(), 0)

    def test_tracemalloc_left_running(self):
        run = tidemark(*code("import tracemalloc; tracemalloc.start()\n" + GROW))
        self.assertRan(run, "on\n")

    def test_thresholds_under_tracemalloc(self):
        run = tidemark("-X", "tracemalloc", *code("import gc; print(gc.get_threshold()[2] > 10000)"))
        self.assertRan(run, "True\n")


GROW = """
class Frame: pass
for number in range(200):
    frame = Frame()
    frame.me, frame.pixels = frame, bytearray(1 << 20)
print("on")
"""


class End(harness.Case):
    def test_garbage_up_to_the_last_moment(self):
        run = self.assertSame(*code("""
            import atexit, sys
            class Frame:
                def __del__(self):
                    bytearray(1 << 20)
            def make(count):
                for number in range(count):
                    frame = Frame()
                    frame.me, frame.pixels = frame, bytearray(1 << 20)
            atexit.register(make, 100)
            make(100)
            sys.kept = [Frame() for _ in range(100)]    # dies while the interpreter does
            print("on")
        """))
        self.assertGreater(run.collections(), 0)

    def test_a_daemon_thread_allocates_through_the_end(self):
        for _ in range(10):
            run = tidemark(*code("""
                import threading, time
                def make():
                    class Frame: pass
                    while True:
                        frame = Frame()
                        frame.me, frame.pixels = frame, bytearray(1 << 18)
                for _ in range(3):
                    threading.Thread(target=make, daemon=True).start()
                time.sleep(0.05)
                print("on")
            """))
            self.assertRan(run, "on\n")

    def test_a_request_that_is_still_open(self):
        # the worker crosses the trip, main ends at once: the collector thread comes too late
        for _ in range(20):
            run = tidemark(*code("""
                import threading
                data = []
                worker = threading.Thread(target=lambda: data.append(bytearray(64 << 20)))
                worker.start(); worker.join()
            """))
            self.assertRan(run, "")

    def test_exit_without_an_end(self):
        self.assertSame(*code(GROW + "import os, sys; sys.stdout.flush(); os._exit(7)"))

    def test_everything_is_given_back(self):
        run = tidemark(*code(GROW))
        self.assertLess(run.heap["live_bytes"], MIB)


if __name__ == "__main__":
    unittest.main()
