"""limit(), budget(), policy() and record(): what `tidemark run` takes as options, from inside."""
# ctest: timeout=120
import subprocess

import module
from module import harness, program, shimmed, tidemark


class Limits(module.Case):
    def test_sizes(self):
        self.both("""
            print(tidemark.limit(soft=64 << 20, hard="1G"), tidemark.limit(soft="0.5G"))
            print(tidemark.limit(soft=0), tidemark.limit(hard=0), tidemark.limit())
            whole = tidemark.limit(hard="100%")[1]
            half = tidemark.limit(hard="50%")[1]
            print(abs(whole - 2 * half) < 4 and whole > 1 << 26)
        """, "(67108864, 1073741824) (536870912, 1073741824)\n(0, 1073741824) (0, 0) (0, 0)\nTrue\n")

    def test_wrong_sizes_change_nothing(self):
        self.both("""
            tidemark.limit(soft="100M", hard="200M")
            for wrong in ("x", "", "-1", "101%", "0%", -1, 1.5, None, True, b"1M", "9999E"):
                for kind in ("soft", "hard"):
                    try:
                        tidemark.limit(**{kind: wrong})
                    except (ValueError, TypeError):
                        pass
                    else:
                        assert wrong is None, wrong
                    assert tidemark.limit() == (100 << 20, 200 << 20), wrong
            try:
                tidemark.limit(hard="150M", soft="160M")
            except ValueError as error:
                print("above" in str(error), tidemark.limit() == (100 << 20, 200 << 20))
        """, "True True\n")

    def test_a_hard_limit_is_a_memory_error(self):
        self.both("""
            tidemark.limit(hard=tidemark.footprint() + (64 << 20))
            kept = []
            try:
                while True:
                    kept.append(bytearray(1 << 20))
            except MemoryError:
                print(len(kept), tidemark.footprint() <= tidemark.limit()[1])
            del kept
            tidemark.limit(hard=0)
            print(len(bytearray(200 << 20)))
        """.replace("print(len(kept), ", "print(40 < len(kept) < 65, "), "True True\n209715200\n")

    def test_a_soft_limit_acts_before_it_returns(self):
        self.both("""
            tidemark.policy("off")
            cycles(100)
            high = tidemark.footprint()
            tidemark.limit(soft="40M")
            print(high > 100 << 20, tidemark.footprint() < 40 << 20)
        """, "True True\n")


class Budget(module.Case):
    def test_it_holds_inside_and_is_gone_after(self):
        self.both("""
            tidemark.policy("off")
            with tidemark.budget("64M") as it:
                tidemark.reset_peak()
                cycles(300)
                inside = tidemark.stats()["footprint_peak_bytes"]
                assert isinstance(it, tidemark.budget) and tidemark.limit()[0] == 64 << 20
            print(inside < 66 << 20, tidemark.limit())
        """, "True (0, 0)\n")

    def test_nesting(self):
        self.both("""
            tidemark.limit(hard="1G")
            seen = []
            look = lambda: seen.append(tidemark.limit()[0] >> 20)
            shared = tidemark.budget("100M")
            with tidemark.budget("300M"):
                look()
                with shared:
                    look()
                    with tidemark.budget("200M"):     # a tighter one is in force
                        look()
                    with shared: look()
                    look()
                look()
            look()
            with tidemark.budget("4G"): look()        # not above hard
            print(seen, tidemark.limit())
        """, "[300, 100, 100, 100, 100, 300, 0, 1024] (0, 1073741824)\n")

    def test_extra_is_above_the_footprint(self):
        self.both("""
            base = tidemark.footprint()
            with tidemark.budget(extra="32M"):
                print(abs(tidemark.limit()[0] - base - (32 << 20)) < 1 << 20)
        """, "True\n")

    def test_what_is_set_inside_stays(self):
        self.both("""
            with tidemark.budget("64M"):
                tidemark.limit(soft="99M")
            print(tidemark.limit()[0] >> 20)
        """, "99\n")

    def test_an_exception_passes_and_it_is_undone(self):
        self.both("""
            try:
                with tidemark.budget("64M"):
                    raise KeyError("mine")
            except KeyError as error:
                print(error, tidemark.limit())
            for wrong in ((), (1, 2), ("x",), (0,)):
                try:
                    with tidemark.budget(*wrong[:1], **({"extra": 1} if wrong[1:] else {})):
                        print("entered")
                except (TypeError, ValueError):
                    pass
            print(tidemark.limit())
        """, "'mine' (0, 0)\n(0, 0)\n")


class Policy(module.Case):
    def test_the_forms_of_the_command_line(self):
        self.both("""
            print(tidemark.policy())
            for text in ("growth=50", "fixed=256M", "debt=32M", "sqrt", "sqrt=5", "shared", "off"):
                print(tidemark.policy(text)[0])
            for wrong in ("", "growth=0", "young", "fixed"):
                try:
                    tidemark.policy(wrong)
                except ValueError as error:
                    assert "is not a policy" in str(error)
            print(tidemark.policy())
        """, "('growth=100', 'bytes')\ngrowth=50\nfixed=268435456\ndebt=33554432\nsqrt\nsqrt=5\n"
             "shared\noff\n('off', 'bytes')\n")

    def test_assist_keeps_the_count(self):
        run = shimmed("""
            import gc
            print(tidemark.policy(mode="assist"), gc.get_threshold())
            before = gc.get_stats()[1]["collections"]
            kept = [[number] for number in range(50000)]      # 50000/700/10 middle collections
            print(gc.get_stats()[1]["collections"] - before > 3)
            tidemark.policy(mode="bytes")
            cycles(100)
            print(gc.get_threshold()[2], tidemark.footprint() < 60 << 20)
            try:
                tidemark.policy(mode="count")
            except ValueError as error:
                print(error)
        """, python="/usr/bin/python3")
        self.assertRan(run, "('growth=100', 'assist') (700, 10, 10)\nTrue\n1000000 True\n"
                            "a mode is 'bytes' or 'assist', not 'count'\n")


class Record(module.Case):
    def test_a_recording_can_be_replayed(self):
        for way in (module.live, module.shimmed):
            path = self.folder() / "run.trace"
            self.assertRan(way(f"""
                import pathlib
                tidemark.record(pathlib.Path({str(path)!r}))
                try:
                    tidemark.record({str(path)!r})
                except BlockingIOError:
                    print("busy")
                cycles(200)
                tidemark.record(None)
                try:
                    tidemark.record(None)
                except ValueError:
                    print("none")
                try:
                    tidemark.record("/no/such/folder/x")
                except FileNotFoundError:
                    print("where")
            """), "busy\nnone\nwhere\n")
            done = subprocess.run([harness.TIDEMARK, "replay", str(path), "--policy", "growth=50"],
                                  capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("growth=50", done.stdout)

    def test_one_that_the_command_began_is_left_alone(self):
        path = self.folder() / "run.trace"
        run = tidemark(*program("""
            try:
                tidemark.record("other.trace")
            except BlockingIOError:
                print("busy")
        """), options=["--record", str(path)])
        self.assertRan(run, "busy\n")


if __name__ == "__main__":
    module.main()
