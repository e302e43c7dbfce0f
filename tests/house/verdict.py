"""What the runs of ctest amount to: printed last by ./dev test.

    verdict.py NAME=JUNIT.xml ...

Ends with 1 iff a test failed, did not run, was skipped without saying why ("SKIP: reason", or
unittest's "skipped 'reason'"), or there was none at all.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

REASON = re.compile(r"SKIP: \S.*|skipped ['\"]\S.*|skipped: \S.*")


def judge(tree):
    """(tests, complaints, reasons of skips) of one run."""
    complaints, reasons, cases = [], [], list(tree.iter("testcase"))
    for case in cases:
        name, status = case.get("name"), case.get("status")
        output = case.findtext("system-out") or ""
        said = [match.group() for match in REASON.finditer(output)]
        # a test inside the program, as cmocka and unittest tell it
        inner = re.search(r"\[  SKIPPED \]|\bskipped=\d", output)
        if status == "fail":
            complaints.append(f"{name}: failed")
        elif status != "run" and not (case.find("skipped") is not None and said):
            complaints.append(f"{name}: did not run, and does not say why")
        elif inner and not said:
            complaints.append(f"{name}: skips a part of itself without a reason")
        reasons += [f"{name}: {reason}" for reason in dict.fromkeys(said)]
    if not cases:
        complaints.append("there was no test at all")
    return len(cases), complaints, reasons


def main(arguments):
    total, wrong, failed = 0, 0, False
    for argument in arguments:
        name, path = argument.split("=", 1)
        try:
            count, complaints, reasons = judge(ElementTree.parse(path).getroot())
        except (OSError, ElementTree.ParseError) as error:
            count, complaints, reasons = 0, [f"no result: {error}"], []
        total += count
        wrong += len(complaints)
        failed = failed or bool(complaints)
        print(f"  {name:<22}{count:>5} tests, {len(complaints)} not passed")
        for line in complaints:
            print(f"      {line}")
        for line in reasons:
            print(f"      skipped, with its reason: {line}")
    print(f"{total} tests in {len(arguments)} builds: "
          f"{'all passed' if not failed else f'{wrong} NOT PASSED'}")
    return 1 if failed or not arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
