"""An outside program finds an installed Tidemark, by find_package and by pkg-config, and works.

The tree is moved after it was installed: nothing in it may know where it was built.
"""
# ctest: timeout=240
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

BUILD = Path(os.environ["TIDEMARK_BUILD"])
SOURCE = Path(os.environ["TIDEMARK_SOURCE"])
HERE = Path(__file__).resolve().parent
PARTS = [part for part in ("pymem", "monitor") if (BUILD / f"lib/libtidemark-{part}.so").exists()]


def run(*command, **more):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)
    if result.returncode:
        raise AssertionError(f"{command}: {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.cc = os.environ.get("CC", "cc")
        run("cmake", "--install", BUILD, "--prefix", cls.folder / "first")
        cls.prefix = cls.folder / "moved here"
        (cls.folder / "first").rename(cls.prefix)
        cls.lib = next(cls.prefix.rglob("libtidemark.so")).parent
        cls.version = re.search(r'TM_VERSION_STRING "(.*)"',
                                (SOURCE / "include/tidemark/version.h").read_text()).group(1)

    def works(self, program, **env):
        out = run(program, env={**os.environ, **env})
        self.assertEqual(out, f"tidemark {self.version}\n")

    def test_everything_is_there(self):
        names = {str(path.relative_to(self.prefix)) for path in self.prefix.rglob("*")}
        for header in (SOURCE / "include/tidemark").iterdir():
            self.assertIn(f"include/tidemark/{header.name}", names)
        self.assertTrue((self.lib / "libtidemark.a").exists())
        for library in ("tidemark", *(f"tidemark-{part}" for part in PARTS)):
            self.assertTrue((self.lib / "pkgconfig" / f"{library}.pc").exists(), library)
        for built, installed in (("bin/tidemark", self.prefix / "bin/tidemark"),
                                 ("lib/libtidemark-preload.so", self.lib / "libtidemark-preload.so")):
            self.assertEqual((BUILD / built).exists(), installed.exists(), built)

    def test_nothing_knows_where_it_was_built(self):
        for path in [*self.prefix.rglob("*.cmake"), *self.prefix.rglob("*.pc")]:
            text = path.read_text()
            self.assertNotIn(str(BUILD), text, path.name)
            self.assertNotIn(str(self.folder / "first"), text, path.name)

    def pkg_config(self, *arguments):
        env = {**os.environ, "PKG_CONFIG_PATH": str(self.lib / "pkgconfig")}
        # a prefix with a blank comes back escaped, for the shell
        return run("pkg-config", *arguments, env=env).strip()

    def test_pkg_config(self):
        for part in ("", *PARTS):
            name = f"tidemark-{part}" if part else "tidemark"
            self.assertEqual(self.pkg_config("--modversion", name), self.version)
            program = self.folder / f"by-pkg-config-{name}"
            flags = self.pkg_config("--cflags", "--libs", name)
            define = f"-DWITH_{part.upper()}" if part else ""
            run("sh", "-c", f'{self.cc} -std=c11 {define} "{HERE}/consumer.c" -o "{program}" {flags}')
            self.works(program, LD_LIBRARY_PATH=str(self.lib))

    def test_static(self):
        # --static alone would still take the shared library where there are both
        program = self.folder / "static"
        flags = self.pkg_config("--cflags", "--static", "--libs", "tidemark")
        flags = flags.replace("-ltidemark", "-l:libtidemark.a")
        run("sh", "-c", f'{self.cc} -std=c11 "{HERE}/consumer.c" -o "{program}" {flags}')
        self.works(program)

    def test_find_package(self):
        project = self.folder / "project"
        project.mkdir()
        shutil.copy(HERE / "consumer.c", project)
        targets = " ".join(["static", "tidemark", *PARTS])
        (project / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(outside C)\n"
            f"find_package(tidemark {self.version} REQUIRED COMPONENTS {' '.join(PARTS)})\n"
            f"foreach(part {targets})\n  add_executable(with-${{part}} consumer.c)\n"
            "  string(TOUPPER ${part} upper)\n"
            "  target_compile_definitions(with-${part} PRIVATE WITH_${upper})\n"
            "  target_link_libraries(with-${part} PRIVATE tidemark::${part})\nendforeach()\n")
        run("cmake", "-S", project, "-B", project / "build", f"-DCMAKE_C_COMPILER={self.cc}",
            f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", project / "build")
        for target in targets.split():
            self.works(project / "build" / f"with-{target}")

    def test_a_part_that_is_not_there_is_refused(self):
        project = self.folder / "refused"
        project.mkdir()
        (project / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(outside C)\n"
            "find_package(tidemark REQUIRED COMPONENTS teapot)\n")
        with self.assertRaisesRegex(AssertionError, "teapot"):
            run("cmake", "-S", project, "-B", project / "build",
                f"-DCMAKE_PREFIX_PATH={self.prefix}")

    def test_examples_build_outside(self):
        out = self.folder / "examples"
        run("cmake", "-S", SOURCE / "examples", "-B", out, f"-DCMAKE_C_COMPILER={self.cc}",
            f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", out, "-j", "2")
        built = [path.stem for path in (SOURCE / "examples").glob("[0-9][0-9]_*.c")]
        self.assertEqual(sorted(n for n in built if not (out / n).exists()), [])


if __name__ == "__main__":
    unittest.main()
