"""Runs an example and compares what it printed with its .expected file.

    example.py PROGRAM EXPECTED

A line of EXPECTED stands for itself. A line that starts with "~ " is a regular expression that the
whole line of output must match: for numbers that differ from run to run. A first line such as
"! exit 3" or "! signal SIGABRT" says how the program ends; without it, it must end with 0. A line
that starts with "& " is compared, as a regular expression, with the standard error, whose lines
must then all be listed in order; without any, standard error must be empty.
"""
import difflib
import re
import signal
import subprocess
import sys


def read_expected(path):
    """(exit code as subprocess reports it, lines of output, lines of error)"""
    code, out, err = 0, [], []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file.read().splitlines()):
            if number == 0 and line.startswith("! "):
                kind, value = line[2:].split()
                code = int(value) if kind == "exit" else -int(signal.Signals[value])
            elif line.startswith("& "):
                err.append("~ " + line[2:])
            else:
                out.append(line)
    return code, out, err


def matches(expected, line):
    if expected.startswith("~ "):
        return re.fullmatch(expected[2:], line) is not None
    return expected == line


def differences(name, expected, got):
    """What differs, as a diff in which every line that matches shows as itself."""
    shown = [g if matches(e, g) else e for e, g in zip(expected, got)]
    shown += expected[len(got):]
    return list(difflib.unified_diff(shown, got, "expected " + name, "printed", lineterm=""))


def main():
    program, path = sys.argv[1:]
    code, out, err = read_expected(path)
    run = subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, timeout=50)
    wrong = differences("output", out, run.stdout.decode(errors="replace").splitlines())
    wrong += differences("error output", err, run.stderr.decode(errors="replace").splitlines())
    if run.returncode != code:
        wrong.append(f"it ended with {run.returncode}, expected {code} (negative: a signal)")
    print("\n".join(wrong) if wrong else f"{len(out) + len(err)} lines as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
