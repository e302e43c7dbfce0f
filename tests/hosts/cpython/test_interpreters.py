"""One binary for every CPython from 3.8 to 3.13: those that are on this machine."""
# ctest: timeout=300
import glob
import os
import subprocess
import unittest

import harness
from harness import MIB, PROGRAMS, code, tidemark

SUPPORTED = {(3, minor) for minor in range(8, 14)}


def interpreters():
    """{version: path}, one of each; from PATH and from what pyenv has installed."""
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    paths = [harness.PYTHON]
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        paths += sorted(glob.glob(os.path.join(folder, "python3.[0-9]*")))
    paths += sorted(glob.glob(os.path.join(pyenv, "versions", "3.*", "bin", "python3")))
    found = {}
    for path in paths:
        try:
            done = subprocess.run([path, "-c", "import sys; print(*sys.version_info[:2])"],
                                  capture_output=True, text=True, timeout=20,
                                  env=harness.environment(), check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        version = tuple(map(int, done.stdout.split())) if done.returncode == 0 else ()
        if version in SUPPORTED and version not in found:
            found[version] = path
    return found


FOUND = interpreters()


class Interpreters(harness.Case):
    def each(self, check, oldest=(3, 8)):
        """Calls check(path) for each interpreter, all of them, whatever the others do."""
        for version, path in sorted(FOUND.items()):
            with self.subTest("python %d.%d" % version):
                if version >= oldest:
                    check(path)

    def test_cycles_are_collected_on_bytes(self):
        def check(python):
            run = tidemark(PROGRAMS / "cycles.py", python=python)
            self.assertRan(run, "1500 frames, checksum 5d790646\n")
            self.assertGreater(run.collections(), 10)
            self.assertLess(run.heap["footprint_peak_bytes"], 300 * MIB)
            self.assertEqual(run.heap["family_mismatches_total"], 0)

        self.each(check)

    def test_a_worker_is_collected_while_main_waits(self):
        def check(python):
            run = tidemark(PROGRAMS / "worker.py", python=python)
            self.assertEqual((run.code, run.err), (0, ""))
            self.assertGreater(run.collections(), 3)

        self.each(check)

    def test_count_based_collection_is_stretched(self):
        def check(python):
            run = tidemark(*code("import gc; print(gc.isenabled(), gc.get_threshold()[0])"),
                           python=python)
            self.assertRan(run, "True 2000\n")

        self.each(check)

    def test_forked_children(self):
        def check(python):
            self.assertSame(*code("""
                import os
                class Frame: pass
                def make(count):
                    for number in range(count):
                        frame = Frame()
                        frame.me, frame.pixels = frame, bytearray(1 << 20)
                make(60)
                for _ in range(3):
                    if os.fork() == 0:
                        make(60)
                        os._exit(5)
                    print(os.wait()[1])
                make(60)
            """), python=python)

        self.each(check)

    def test_displacement_is_said(self):
        def check(python):
            run = tidemark(*code("print('on')"), python=python, env={"PYTHONMALLOC": "malloc"})
            self.assertEqual((run.code, run.out, len(run.said())), (0, "on\n", 1), run.err)

        self.each(check)

    def test_threads_through_the_end(self):
        def check(python):
            for _ in range(3):
                run = tidemark(*code("""
                    import threading, time, atexit
                    class Frame: pass
                    def make():
                        while True:
                            frame = Frame()
                            frame.me, frame.pixels = frame, bytearray(1 << 18)
                    threading.Thread(target=make, daemon=True).start()
                    atexit.register(bytearray, 64 << 20)
                    time.sleep(0.03)
                """), python=python)
                self.assertRan(run, "")

        # 3.8 refuses pending calls from its exit functions on, and says so on standard error
        self.each(check, oldest=(3, 9))


if __name__ == "__main__":
    print("found:", ", ".join("%d.%d" % version for version in sorted(FOUND)))
    unittest.main()
