"""No function above 70 lines, no file above 500, no line above 100 columns."""
import unittest

from source import ROOT, c_files, functions, web_files

FUNCTION_LINES, FILE_LINES, COLUMNS = 70, 500, 100


def complaints(name, text, is_c=True):
    """What is too long in one file."""
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    found = []
    if len(lines) > FILE_LINES:
        found.append(f"{name}: {len(lines)} lines, at most {FILE_LINES}")
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS:
            found.append(f"{name}:{number}: {len(line)} columns, at most {COLUMNS}")
    for function, first, last in functions(text) if is_c else ():
        if last - first + 1 > FUNCTION_LINES:
            found.append(f"{name}:{first}: {function} has {last - first + 1} lines, "
                         f"at most {FUNCTION_LINES}")
    return found


def function_of(lines, head="static int sum(int a,\n               int b)"):
    body = ["  a += b;"] * (lines - head.count("\n") - 4)
    return "\n".join([head, "{", *body, "  return a;", "}"]) + "\n"


class Tree(unittest.TestCase):
    def test_no_file_is_too_long(self):
        found = [c for path in c_files()
                 for c in complaints(path.relative_to(ROOT), path.read_text(encoding="utf-8"))]
        self.assertFalse(found, "\n" + "\n".join(found))

    def test_the_dashboard_is_short_too(self):
        found = [c for path in web_files()
                 for c in complaints(path.relative_to(ROOT), path.read_text(encoding="utf-8"), False)]
        self.assertFalse(found, "\n" + "\n".join(found))

    def test_there_are_files(self):
        names = {path.name for path in [*c_files(), *web_files()]}
        self.assertLessEqual({"app.js", "app.css", "index.html"}, names)
        self.assertLessEqual({"tidemark.h", "report.c"}, names)


class Rule(unittest.TestCase):
    """The check itself can fail, at exactly one above the limit."""

    def test_function(self):
        self.assertEqual(complaints("f.c", function_of(70)), [])
        self.assertEqual(complaints("f.c", "\n\n" + function_of(71)),
                         ["f.c:3: sum has 71 lines, at most 70"])

    def test_function_is_seen_behind_everything(self):
        before = ('#define TWO(x) { \\\n  x; \\\n}\n/* { */ // {\nconst char *s = "{", c = \'{\';\n'
                  "struct a {\n  int b;\n};\nint list[] = {1, 2};\nextern \"C\" {\n")
        self.assertEqual(len(complaints("f.c", before + function_of(71))), 1)
        self.assertEqual(functions(before + function_of(10) + "int g(void) { return 1; }\n")[1][0],
                         "g")

    def test_file(self):
        self.assertEqual(complaints("f.c", "int a;\n" * 500), [])
        self.assertEqual(complaints("f.c", "int a;\n" * 501), ["f.c: 501 lines, at most 500"])

    def test_line(self):
        self.assertEqual(complaints("f.c", "/*" + "x" * 96 + "*/\n"), [])
        self.assertEqual(complaints("f.c", "/*" + "x" * 97 + "*/\n"),
                         ["f.c:1: 101 columns, at most 100"])


if __name__ == "__main__":
    unittest.main()
