"""Names: what the libraries export, what the archive may define, what no file may mention."""
import os
import re
import subprocess
import unittest
from pathlib import Path

from source import ROOT, without_comments

BUILD = os.environ.get("TIDEMARK_BUILD")

# What each library may export. The shim replaces libc's allocator and C++'s operators.
MALLOC = ("malloc|calloc|realloc|free|cfree|memalign|aligned_alloc|posix_memalign|valloc|pvalloc|"
          "malloc_usable_size|reallocarray|free_sized|free_aligned_sized|malloc_trim|mallinfo2?|"
          "malloc_stats|malloc_info|mallopt|(?:set|p)rlimit(?:64)?|_Zn[wa]\\w+|_Zd[la]\\w+")
EXPORTS = {
    "libtidemark.so": r"tm_[a-z]\w*",
    "libtidemark-pymem.so": r"_?Py(Mem|Object)_\w+|tm_type_\w+",
    "libtidemark-monitor.so": r"tm_monitor_\w+",
    "libtidemark-preload.so": rf"tm_[a-z]\w*|{MALLOC}",
}
# Across files: tm_noun_verb when public, tm__noun_verb when not. Static names are not seen here.
INSIDE = r"tm__?[a-z]\w*|_?Py(Mem|Object)_\w+|" + MALLOC

# Spelled in two halves, or this file would be the first to be found.
FORBIDDEN = [first + second for first, second in (
    ("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/"), ("../sha", "red"),
    ("registry.npm", "js.org"), ("py", "pi.org"), ("python", "hosted.org"), ("deb.deb", "ian.org"),
    ("proxy.go", "lang.org"), ("crates", ".io"))]


def symbols(path, *options):
    """Names that a library or archive defines for others."""
    run = subprocess.run(["nm", "--defined-only", "--format=posix", *options, str(path)],
                         capture_output=True, text=True, check=True)
    rows = [line.split() for line in run.stdout.splitlines()]
    return {row[0] for row in rows if len(row) >= 2 and row[1].isupper()}


def strangers(names, pattern):
    return sorted(name for name in names if not re.fullmatch(pattern, name))


def declared(text):
    """Functions and variables that a public header marks as exported."""
    marked = re.findall(r"^(?:TM_API|PyAPI_FUNC\([^)]*\))\s+([^;{]*?)[;{]", without_comments(text),
                        re.MULTILINE | re.DOTALL)
    return {re.search(r"(\w+)\s*(?:\(|$)", one).group(1) for one in marked}


def mentions(text):
    return [word for word in FORBIDDEN if re.search(r"(?<![\w}])" + re.escape(word), text)]


def project_files():
    """What is, or could be, committed."""
    run = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                         cwd=ROOT, capture_output=True, text=True)
    if run.returncode == 0:
        return [ROOT / name for name in run.stdout.splitlines()]
    return [path for path in ROOT.rglob("*")
            if path.relative_to(ROOT).parts[0] not in ("build", ".git")]


class Exports(unittest.TestCase):
    def setUp(self):
        if not BUILD:
            print("SKIP: no build to look at: run by ctest, or set TIDEMARK_BUILD")
            self.skipTest("no build")
        self.libraries = {name: Path(BUILD) / "lib" / name for name in EXPORTS}
        self.libraries = {n: path for n, path in self.libraries.items() if path.exists()}

    def test_exports_are_ours(self):
        self.assertIn("libtidemark.so", self.libraries)
        for name, path in self.libraries.items():
            self.assertEqual(strangers(symbols(path, "-D"), EXPORTS[name]), [], name)

    def test_inner_names_have_the_prefix(self):
        archives = set((Path(BUILD) / "lib").glob("*.a"))
        for path in sorted(archives - {Path(BUILD) / "lib" / "libtidemark-test-support.a"}):
            names = {n for n in symbols(path) if not n.startswith(("llhttp_", "__asan", "__odr"))}
            self.assertEqual(strangers(names, INSIDE), [], path.name)

    def test_what_headers_declare_is_there(self):
        exported = {}
        for name, path in self.libraries.items():
            exported[name] = symbols(path, "-D")
        for header in sorted((ROOT / "include" / "tidemark").glob("*.h")):
            library = {"pymem.h": "libtidemark-pymem.so", "monitor.h": "libtidemark-monitor.so"}
            library = library.get(header.name, "libtidemark.so")
            if library in exported:
                missing = declared(header.read_text(encoding="utf-8")) - exported[library]
                self.assertEqual(sorted(missing), [], f"{header.name} declares, {library} lacks")

    def test_preload_stands_alone(self):
        path = self.libraries.get("libtidemark-preload.so")
        if not path:
            print("SKIP: the preload library is not part of this build")
            self.skipTest("no preload library")
        run = subprocess.run(["readelf", "-dW", str(path)], capture_output=True, text=True, check=True)
        self.assertNotRegex(run.stdout, r"NEEDED.*tidemark")
        self.assertRegex(run.stdout, r"FLAGS_1.*NODELETE")
        # the core is in it and can be called by whoever finds it in the process
        self.assertLessEqual({"tm_heap_default", "tm_stats_read"}, symbols(path, "-D"))


class Mentions(unittest.TestCase):
    def test_no_file_knows_this_machine(self):
        found = []
        for path in project_files():
            if path.is_file() and not path.is_symlink():
                text = path.read_text(encoding="utf-8", errors="replace")
                found += [f"{path.relative_to(ROOT)}: {word}" for word in mentions(text)]
        self.assertFalse(found, "\n" + "\n".join(found))


class Rule(unittest.TestCase):
    """The check itself can fail."""

    def test_stranger_is_found(self):
        self.assertEqual(strangers({"tm_malloc", "tm__book", "helper"}, EXPORTS["libtidemark.so"]),
                         ["helper", "tm__book"])
        self.assertEqual(strangers({"malloc", "_Znwm", "printf"}, EXPORTS["libtidemark-preload.so"]),
                         ["printf"])
        self.assertEqual(strangers({"tm__book", "get_page"}, INSIDE), ["get_page"])

    def test_declarations_are_seen(self):
        text = ("TM_API int tm_a(int (*fn)(void), void *p);\n/* TM_API int tm_no(void); */\n"
                "TM_API const char *tm_b(void); /* x */\nTM_API uint64_t\ntm_c(int a,\n   int b);\n")
        self.assertEqual(declared(text), {"tm_a", "tm_b", "tm_c"})

    def test_mention_is_found(self):
        for word in FORBIDDEN:
            self.assertEqual(mentions(f"see {word}x"), [word])
        self.assertEqual(mentions("${dir}/work/x, build/work/ and a shared library"), [])


if __name__ == "__main__":
    unittest.main()
