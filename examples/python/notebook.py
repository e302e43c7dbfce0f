#!/usr/bin/env python3
"""From a run to a picture, cell by cell, as one would in a notebook; nothing but Python needed.

    python3 notebook.py run.svg            takes over the interpreter that runs it
    tidemark run -- python3 notebook.py    the same, malloc included

It builds an index while requests leave garbage behind, listens to every decision of the heap, and
draws the footprint over time with a mark where memory was collected.
"""
# %% The heap under this interpreter. In a notebook it stays for as long as the kernel lives.
import sys
import time

import tidemark

tidemark.install()
start_ns = time.monotonic_ns()

# %% Somebody who writes down what happens.
events = []
tidemark.on_event(events.append)

# %% The work: a structure that grows, and cycles with buffers that do not stay.
class Request:
    def __init__(self, number):
        self.me = self
        self.body = bytearray(200_000)
        self.number = number


samples, index = [], {}
with tidemark.budget(extra="96M") as budget:
    limit = tidemark.limit()[0]
    for number in range(3000):
        Request(number)
        index[number] = "x" * (number % 4000)
        if number % 10 == 0:
            samples.append((time.monotonic_ns() - start_ns, tidemark.footprint()))
tidemark.on_event(None)

# %% In words.
fired = [event for event in events if event["verdict"] == "fired"]
runs = {kind: [event for event in fired if event["kind"] == kind] for kind in ("minor", "full", "trim")}
for kind, of_kind in runs.items():
    freed = sum(max(e["footprint_before_bytes"] - e["footprint_after_bytes"], 0) for e in of_kind)
    print(f"{kind:<6}{len(of_kind):>5} times, {freed / 2**20:8.1f} MiB freed, "
          f"{sum(e['duration_ns'] for e in of_kind) / 1e6:7.1f} ms")
peak = max(footprint for _, footprint in samples)
print(f"the footprint stayed below the budget: {'yes' if peak < limit else 'no'}")

# %% As a picture.
WIDTH, HEIGHT, LEFT, BOTTOM = 900, 360, 70, 40
end_ns, top = samples[-1][0], max(limit, peak) * 1.1


def x(ns):
    return LEFT + (WIDTH - LEFT - 10) * ns / end_ns


def y(count):
    return (HEIGHT - BOTTOM) * (1 - count / top)


shapes = [f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y(limit):.1f}" y2="{y(limit):.1f}" class="limit"/>',
          f'<text x="{LEFT + 6}" y="{y(limit) - 6:.1f}">budget {limit / 2**20:.0f} MiB</text>']
for step in range(5):
    at = top * step / 5
    shapes.append(f'<text x="{LEFT - 8}" y="{y(at) + 4:.1f}" class="axis">{at / 2**20:.0f} MiB</text>')
    ns = end_ns * step / 4
    shapes.append(f'<text x="{x(ns):.1f}" y="{HEIGHT - BOTTOM + 20}" class="time">'
                  f'{ns / 1e9:.2f} s</text>')
line = " ".join(f"{x(ns):.1f},{y(footprint):.1f}" for ns, footprint in samples)
shapes.append(f'<polyline points="{line}" class="footprint"/>')
for event in fired:
    ns = event["time_ns"] - start_ns
    if 0 <= ns <= end_ns and event["kind"] in ("minor", "full"):
        freed = max(event["footprint_before_bytes"] - event["footprint_after_bytes"], 0)
        shapes.append(f'<circle cx="{x(ns):.1f}" cy="{y(event["footprint_before_bytes"]):.1f}" r="4" '
                      f'class="{event["kind"]}"><title>{event["kind"]}: {freed / 2**20:.1f} MiB in '
                      f'{event["duration_ns"] / 1e6:.1f} ms</title></circle>')
STYLE = """text{font:12px sans-serif;fill:#444}.axis{text-anchor:end}.time{text-anchor:middle}
.limit{stroke:#c33;stroke-dasharray:6 4}.footprint{fill:none;stroke:#27c;stroke-width:1.5}
.minor{fill:#fff;stroke:#2a7}.full{fill:#2a7}"""
target = sys.argv[1] if len(sys.argv) > 1 else "run.svg"
with open(target, "w", encoding="utf-8") as file:
    file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">'
               f"<title>Footprint of a run</title><style>{STYLE}</style>\n" + "\n".join(shapes)
               + "\n</svg>\n")
print(f"drawn into {target}")
