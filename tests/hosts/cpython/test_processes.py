"""Processes and threads: fork, pools of workers, subprocesses, signals, exit codes."""
# ctest: timeout=300
import signal
import unittest

import harness
from harness import MIB, code, tidemark

MAKE = """
class Frame: pass
def make(count):
    for number in range(count):
        frame = Frame()
        frame.me, frame.pixels = frame, bytearray(1 << 20)
def held():
    import gc
    return sum(type(o) is Frame for o in gc.get_objects())
"""


class Ends(harness.Case):
    def test_exit_codes(self):
        for status in (0, 1, 3, 255):
            self.assertSame("-c", f"raise SystemExit({status})")
        self.assertSame("-c", "raise SystemExit('a sentence')")
        self.assertSame("-c", "1 / 0")

    def test_signals(self):
        for name in (signal.SIGTERM, signal.SIGKILL, signal.SIGABRT, signal.SIGINT):
            with self.subTest(name):
                end = f"make(80)\nimport os\nos.kill(os.getpid(), {int(name)})"
                run = self.assertSame("-c", MAKE + end)
                self.assertNotEqual(run.code, 0)

    def test_a_signal_reaches_a_waiting_main_thread(self):
        # the collector thread is there by now, and must not take the signal
        self.assertSame("-c", MAKE + """
import os, signal, threading, time
class Rung(Exception): pass
def ring(*_): raise Rung
signal.signal(signal.SIGALRM, ring)
make(100)
signal.setitimer(signal.ITIMER_REAL, 0.05)
try:
    time.sleep(60)
except Rung:
    print("rung")
""")


class Forks(harness.Case):
    def test_children_collect_for_themselves(self):
        run = tidemark(*code(MAKE + """
import os
make(60)
for _ in range(4):
    child = os.fork()
    if child == 0:
        make(300)
        os._exit(0 if held() < 250 else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
make(300)
print(held() < 250)
"""))
        self.assertRan(run, "0\n" * 4 + "True\n")

    def test_a_fork_among_threads_that_allocate(self):
        run = tidemark(*code(MAKE + """
import os, threading
stop = False
def work():
    while not stop:
        make(3)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
codes = set()
for _ in range(30):
    child = os.fork()
    if child == 0:
        make(60)
        os._exit(5)
    codes.add(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
stop = True
for thread in threads: thread.join()
print(codes)
"""))
        self.assertEqual((run.code, run.out), (0, "{5}\n"))
        self.assertEqual(run.said(), [])

    def test_a_child_of_a_child_that_starts_threads(self):
        run = tidemark(*code(MAKE + """
import os, threading
make(60)
if os.fork() == 0:
    if os.fork() == 0:
        worker = threading.Thread(target=make, args=(400,))
        worker.start(); worker.join()
        os._exit(0 if held() < 350 else 1)
    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""))
        self.assertRan(run, "0\n")

    def test_a_forked_child_under_tracemalloc(self):
        run = tidemark("-X", "tracemalloc", *code(MAKE + """
import os
make(60)
if os.fork() == 0:
    make(100)
    os._exit(4)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""))
        self.assertRan(run, "4\n")

    def test_multiprocessing(self):
        for method in ("fork", "spawn", "forkserver"):
            with self.subTest(method):
                self.assertSame(*code(f"""
                    import multiprocessing
                    if __name__ == "__main__":
                        context = multiprocessing.get_context("{method}")
                        with context.Pool(3) as pool:
                            print(sum(pool.map(len, [bytes(1 << 18)] * 200)))
                """))

    def test_subprocess(self):
        self.assertSame(*code("""
            import subprocess, sys
            command = [sys.executable, "-c", "print(len(bytearray(30 << 20)))"]
            print(subprocess.run(command, capture_output=True, text=True).stdout)
            print(subprocess.run(command, preexec_fn=int, stdout=subprocess.PIPE).returncode)
            print(subprocess.run("exit 9", shell=True).returncode)
        """))


class Threads(harness.Case):
    def test_many_threads(self):
        run = tidemark(*code(MAKE + """
import threading
threads = [threading.Thread(target=make, args=(60,)) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("on")
"""))
        self.assertRan(run, "on\n")
        self.assertGreater(run.collections(), 0)

    def test_main_waits_in_c(self):
        # not in join but in a call that never comes back to a bytecode while the worker works
        run = tidemark(*code(MAKE + """
import os, threading
read, write = os.pipe()
def work():
    make(800)
    os.write(write, b"x")
threading.Thread(target=work).start()
os.read(read, 1)
"""))
        self.assertRan(run, "")
        self.assertLess(run.heap["footprint_peak_bytes"], 400 * MIB)

    def test_asyncio_and_executors(self):
        self.assertSame(*code(MAKE + """
import asyncio
from concurrent.futures import ThreadPoolExecutor
async def main():
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(4) as pool:
        await asyncio.gather(*(loop.run_in_executor(pool, make, 20) for _ in range(12)))
asyncio.run(main())
print("on")
"""))

    def test_finalizers_run_on_in_the_collector_thread(self):
        run = tidemark(*code("""
            import threading
            names = set()
            class Frame:
                def __del__(self): names.add(threading.current_thread() is threading.main_thread())
            def work():
                for number in range(400):
                    frame = Frame()
                    frame.me, frame.pixels = frame, bytearray(1 << 20)
            worker = threading.Thread(target=work)
            worker.start(); worker.join()
            print(False in names)
        """))
        self.assertRan(run, "True\n")


if __name__ == "__main__":
    unittest.main()
