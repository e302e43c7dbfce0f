"""pip install . in a virtual environment, without a network; the tree that was built from is gone."""
# ctest: timeout=600 serial
import os
import subprocess
import sys
from pathlib import Path

import module
from module import ROOT, harness, skip

# Built sooner, it does the same.
QUICKLY = "-DCMAKE_C_FLAGS_RELWITHDEBINFO=-O1"

for name in ("setuptools", "wheel", "pip", "ensurepip"):
    if subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True).returncode:
        skip(f"{sys.executable} has no {name}")


def copy_of_the_tree(folder):
    """What is, or could be, committed: pip leaves files behind in the tree that it builds."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        skip("this tree is no git checkout")
    subprocess.run(["cp", "--parents", *(name for name in listed.stdout.split("\n")
                                         if name and (ROOT / name).exists()), str(folder)],
                   cwd=ROOT, check=True)


class Installed(module.Case):
    @classmethod
    def setUpClass(cls):
        import tempfile
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        source, cls.home = folder / "source", folder / "home"
        source.mkdir()
        copy_of_the_tree(source)
        cls.run_ok(sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", cls.home)
        cls.python = cls.home / "bin" / "python3"
        cls.run_ok(cls.python, "-m", "pip", "install", "--no-build-isolation", "--no-index",
                   "--no-deps", "--disable-pip-version-check", source, timeout=550)
        subprocess.run(["rm", "-rf", str(source)], check=True)
        cls.package = next((cls.home / "lib").glob("python3*/site-packages/tidemark"))

    @staticmethod
    def run_ok(*command, timeout=100, **more):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              env=harness.environment(CMAKE_ARGS=QUICKLY), check=False,
                              timeout=timeout, **more)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def test_import_and_take_over(self):
        text = module.CYCLES + """
import tidemark
tidemark.install()
cycles(300)
print(tidemark.stats()["footprint_peak_bytes"] < 100 << 20, tidemark.monitor()[:17])
tidemark.record("run.trace"); tidemark.record(None)
"""
        out = self.run_ok(self.python, "-c", text, cwd=self.home)
        self.assertEqual(out, "True http://127.0.0.1:\n")

    def test_the_command_is_in_it(self):
        show = "import tidemark; print(tidemark.installed(), tidemark.__file__)"
        out = self.run_ok(self.python, "-m", "tidemark", "run", "-c", show)
        self.assertEqual(out, f"True {self.package}/__init__.py\n")

    def test_other_interpreters_under_its_command(self):
        # one extension for all: what `tidemark run` finds is the package above its library
        from test_interpreters import FOUND
        command = self.package / "_native" / "bin" / "tidemark"
        for version, python in sorted(FOUND.items()):
            out = self.run_ok(command, "run", "--", python, "-c",
                              "import tidemark; print(tidemark.installed(), tidemark.__file__)")
            self.assertEqual(out, f"True {self.package}/__init__.py\n", version)

    def test_what_is_in_it(self):
        names = {str(path.relative_to(self.package)) for path in self.package.rglob("*")
                 if path.is_file() and "__pycache__" not in path.parts}
        sources = {path.name for path in module.SOURCE.iterdir() if path.is_file()}
        native = {f"_native/lib/{one}" for one in ("libtidemark.so.0", "libtidemark-monitor.so",
                                                   "libtidemark-preload.so")}
        self.assertEqual(names, sources | native | {"_native/bin/tidemark", "_tidemark.abi3.so"})
        wheel = next(self.package.parent.glob("tidemark-*.dist-info")) / "WHEEL"
        self.assertRegex(wheel.read_text(), r"Tag: cp38-abi3-linux_")
        self.assertTrue(os.access(self.package / "_native/bin/tidemark", os.X_OK))


if __name__ == "__main__":
    module.main()
