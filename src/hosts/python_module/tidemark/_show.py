"""A snapshot as text for people."""
import os
import time

UNITS = "B KiB MiB GiB TiB PiB EiB".split()


def size(number):
    """Three digits that count: 12.3 MiB."""
    value, at = float(abs(number)), 0
    while value >= 999.5 and at < len(UNITS) - 1:
        value, at = value / 1024, at + 1
    digits = 0 if at == 0 or value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{'-' if number < 0 else ''}{value:.{digits}f} {UNITS[at]}"


def duration(ns):
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= factor:
            return f"{ns / factor:.3g} {unit}"
    return f"{ns} ns"


def _limits(heap):
    parts = [f"{word} limit {size(heap[key])}" if heap[key] else f"no {word} limit"
             for word, key in (("soft", "soft_limit_bytes"), ("hard", "hard_limit_bytes"))]
    trip = heap["trip_bytes"]
    if 0 < trip < 1 << 62:
        parts.append(f"looks up at {size(trip)}")
    return ", ".join(parts)


def _books(heap):
    rows = [("footprint", heap["footprint_bytes"], f"peak {size(heap['footprint_peak_bytes'])}, "
             + _limits(heap)),
            ("live", heap["live_bytes"], f"in {heap['live_blocks']:,} blocks")]
    if heap["tags"]:
        rows.append(("told of", heap["informed_bytes"],
                     ", ".join(f"{tag['name']} {size(tag['informed_bytes'])}" for tag in heap["tags"])))
    rows.append(("committed", heap["committed_bytes"],
                 f"{size(heap['free_bytes'] + heap['dirty_bytes'])} of it free, "
                 f"{size(heap['meta_bytes'])} books"))
    return [f"  {name:<12}{size(number):>10}   {more}" for name, number, more in rows]


def _actions(heap):
    lines = []
    for name, row in heap["actions"].items():
        held = sum(row["suppressed_total"].values())
        if row["runs_total"] or held:
            lines.append(f"  {name:<14}{row['runs_total']:>10,}{size(row['reclaimed_bytes_total']):>13}"
                         f"{duration(row['duration_ns_total']):>11}"
                         f"{duration(row['duration_max_ns']):>11}{held:>11,}")
    head = f"  {'done':<14}{'runs':>10}{'freed':>13}{'time':>11}{'longest':>11}{'held back':>11}"
    return ["", head, *lines] if lines else []


def _pools(heap, most):
    rows = sorted((pool for pool in heap["pools"] if pool["allocs_total"]),
                  key=lambda pool: -pool["live_bytes"])[:most]
    head = f"  {'pool':<14}{'live':>12}{'blocks':>13}{'allocated':>13}"
    return ["", head, *(f"  {pool['name'][:13]:<14}{size(pool['live_bytes']):>12}"
                        f"{pool['live_blocks']:>13,}{size(pool['allocated_bytes_total']):>13}"
                        for pool in rows)] if rows else []


def heap_text(heap, pools=8):
    """One heap, a dozen lines."""
    return "\n".join([f"heap {heap['name']}", *_books(heap), *_actions(heap), *_pools(heap, pools)])


def stats_text(snapshot):
    """What /stats.json says."""
    process = snapshot.get("process", {})
    head = "process {}".format(process.get("pid", os.getpid()))
    if "resident_bytes" in process:
        head += f", {size(process['resident_bytes'])} resident"
    if "cpu_ns" in process:
        head += f", {duration(process['cpu_ns'])} of CPU"
    return "\n\n".join([head, *(heap_text(heap) for heap in snapshot["heaps"])])


def event_text(event):
    """One line of the log."""
    what = event["kind"] or ",".join(event["reasons"]) or "-"
    freed = event["footprint_before_bytes"] - event["footprint_after_bytes"]
    if event["verdict"] == "fired":
        rest = f"freed {size(event['returned_bytes'] or max(freed, 0))} in {duration(event['duration_ns'])}"
    else:
        rest = "at " + size(event["footprint_before_bytes"])
    return f"  {event['sequence']:>8}  {event['verdict']:<15}{what:<16}{rest}"


def screen(snapshot, log, where, lines):
    """What `top` shows, at most that many lines."""
    text = [f"{where}   {time.strftime('%H:%M:%S')}", stats_text(snapshot), "", "  last decisions"]
    shown = "\n".join(text).split("\n")
    room = max(lines - len(shown), 3)
    return "\n".join((shown + [event_text(event) for event in log[-room:]])[:lines])
