"""`import tidemark` under `tidemark run`: one more finder at the end, and nothing else."""
# ctest: timeout=120
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import harness
from harness import code, stock, tidemark
from test_interpreters import FOUND

LIB = Path(harness.TIDEMARK).parents[1] / "lib"


class Finder(harness.Case):
    def test_it_is_the_last_one_and_sys_path_is_as_ever(self):
        for version, python in sorted(FOUND.items()):
            for options in ((), ("-I",), ("-S",), ("-E", "-s")):
                with self.subTest(version, options=options):
                    text = "import sys; print(sys.path, sorted(sys.modules), sys.meta_path[:{}])"
                    mine = tidemark(*options, *code(text.format(-1)), python=python)
                    theirs = stock(*options, *code(text.format(99)), python=python)
                    strip = str(theirs.out).split(" object at ")[0]  # addresses differ
                    self.assertEqual((mine.code, mine.err, mine.out[:len(strip)]), (0, "", strip))

    def test_it_says_where_it_comes_from_as_a_class_would(self):
        # CPython's test_bdb asks all finders; so does any program that filters sys.meta_path
        done = tidemark(*code("import sys; print(*[f.__module__ for f in sys.meta_path])"))
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertEqual(done.out.split()[-1], "tidemark.finder")

    def test_other_names_are_not_its_business(self):
        self.assertSame(*code("""
            import sys
            for name in ("tidemarks", "tidemark_", "no.such", "gc2"):
                try:
                    __import__(name)
                except ModuleNotFoundError as error:
                    print(error)
            import importlib.util, importlib.metadata, pkgutil
            importlib.invalidate_caches()
            print(importlib.util.find_spec("tidemar"), len(list(pkgutil.iter_modules())) > 50)
            print(sum(1 for _ in importlib.metadata.distributions()) >= 0)
        """))

    def test_a_module_of_the_programs_own_comes_first(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "tidemark.py").write_text("mine = True\n")
            (Path(folder) / "app.py").write_text("import tidemark; print(tidemark.mine)\n")
            self.assertRan(tidemark(Path(folder) / "app.py"), "True\n")

    def test_without_the_package_there_is_no_such_module(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("bin/tidemark", "lib/libtidemark-preload.so"):
                (Path(folder) / name).parent.mkdir()
                shutil.copy(LIB.parent / name, Path(folder) / name)
            done = subprocess.run([Path(folder) / "bin/tidemark", "run", "--", harness.PYTHON, "-c",
                                   "import tidemark"], capture_output=True, text=True, check=False,
                                  env=harness.environment(), timeout=60)
            self.assertEqual(done.returncode, 1)
            self.assertIn("No module named 'tidemark'", done.stderr)

    @unittest.skipUnless((LIB / "tidemark/python/tidemark/__init__.py").exists(), "no package")
    def test_an_installation_has_it(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["cmake", "--install", LIB.parent, "--prefix", folder], check=True,
                           capture_output=True)
            command = Path(folder) / "bin" / "tidemark"
            text = "import tidemark.__main__ as m; print(m.find_command(), m.installed())"
            done = subprocess.run([command, "run", "--", harness.PYTHON, "-c", text],
                                  capture_output=True, text=True, check=False, timeout=60,
                                  env=harness.environment())
            self.assertEqual((done.stdout, done.stderr), (f"{command} True\n", ""))

    @unittest.skipUnless((LIB / "tidemark/python/tidemark/__init__.py").exists(), "no package")
    def test_the_package_is_found(self):
        for version, python in sorted(FOUND.items()):
            with self.subTest(version):
                run = tidemark(*code("import tidemark; print(tidemark.installed())"), python=python)
                self.assertRan(run, "True\n")


if __name__ == "__main__":
    unittest.main()
