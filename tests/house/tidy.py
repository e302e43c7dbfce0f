"""Runs clang-tidy on the C files of a build and remembers what was clean.

    tidy.py [--deep] BUILD FOLDER...

Takes the files below the FOLDERs from BUILD/compile_commands.json. A file whose preprocessed text,
rules and clang-tidy are what they were when it was clean is not looked at again: the marks lie in
BUILD/tidy. The analyzer follows a function's paths up to a budget, with --deep to its own, which
takes five times as long. Prints findings and one line of summary; ends with 1 iff there was a
finding.
"""
import hashlib
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from source import ROOT

TIDY, CLANG = "clang-tidy-14", "clang-14"

# Outside src/ some code does wrong on purpose, and assertions expand to many statements.
LENIENT = "--checks=-clang-analyzer-*,-readability-function-size,-bugprone-macro-parentheses," \
    "-bugprone-branch-clone"


# Of states that the analyzer visits in a function; its own budget is 225,000.
BUDGET = ["-Xclang", "-analyzer-config", "-Xclang", "max-nodes=20000"]

# gcc may have built it; clang does not know these.
GCC_ONLY = ("-mstringop-strategy=",)


def commands(build, folders):
    """{file: compiler arguments}, once per file, as clang understands them."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = Path(entry["file"])
        if any(path.is_relative_to(ROOT / folder) for folder in folders):
            found.setdefault(path, [argument for argument in shlex.split(entry["command"])[1:]
                                    if not argument.startswith(GCC_ONLY)])
    return found


def fingerprint(path, arguments, rules):
    """Changes whenever what clang-tidy sees can change."""
    drop = {"-c", "-o", "-MD", "-MF", "-MT"}
    kept = [a for before, a in zip([""] + arguments, arguments)
            if a not in drop and before not in drop - {"-MD", "-c"}]
    # -C keeps the comments: a NOLINT is part of what clang-tidy sees
    run = subprocess.run([CLANG, *kept, "-E", "-C", "-Wno-everything"],
                         capture_output=True)
    digest = hashlib.sha256(rules + run.stdout + str(path).encode())
    return digest.hexdigest() if run.returncode == 0 else None


def look(path, arguments, mark, budget):
    """(clean, what was found)"""
    lenient = [] if path.is_relative_to(ROOT / "src") else [LENIENT]
    run = subprocess.run([TIDY, "--quiet", *lenient, str(path), "--", *arguments, *budget],
                         capture_output=True, text=True)
    noise = ("warnings generated", "Suppressed", "Use -header-filter", "warnings treated as errors")
    lines = [line for line in (run.stdout + run.stderr).splitlines()
             if not any(word in line for word in noise)]
    if run.returncode == 0 and mark:
        mark.touch()
    return run.returncode == 0, "\n".join(lines)


def main():
    deep = sys.argv[1:2] == ["--deep"]
    arguments = sys.argv[2:] if deep else sys.argv[1:]
    build, folders = Path(arguments[0]).resolve(), arguments[1:]
    marks = build / "tidy"
    marks.mkdir(exist_ok=True)
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    rules = version + (ROOT / ".clang-tidy").read_bytes() + LENIENT.encode() + b"deep" * deep
    files = commands(build, folders)
    if not files:
        print("clang-tidy: there is no file to look at", file=sys.stderr)
        return 1
    jobs = min(os.cpu_count() or 1, 4)
    with ThreadPoolExecutor(jobs) as pool:
        prints = list(pool.map(lambda item: fingerprint(*item, rules), files.items()))
        todo = [(path, arguments, marks / key if key else None)
                for (path, arguments), key in zip(files.items(), prints)
                if not key or not (marks / key).exists()]
        results = list(pool.map(lambda item: look(*item, [] if deep else BUDGET), todo))
    bad = [text for clean, text in results if not clean]
    for text in bad:
        print(text)
    print(f"clang-tidy: {len(files)} files, {len(todo)} looked at, {len(bad)} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
