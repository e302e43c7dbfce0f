"""The fronts of bench/fronts.py as pictures: one SVG per host, and one for all of them together.

Each is drawn 420 wide so that two fit beside each other in a column of text and one fits a phone.
No script, no font of its own, nothing from outside; light, and dark where the reader's system is.
The same numbers give the same bytes.
"""

import math
import os

WIDTH, HEIGHT = 420, 330
LEFT, RIGHT, TOP, BOTTOM = 86, 404, 88, 276
REACH = 8  # how many times less and more collector time than the compared point is shown
LEAST_SPAN = 1.6  # between the ends of an axis, at least
TICKS = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8))
MOST_TICKS = 6
PAD = 26  # pixels between the axes and the outermost points; the name of a point fits in
NAME_WIDTH = 104  # of that name
ON_TOP = ("growth", "fixed", "debt", "share", "sqrt")  # drawn in this order

STYLE = """<style>
svg{color-scheme:light dark}
text{font:14px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1b2733}
.paper{fill:#fff}.title{font-size:17px;font-weight:600}.tick{font-size:13px}.tick,.sub{fill:#4d5a66}
.end{text-anchor:end}.middle{text-anchor:middle}
.name{font-weight:600;stroke:#fff;stroke-width:4;stroke-linejoin:round;paint-order:stroke}
.grid{stroke:#e3e8ec}.axis{stroke:#5a6875}.base{stroke:#1b2733;stroke-dasharray:3 4}
.ring{fill:none;stroke:#1b2733;stroke-width:2}
path{fill:none;stroke-width:1.6;stroke-linejoin:round}
.growth{stroke:#9fadb9}path.line.growth{stroke-width:5}
.sqrt{stroke:#0072b2}.share{stroke:#00805c}.debt{stroke:#c75300}.fixed{stroke:#a8468a}
.mark.growth{fill:#9fadb9;stroke:#5a6875}.mark.sqrt{fill:#0072b2}.mark.share{fill:#fff}
.mark.debt{fill:#c75300}
@media(prefers-color-scheme:dark){text{fill:#e4eaef}.paper{fill:#12181e}
.tick,.sub{fill:#a9b6c1}.grid{stroke:#2a343e}.axis{stroke:#9fadb9}.base,.ring{stroke:#e4eaef}
.name{stroke:#12181e}
.growth{stroke:#5a6875}.mark.growth{fill:#5a6875;stroke:#a9b6c1}
.sqrt{stroke:#56b4e9}.mark.sqrt{fill:#56b4e9}.share{stroke:#35c796}.mark.share{fill:#12181e}
.debt{stroke:#f28a3c}.mark.debt{fill:#f28a3c}.fixed{stroke:#e08fc6}}
</style>
"""

# a mark's outline around 0, 0; they differ in form where colours cannot be told apart
MARKS = {
    "growth": "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
    "sqrt": "m-3-3h6v6h-6z",
    "share": "m-4 3.2 4-7 4 7z",
    "debt": "m-4 0 4-4 4 4-4 4z",
    "fixed": "m-3.2-3.2 6.4 6.4m0-6.4-6.4 6.4",
}


class Scale:
    """A logarithmic axis: the values from low to high onto pixels, with room on both sides."""

    def __init__(self, low, high, start, end):
        wider = max(1.0, math.sqrt(LEAST_SPAN * low / high))
        room = wider * (high * wider * wider / low) ** (PAD / (abs(end - start) - 2 * PAD))
        self.low, self.high, self.start, self.end = low / room, high * room, start, end

    def at(self, value):
        """The pixel of a value."""
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + part * (self.end - self.start)

    def ticks(self, unit, gap):
        """The finest of the round numbers that are not too many, nor closer than gap pixels."""
        best = []
        for factors in TICKS:
            found = [factor * 10.0 ** power * unit for power in range(-4, 5) for factor in factors]
            found = [value for value in found if self.low <= value <= self.high]
            places = [self.at(value) for value in found]
            if len(found) <= MOST_TICKS and all(abs(b - a) >= gap
                                                for a, b in zip(places, places[1:])):
                best = found
        return best


def _px(value):
    """A tenth of a pixel is enough, and keeps the file small."""
    return f"{value:.1f}".removesuffix(".0")


def _number(value):
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _line(kind, x1, y1, x2, y2):
    return (f'<line class="{kind}" x1="{_px(x1)}" y1="{_px(y1)}" x2="{_px(x2)}" '
            f'y2="{_px(y2)}"/>\n')


def _words(kind, x, y, text):
    return f'<text class="{kind}" x="{_px(x)}" y="{_px(y)}">{text}</text>\n'


def _mark(policy, x, y, title=""):
    inside = f"><title>{title}</title></path>" if title else "/>"
    return f'<path class="mark {policy}" d="M{_px(x)} {_px(y)}{MARKS[policy]}"{inside}\n'


def _cut(x1, y1, x2, y2):
    """The part of a stroke that is inside the axes, or None."""
    first, last = 0.0, 1.0
    for start, way, low, high in ((x1, x2 - x1, LEFT, RIGHT), (y1, y2 - y1, TOP, BOTTOM)):
        if way == 0:
            if not low <= start <= high:
                return None
            continue
        enter, leave = sorted(((low - start) / way, (high - start) / way))
        first, last = max(first, enter), min(last, leave)
    if first >= last:
        return None
    return [(x1 + part * (x2 - x1), y1 + part * (y2 - y1)) for part in (first, last)]


def _polyline(policy, places):
    """The front as a line, cut at the axes."""
    path, at = "", None
    for (x1, y1), (x2, y2) in zip(places, places[1:]):
        stroke = _cut(x1, y1, x2, y2)
        if stroke is None:
            continue
        begin, end = [f"{_px(x)} {_px(y)}" for x, y in stroke]
        path += f"L{end}" if begin == at else f"M{begin}L{end}"
        at = end
    return f'<path class="line {policy}" d="{path}"/>\n' if path else ""


def _scales(fronts, base):
    """Both axes: around the point that all are compared with, as far as there are points."""
    memory, time = base
    points = [(m, t) for front in fronts.values() for _, m, t in front
              if time / REACH <= t <= time * REACH]
    times, memories = [t for _, t in points], [m for m, _ in points]
    return (Scale(min(times), max(times), LEFT, RIGHT),
            Scale(min(memories), max(memories), BOTTOM, TOP))


def _axes(x_axis, y_axis, x_name):
    text = ""
    unit, unit_name = (1024, "GiB") if y_axis.low >= 800 else (1, "MiB")
    for value in y_axis.ticks(unit, 17):
        y = y_axis.at(value)
        text += _line("grid", LEFT, y, RIGHT, y)
        text += _words("tick end", LEFT - 7, y + 4.5, f"{_number(value / unit)} {unit_name}")
    for value in x_axis.ticks(1, 40):
        x = x_axis.at(value)
        text += _line("grid", x, TOP, x, BOTTOM)
        text += _words("tick middle", x, BOTTOM + 18, f"{_number(100 * value)} %")
    text += _line("axis", LEFT, BOTTOM, RIGHT, BOTTOM) + _line("axis", LEFT, TOP, LEFT, BOTTOM)
    text += _words("middle", (LEFT + RIGHT) / 2, BOTTOM + 42, x_name)
    middle = (TOP + BOTTOM) // 2
    return text + (f'<g transform="rotate(-90 16 {middle})">\n' +
                   _words("middle", 16, middle, "mean footprint") + "</g>\n")


def _legend(policies):
    text, x = "", LEFT - 66
    for policy in policies:
        text += f'<path class="line {policy}" d="M{_px(x)} 66h22"/>\n' + _mark(policy, x + 11, 66)
        text += _words("", x + 28, 70.5, policy)
        x += 37 + 8.5 * len(policy)
    return text


def _crowd(places, left, top):
    """How much of the fronts would be under a name there."""
    count = 0
    for (x1, y1), (x2, y2) in places:
        for step in range(21):
            x, y = x1 + (x2 - x1) * step / 20, y1 + (y2 - y1) * step / 20
            count += left - 4 < x < left + NAME_WIDTH + 4 and top - 4 < y < top + 20
    return count


def _base(x, y, name, strokes):
    """The point that all are compared with, and what leads the eye from it to the others."""
    corners = [(left, top) for left in (x + 10, x - 10 - NAME_WIDTH) for top in (y - 22, y + 5)
               if LEFT < left < WIDTH - 4 - NAME_WIDTH]
    left, top = min(corners, key=lambda corner: _crowd(strokes, *corner))
    return (_line("base", LEFT, y, RIGHT, y) + _line("base", x, TOP, x, BOTTOM) +
            f'<circle class="ring" cx="{_px(x)}" cy="{_px(y)}" r="7"/>\n' +
            _words("name middle", left + NAME_WIDTH / 2, top + 13, name))


def draw(title, words, fronts, base, base_name):
    """One picture. fronts: {policy: [(knob, MiB, seconds per second)] in the order of the knobs};
    the first policy is the one that the others are compared with, base its (MiB, time)."""
    x_axis, y_axis = _scales(fronts, base)
    whole = title == "together"
    text = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" role="img">\n'
            f"<title>{title}: collector time against mean footprint</title>\n{STYLE}"
            f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>\n')
    text += _words("title", 20, 26, title) + _words("sub", 20, 45, words) + _legend(fronts)
    text += _axes(x_axis, y_axis, "collector time, sum of all, of one CPU" if whole else
                  "collector's share of the time")
    marks, strokes = "", []
    for policy in sorted(fronts, key=ON_TOP.index):
        # a run without a collection is nowhere on this axis
        front = [point for point in fronts[policy] if point[2] > 0]
        places = [(x_axis.at(time), y_axis.at(memory)) for _, memory, time in front]
        text += _polyline(policy, places)
        strokes += zip(places, places[1:])
        seen = set()
        for (knob, memory, time), (x, y) in zip(front, places):
            place = (_px(x), _px(y))
            if place in seen or not (LEFT <= x <= RIGHT and TOP <= y <= BOTTOM):
                continue
            seen.add(place)
            marks += _mark(policy, x, y, f"{policy} {knob}: {memory:.1f} MiB, {100 * time:.2f} %")
    x, y = x_axis.at(base[1]), y_axis.at(base[0])
    return text + marks + _base(x, y, base_name, strokes) + "</svg>\n"


def write(folder, pictures):
    """{name: SVG} as files fronts-NAME.svg."""
    os.makedirs(folder, exist_ok=True)
    for name, text in pictures.items():
        path = os.path.join(folder, f"fronts-{name}.svg")
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
