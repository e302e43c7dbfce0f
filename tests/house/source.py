"""What the house tests share: where the C files are, and C without comments and strings."""
import os
import re
from pathlib import Path

ROOT = Path(os.environ.get("TIDEMARK_SOURCE") or Path(__file__).resolve().parents[2])
FOLDERS = ("src", "include", "tests", "examples", "bench")


def c_files(root=ROOT, folders=FOLDERS):
    """Every C file and header of the project, as paths."""
    found = [path for folder in folders for path in (root / folder).rglob("*.[ch]")]
    # bench/programs/ is input for other people's programs
    return sorted(path for path in found if path.parent != root / "bench" / "programs")


def web_files(root=ROOT):
    """The dashboard's source."""
    return sorted(path for path in (root / "src" / "monitor" / "web").iterdir()
                  if path.suffix in (".js", ".css", ".html"))


TOKENS = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)"""
    r"""|"(?:\\.|[^"\\\n])*\""""
    r"""|'(?:\\.|[^'\\\n])*'""", re.DOTALL)


def without_comments(text):
    """text with comments blanked; line numbers and columns stay."""
    def blank(match):
        if match.group("comment") is None:
            return match.group()
        return re.sub(r"[^\n]", " ", match.group())
    return TOKENS.sub(blank, text)


def without_texts(text):
    """text with comments, string and character constants blanked."""
    return TOKENS.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def without_directives(text):
    """text with preprocessor lines blanked, continued ones included."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.MULTILINE)


def functions(text):
    """(name, first line, last line) of each function body, from its signature to its brace."""
    code = without_directives(without_texts(text))
    # the braces of extern "C" { are no block
    code = re.sub(r"\bextern\s*\{", lambda m: m.group().replace("{", " "), code)
    result, depth, start, opened = [], 0, 0, None
    for match in re.finditer(r"[{};]", code):
        token, at = match.group(), match.start()
        if token == "{":
            if depth == 0 and code[start:at].rstrip().endswith(")"):
                opened = start
            depth += 1
        elif token == "}":
            depth = max(depth - 1, 0)
            if depth == 0 and opened is not None:
                result.append(described(code, opened, at))
                opened = None
        if depth == 0:
            start = at + 1
    return result


def described(code, start, end):
    signature = code[start:code.index("{", start)]
    start += len(signature) - len(signature.lstrip())
    name = re.search(r"(\w+)\s*\(", re.sub(r"__attribute__\s*\(\(.*?\)\)", "", signature))
    first = code.count("\n", 0, start) + 1
    return (name.group(1) if name else "?", first, code.count("\n", 0, end) + 1)
