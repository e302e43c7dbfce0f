"""A file includes what src/README.md allows its room, and nothing else."""
import re
import tempfile
import unittest
from pathlib import Path

from source import ROOT, c_files, without_comments

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"\n]+)[>"]', re.MULTILINE)
# Headers of other libraries: only for the rooms whose line names them.
FOREIGN = ("uv.h", "uv/", "llhttp", "jansson", "Python.h", "lua", "sqlite3")


def rules(readme):
    """{room: (rooms it may include, other libraries' headers it may include)}"""
    table = {}
    for line in readme.splitlines():
        match = re.match(r"- \*\*(\w+)\*\*: (.*?)\. ", line)
        if match:
            names = [name.strip() for name in match.group(2).split(",")]
            headers = {name.strip("`<>") for name in names if name.startswith("`")}
            table[match.group(1)] = ({n for n in names if n.isalpha()} - {"nothing"}, headers)
    return table


def complaint(root, room, allowed, headers, quote, name):
    """What is wrong with one include of a file in src/, or None."""
    if name.startswith("tidemark/"):
        if quote == '"':
            return "public headers are included as <tidemark/x.h>"
        return None if (root / "include" / name).exists() else "no such public header"
    if quote == "<":
        foreign = name.startswith(FOREIGN) and name not in headers
        return "this room does not know that library" if foreign else None
    other = name.split("/")[0]
    if name.endswith(".c"):
        return "a .c file is compiled, not included"
    if "/" not in name or ".." in name or not (root / "src" / name).exists():
        return 'write "room/file.h", from src/'
    if other != room and other not in allowed:
        return f"{room} may include {', '.join(sorted(allowed)) or 'no other room'}"
    return None


def check(root):
    """Every broken include below root, as text."""
    table = rules((root / "src" / "README.md").read_text(encoding="utf-8"))
    found = []
    for path in c_files(root, ("src", "include")):
        place = path.relative_to(root)
        text = without_comments(path.read_text(encoding="utf-8"))
        room = place.parts[1]
        if place.parts[0] == "src" and room not in table:
            found.append(f"{place}: src/README.md knows no room {room}")
            continue
        for match in INCLUDE.finditer(text):
            quote, name = match.groups()
            if place.parts[0] == "include":
                public = quote == "<" and ("/" not in name or (root / "include" / name).exists())
                wrong = None if public and not name.startswith(FOREIGN) else \
                    "a public header includes <tidemark/x.h> and C's own headers"
            else:
                wrong = complaint(root, room, *table[room], quote, name)
            if wrong:
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{place}:{line}: {name}: {wrong}")
    return found


class Tree(unittest.TestCase):
    def test_every_include_is_allowed(self):
        found = check(ROOT)
        self.assertFalse(found, "\n" + "\n".join(found))

    def test_the_table_is_the_design(self):
        core = ["base", "stats", "gc", "profile", "heap"]
        table = rules((ROOT / "src" / "README.md").read_text(encoding="utf-8"))
        for at, room in enumerate(core):
            self.assertEqual(table[room], (set(core[:at]), set()))
        for room in ("pymem", "monitor", "hosts", "cli"):
            self.assertEqual(table[room][0], set(core))
        uv = {room for room, (_, headers) in table.items() if "uv.h" in headers}
        self.assertEqual(uv, {"monitor", "cli"})


class Rule(unittest.TestCase):
    """The check itself can fail: a small tree with one bad line each."""

    def look(self, file, line):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name in ("src/base/os.h", "src/gc/log.h", "src/heap/types.h", "src/heap/a.c",
                         "src/hosts/lua/state.h", "include/tidemark/gc.h"):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text("/* nothing */\n")
            readme = (ROOT / "src" / "README.md").read_text(encoding="utf-8")
            (root / "src" / "README.md").write_text(readme)
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text("/* #include \"heap/types.h\" */\n" + line + "\n")
            return check(root)

    def test_good_lines_pass(self):
        for file, line in (("src/heap/b.c", '#include "gc/log.h"'),
                           ("src/heap/b.c", '#include "heap/types.h"'),
                           ("src/base/b.c", "#include <tidemark/gc.h>"),
                           ("src/base/b.c", "#include <sys/mman.h>"),
                           ("src/hosts/lua/b.c", '#include "hosts/lua/state.h"'),
                           ("src/monitor/b.c", "#include <uv.h>"),
                           ("include/tidemark/b.h", "#include <tidemark/gc.h>")):
            self.assertEqual(self.look(file, line), [], line)

    def test_bad_lines_fail(self):
        for file, line in (("src/gc/b.c", '#include "heap/types.h"'),
                           ("src/base/b.c", '#include "gc/log.h"'),
                           ("src/monitor/b.c", '#include "hosts/lua/state.h"'),
                           ("src/heap/b.c", "#include <uv.h>"),
                           ("src/cli/b.c", "#include <llhttp.h>"),
                           ("src/heap/b.c", '#include "types.h"'),
                           ("src/heap/b.c", '  #  include "../heap/types.h"'),
                           ("src/heap/b.c", '#include "heap/a.c"'),
                           ("src/heap/b.c", '#include "tidemark/gc.h"'),
                           ("src/heap/b.c", "#include <tidemark/missing.h>"),
                           ("src/drawer/b.c", "int a;"),
                           ("include/tidemark/b.h", "#include <uv.h>"),
                           ("include/tidemark/b.h", '#include "gc/log.h"')):
            self.assertEqual(len(self.look(file, line)), 1, f"{file}: {line}")


if __name__ == "__main__":
    unittest.main()
