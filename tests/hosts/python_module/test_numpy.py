"""numpy's data is in the books: by the shim, and by a handler after a take-over."""
# ctest: timeout=120
import subprocess
import sys

import module
from module import live, shimmed, skip

if subprocess.run([sys.executable, "-c", "import numpy"], capture_output=True).returncode:
    skip(f"{sys.executable} has no numpy")

GROWTH = """
    import numpy
    def grown(make):
        before = tidemark.footprint()
        array = make()
        return tidemark.footprint() - before > 60 << 20  # a collection may come in between
    sixty_four = lambda: numpy.ones(8 << 20)
"""


class Numpy(module.Case):
    def test_the_shim_sees_arrays(self):
        self.assertRan(shimmed(GROWTH + "    print(grown(sixty_four))"), "True\n")

    def test_a_take_over_sees_them_when_it_is_told_to(self):
        self.assertRan(live(GROWTH + """
    print(grown(sixty_four))
    tidemark.take_numpy()
    print(grown(sixty_four))
    tidemark.take_numpy(False)
    print(grown(sixty_four))
"""), "False\nTrue\nFalse\n")

    def test_each_array_goes_back_to_where_it_came_from(self):
        self.both("""
            import numpy
            arrays = []
            for number in range(300):
                tidemark.take_numpy(number % 2 == 0)
                arrays.append(numpy.arange(number * 50))
                arrays.append(numpy.zeros((number, 7)))
            for number, array in enumerate(arrays):
                if array.ndim == 1:
                    array.resize(array.size * 3 + 1, refcheck=False)
                    arrays[number] = numpy.concatenate([array, array[:9]])
            total = sum(float(array.sum()) for array in arrays)
            before = tidemark.footprint()
            arrays.clear()
            print(int(total), tidemark.stats()["family_mismatches_total"],
                  tidemark.footprint() < before)
        """, None)

    def test_zeros_are_not_written(self):
        run = live("""
            import numpy, resource
            tidemark.take_numpy()
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            array = numpy.zeros(32 << 20)                    # 256 MiB, of which nothing is touched
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(after - before < 64 << 10, float(array[:10].sum()))
        """)
        self.assertRan(run, "True 0.0\n")

    def test_cycles_of_arrays_are_collected(self):
        run = live("""
            import numpy
            tidemark.take_numpy()
            class Frame: pass
            for _ in range(300):
                frame = Frame()
                frame.me, frame.pixels = frame, numpy.ones(1 << 17)
            print(tidemark.stats()["footprint_peak_bytes"] < 100 << 20)
        """)
        self.assertRan(run, "True\n")

    def test_a_thread_asks_for_itself(self):
        self.assertRan(live("""
            import numpy, threading
            tidemark.take_numpy()
            seen = []
            def work(own):
                if own:
                    tidemark.take_numpy()
                before = tidemark.footprint()
                array = numpy.ones(8 << 20)
                seen.append(tidemark.footprint() - before > 60 << 20)
            for own in (False, True):
                thread = threading.Thread(target=work, args=(own,))
                thread.start(); thread.join()
            print(seen)
        """), "[False, True]\n")

    def test_without_the_take_over_it_is_refused(self):
        self.assertRan(module.alone(*module.program("""
            try:
                tidemark.take_numpy()
            except RuntimeError as error:
                print("tidemark.install()" in str(error))
        """)), "True\n")


if __name__ == "__main__":
    module.main()
