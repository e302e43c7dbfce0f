"""install(): what import changes (nothing), the take-over of a program that runs, and refusals."""
# ctest: timeout=300
import sys

import module
from module import MIB, alone, code, live, program, shimmed, tidemark

sys.path.insert(0, str(module.ROOT / "tests" / "hosts" / "cpython"))
from test_interpreters import FOUND  # noqa: E402


class Import(module.Case):
    def test_it_changes_nothing(self):
        self.assertRan(alone(*code("""
            import gc, sys, threading
            before = gc.get_threshold(), list(sys.path), list(sys.meta_path), gc.callbacks[:]
            modules = set(sys.modules)
            import tidemark
            assert before == (gc.get_threshold(), sys.path, sys.meta_path, gc.callbacks)
            assert set(sys.modules) - modules == {"tidemark", "tidemark._tidemark"}, modules
            assert threading.active_count() == 1
            big = bytearray(64 << 20), [object() for _ in range(100000)]
            assert not tidemark.installed() and tidemark.footprint() == 0
            print("on")
        """)), "on\n")

    def test_what_acts_needs_the_take_over(self):
        self.assertRan(alone(*program("""
            for call in (lambda: tidemark.limit(soft="1G"), lambda: tidemark.policy("off"),
                         lambda: tidemark.on_event(print), lambda: tidemark.record("x"),
                         lambda: tidemark.budget("1G").__enter__()):
                try:
                    call()
                except RuntimeError as error:
                    assert "tidemark.install()" in str(error)
                else:
                    raise SystemExit("not refused")
            print(tidemark.limit(), tidemark.policy()[1], tidemark.log())
        """)), "(0, 0) bytes []\n")

    def test_under_the_shim_it_is_there_already(self):
        self.assertRan(shimmed("""
            tidemark.install()
            print(tidemark.installed(), tidemark.footprint() > 1 << 20)
        """), "True True\n")

    def test_a_library_of_another_version_is_refused(self):
        # as a program under an older `tidemark run` would find it
        lie = self.folder() / "lie.c"
        lie.write_text('const char *tm_version(void) { return "0.0.1"; }\n')
        library = lie.with_suffix(".so")
        self.compile(lie, "-shared", "-fPIC", "-o", library)
        run = alone(*code("import tidemark"), env={"LD_PRELOAD": str(library)})
        self.assertEqual(run.code, 1)
        self.assertIn("another version of tidemark (0.0.1)", run.err)


class TakeOver(module.Case):
    def test_garbage_is_collected_on_bytes(self):
        def check(python):
            run = live("""
                cycles(500)
                peak = tidemark.stats()["footprint_peak_bytes"]
                assert peak < 100 << 20, peak
                assert tidemark.stats()["family_mismatches_total"] == 0
                print("on")
            """, python=python)
            self.assertRan(run, "on\n")

        for version, path in sorted(FOUND.items()):
            with self.subTest(version):
                check(path)

    def test_old_blocks_go_back_to_where_they_came_from(self):
        def check(python):
            run = alone(*code("""
                import sys
                old = [[number, str(number), {number: [number]}, bytearray(number % 3000)]
                       for number in range(100000)]
                sys.old = list(map(str, range(100000)))             # freed by the interpreter's end
                import tidemark
                tidemark.install()
                before = tidemark.stats()
                for row in old[::2]:
                    row[3].extend(b"more" * 100)                    # a foreign realloc
                    row[2].update((key, key) for key in range(20))
                new = [[number, {number: number}] for number in range(50000)]
                del old
                tidemark.trim()
                after = tidemark.stats()
                assert after["family_mismatches_total"] == 0
                assert after["allocs_total"] > before["allocs_total"] + 50000
                print("on")
            """), python=python)
            self.assertRan(run, "on\n")

        for version, path in sorted(FOUND.items()):
            with self.subTest(version):
                check(path)

    def test_twice_is_once(self):
        self.assertRan(live("""
            for _ in range(100):
                tidemark.install()
            print(tidemark.installed())
        """), "True\n")

    def test_while_threads_allocate(self):
        run = alone(*program("""
            import sys, threading
            sys.setswitchinterval(1e-5)
            done, kept = threading.Event(), [[] for _ in range(4)]
            def work(mine):
                while not done.is_set():
                    mine.append([dict(a=1), "x" * 700, bytearray(5000)])
                    if len(mine) > 200:
                        del mine[:100]
            threads = [threading.Thread(target=work, args=(mine,)) for mine in kept]
            for thread in threads: thread.start()
            while not all(kept): pass
            tidemark.install()
            for _ in range(50):
                cycles(4)
            done.set()
            for thread in threads: thread.join()
            for mine in kept: mine.clear()
            print(tidemark.stats()["family_mismatches_total"])
        """))
        self.assertRan(run, "0\n")

    def test_thresholds_of_the_program_stay(self):
        self.assertRan(alone(*program("""
            import gc
            gc.set_threshold(500, 5, 5)
            tidemark.install()
            cycles(50)
            print(gc.get_threshold())
            tidemark.policy(mode="assist"); tidemark.policy(mode="bytes")
            print(gc.get_threshold())
        """)), "(500, 5, 5)\n" * 2)

    def test_fork(self):
        self.both("""
            import os
            cycles(50)
            for _ in range(3):
                if os.fork() == 0:
                    cycles(200)
                    ok = tidemark.installed() and tidemark.footprint() < 60 << 20
                    os._exit(0 if ok else 9)
                assert os.wait()[1] == 0
            cycles(50)
            print("on")
        """, "on\n")

    def test_multiprocessing_and_subprocess(self):
        script = self.folder() / "jobs.py"
        script.write_text(module.CYCLES + "\n".join((
            "import multiprocessing, os, subprocess, sys, tidemark",
            "def job(number):",
            "    if os.environ.get('LATE'): tidemark.install()",
            "    cycles(60)",
            "    return number if tidemark.footprint() < 60 << 20 else -1",
            "if __name__ == '__main__':",
            "    if os.environ.get('LATE'): tidemark.install()",
            "    for way in ('fork', 'spawn', 'forkserver'):",
            "        with multiprocessing.get_context(way).Pool(2) as pool:",
            "            print(sum(pool.map(job, range(8))))",
            "    print(subprocess.run([sys.executable, '-c', 'print(7)'],",
            "                         capture_output=True).stdout)")))
        out = "28\n28\n28\nb'7\\n'\n"
        self.assertRan(tidemark(script), out)
        self.assertRan(alone(script, env={"LATE": "1"}), out)

    def test_nothing_is_left_at_the_end(self):
        run = tidemark(*program("""
            tidemark.on_event(lambda event: None)
            with tidemark.budget("32M"):
                cycles(100)
        """))
        self.assertRan(run)
        self.assertLess(run.heap["live_bytes"], MIB)


class Refusal(module.Case):
    def refused(self, run, *words):
        self.assertEqual((run.code, run.err), (0, ""))
        for word in words:
            self.assertIn(word, run.out)

    TRY = """
        import gc, sys
        try:
            tidemark.install()
        except RuntimeError as error:
            print(error)
        assert not tidemark.installed()
        cycles(60)
        assert tidemark.footprint() == 0 and gc.get_threshold()[2] == 10
    """

    def test_while_tracemalloc_traces(self):
        self.refused(alone(*program(self.TRY, "import tracemalloc; tracemalloc.start()\n")),
                     "tracemalloc is tracing")
        self.refused(alone("-X", "tracemalloc", *program(self.TRY)), "tracemalloc is tracing")

    def test_with_debug_hooks(self):
        for mode in ("debug", "malloc_debug", "pymalloc_debug"):
            run = alone(*program(self.TRY), env={"PYTHONMALLOC": mode})
            self.refused(run, "PYTHONMALLOC", "debug hooks")
        self.refused(alone("-X", "dev", *program(self.TRY)), "-X dev")

    def test_in_a_sub_interpreter(self):
        inner = ("import tidemark\\ntry: tidemark.install()\\n"
                 "except RuntimeError as error: print(error, flush=True)")
        run = alone(*code(f"""
            import _xxsubinterpreters as inner
            inner.run_string(inner.create(), "{inner}")
        """))
        self.refused(run, "only the main interpreter")

    def test_when_the_interpreter_displaced_the_shim(self):
        run = shimmed("""
            try:
                tidemark.install()
            except RuntimeError as error:
                print(error)
            print(tidemark.installed())
        """, env={"PYTHONMALLOC": "pymalloc", "PYTHONPATH": str(module.PACKAGE)})
        self.assertEqual(run.code, 0)
        self.assertIn("in our place\nFalse\n", run.out)

    def test_other_plain_allocators_are_no_reason(self):
        for mode in ("malloc", "pymalloc", "default"):
            run = live("cycles(60); print(tidemark.footprint() < 60 << 20)",
                       env={"PYTHONMALLOC": mode})
            self.assertRan(run, "True\n")

    def test_tracemalloc_afterwards(self):
        self.assertRan(live("""
            import tracemalloc
            tracemalloc.start()
            kept = [bytearray(1 << 20) for _ in range(20)]
            print(tracemalloc.get_traced_memory()[0] > 20 << 20, tidemark.installed())
            cycles(60)
            tracemalloc.stop()
            del kept
            cycles(60)
            print(tidemark.installed(), tidemark.footprint() < 60 << 20)
        """), "True True\nTrue True\n")


if __name__ == "__main__":
    module.main()
