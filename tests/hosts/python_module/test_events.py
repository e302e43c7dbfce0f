"""on_event() and log(): every decision, in order, at a safe point."""
# ctest: timeout=120
import module
from module import alone, code, shimmed


class Log(module.Case):
    def test_it_says_what_was_done(self):
        self.both("""
            cycles(200)
            log = tidemark.log()
            assert [e["sequence"] for e in log] == sorted(e["sequence"] for e in log)
            fired = [e for e in log if e["verdict"] == "fired" and e["kind"] == "minor"]
            print(sum(e["footprint_before_bytes"] - e["footprint_after_bytes"] for e in fired) > 1 << 24,
                  all(e["duration_ns"] > 0 for e in fired), len(log) <= 256)
        """, "True True True\n")


class OnEvent(module.Case):
    def test_each_record_once_and_in_order(self):
        self.both("""
            events = []
            cycles(40)
            last = tidemark.log()[-1]["sequence"] if tidemark.log() else 0
            tidemark.on_event(events.append)
            cycles(400)
            tidemark.poll()
            tidemark.on_event(None)
            heard = [e["sequence"] for e in events]
            lost = sum(e["lost"] for e in events)
            assert heard == sorted(set(heard)) and len(heard) > 40
            assert heard[0] > last
            assert heard[-1] - heard[0] + 1 == len(heard) + lost - events[0]["lost"], lost
            logged = {e["sequence"]: {**e, "lost": 0} for e in tidemark.log()}
            common = [e for e in events if e["sequence"] in logged]
            assert len(common) > 20 and all(logged[e["sequence"]] == {**e, "lost": 0} for e in common)
            count = len(events)
            cycles(200)
            print(len(events) == count)
        """, "True\n")

    def test_never_inside_an_allocation(self):
        # one C function allocates 40 MiB between two bytecodes: nobody is called half way
        self.both("""
            target, heard = [], []
            tidemark.on_event(lambda event: heard.append(len(target) % 40))
            for _ in range(20):
                target.extend(map(bytes, [1 << 20] * 40))
                target.clear()
            tidemark.poll()
            print(len(heard) > 5, sum(heard))
        """, "True 0\n")

    def test_its_own_garbage_does_not_recurse(self):
        self.both("""
            depth = most = calls = 0
            def listen(event):
                global depth, most, calls
                depth += 1; calls += 1
                most = max(most, depth)
                if calls < 300:
                    cycles(8)                 # crosses again, right here
                tidemark.poll()
                depth -= 1
            tidemark.on_event(listen)
            cycles(100)
            print(most, calls > 20)
        """, "1 True\n")

    def test_what_it_raises_is_unraisable(self):
        self.both("""
            import sys
            seen = []
            sys.unraisablehook = lambda error: seen.append(repr(error.exc_value))
            def listen(event):
                raise KeyError(event["heap"])
            tidemark.on_event(listen)
            try:
                cycles(100)
                raise OSError("mine")
            except OSError as error:
                print(error, set(seen))
        """, "mine {\"KeyError('default')\"}\n")

    def test_it_can_be_replaced_from_inside(self):
        self.both("""
            order = []
            def second(event):
                order.append("second")
                tidemark.on_event(None)
            def first(event):
                order.append("first")
                tidemark.on_event(second)
            tidemark.on_event(first)
            cycles(200)
            print(order)
            for wrong in (1, "x"):
                try:
                    tidemark.on_event(wrong)
                except TypeError as error:
                    print(error)
        """, "['first', 'second']\n" + "on_event() takes a callable or None\n" * 2)

    def test_a_worker_is_heard_while_main_waits(self):
        self.both("""
            import threading
            events, who = [], set()
            def listen(event):
                events.append(event); who.add(threading.current_thread() is threading.main_thread())
            tidemark.on_event(listen)
            worker = threading.Thread(target=cycles, args=(400,))
            worker.start(); worker.join()
            print(len(events) > 5, False in who)
        """, "True True\n")

    def test_a_forked_child_goes_on(self):
        self.both("""
            import os
            events = []
            tidemark.on_event(events.append)
            cycles(50)
            if os.fork() == 0:
                count = len(events)
                cycles(100)
                numbers = [e["sequence"] for e in events]
                os._exit(0 if len(events) > count and numbers == sorted(numbers) else 9)
            print(os.wait()[1])
        """, "0\n")

    def test_a_listener_at_the_end(self):
        for text in ("tidemark.on_event(print); tidemark.on_event(lambda e: None)",
                     "tidemark.on_event(lambda e: cycles(1)); import atexit; atexit.register(cycles, 60)",
                     "import sys; sys.kept = tidemark; tidemark.on_event([].append); cycles(30)"):
            self.both(text, "")


class Interpreter(module.Case):
    def test_a_sub_interpreter_that_ends_takes_no_listener_along(self):
        self.both("""
            import _xxsubinterpreters as inner
            events = []
            tidemark.on_event(events.append)
            other = inner.create()
            inner.run_string(other, "import sys; sys.path.append('PLACE'); import tidemark")
            inner.destroy(other)
            cycles(100)
            print(len(events) > 5)
        """.replace("PLACE", str(module.PACKAGE)), "True\n")

    def test_the_listener_is_let_go(self):
        self.assertRan(alone(*code("""
            import weakref, tidemark
            tidemark.install()
            class Listener:
                def __call__(self, event): pass
            one = Listener()
            gone = weakref.ref(one)
            tidemark.on_event(one)
            del one
            assert gone() is not None
            tidemark.on_event(print)
            assert gone() is None
        """)), "")
        self.assertRan(shimmed("print(tidemark.on_event(None))"), "None\n")


if __name__ == "__main__":
    module.main()
