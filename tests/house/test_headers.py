"""Each public header compiles alone, twice in a row, in C11, C17 and C++17, without a warning."""
import shutil
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from source import ROOT

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wundef", "-Werror"]
# (compiler, language, standard)
WAYS = [(cc, "c", std) for cc in ("gcc", "clang-14") for std in ("c11", "c17")]
WAYS += [("g++", "c++", "c++17"), ("clang++-14", "c++", "c++17")]


def compile_alone(include_dir, header, way):
    """None, or what the compiler said."""
    compiler, language, standard = way
    text = f"#include <tidemark/{header}>\n" * 2 + "typedef int tidemark_header_test;\n"
    command = [compiler, "-x", language, f"-std={standard}", *STRICT, "-fsyntax-only",
               "-I", str(include_dir), "-"]
    if language == "c":
        command.insert(-1, "-Wstrict-prototypes")
    run = subprocess.run(command, input=text, capture_output=True, text=True)
    return f"{header}, {compiler} -std={standard}:\n{run.stderr}" if run.returncode else None


def compile_all(include_dir, headers):
    jobs = [(header, way) for header in headers for way in WAYS]
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda job: compile_alone(include_dir, *job), jobs)
    return [result for result in results if result]


class Headers(unittest.TestCase):
    def test_compilers_are_there(self):
        for compiler, _, _ in WAYS:
            self.assertIsNotNone(shutil.which(compiler), f"{compiler} is missing: ./dev test")

    def test_each_compiles_alone(self):
        headers = sorted(path.name for path in (ROOT / "include" / "tidemark").glob("*.h"))
        self.assertIn("tidemark.h", headers)
        found = compile_all(ROOT / "include", headers)
        self.assertFalse(found, "\n" + "\n".join(found))

    def test_a_bad_header_fails(self):
        bad = {
            "needs.h": "#ifndef A\n#define A\nint a(size_t n);\n#endif\n",  # no <stddef.h>
            "guard.h": "struct a {\n  int b;\n};\n",                        # no include guard
            "warns.h": "#ifndef B\n#define B\n#if TM_UNKNOWN\n#endif\n#endif\n",
        }
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "tidemark").mkdir()
            for name, text in bad.items():
                (Path(folder) / "tidemark" / name).write_text(text)
            found = compile_all(Path(folder), bad)
        self.assertEqual(len(found), len(bad) * len(WAYS), "\n".join(found))


if __name__ == "__main__":
    unittest.main()
