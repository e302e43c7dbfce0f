"""An ordinary program: records parsed from text, grouped, sorted, and written again."""

import json


def make_lines(count):
    """Deterministic lines of "name,amount,tags"."""
    state = 12345
    for i in range(count):
        state = (state * 1103515245 + 12345) % 2147483648
        yield f"user{state % 5000},{state % 997},{'/'.join(str(state % k) for k in (3, 7, 11))}"


def group(lines):
    """Records by name, each a dict with a list of tags."""
    groups = {}
    for line in lines:
        name, amount, tags = line.split(",")
        record = {"amount": int(amount), "tags": tags.split("/")}
        groups.setdefault(name, []).append(record)
    return groups


def summarize(groups):
    """One line of JSON a group, and its length."""
    total = 0
    for name in sorted(groups):
        records = sorted(groups[name], key=lambda record: record["amount"])
        text = json.dumps({"name": name, "records": records})
        total += len(json.loads(text)["records"]) + len(text)
    return total


def main():
    """Three rounds, so that memory is used again."""
    for _ in range(3):
        print(summarize(group(make_lines(80000))))


main()
