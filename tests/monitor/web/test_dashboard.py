#!/usr/bin/env python3
"""The dashboard in a real browser: what it shows is true, and a person can use it."""
# ctest: timeout=300
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import browser
import served
from command import main

SHOWN = "return !document.body.classList.contains('waiting')"
LIVE = "return document.getElementById('state').dataset.state === 'live'"
# Kept in the page, so that what moved before a look at it counts too.
WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries())
    if (!entry.hadRecentInput) window.shifts.push(entry.value);
}).observe({type: "layout-shift", buffered: true});
"""
# Whether or not this build has the route.
DOCTOR = """
const real = window.fetch;
window.fetch = (url) => url !== "/doctor" ? real(url) : Promise.resolve(window.doctor
  ? new Response(JSON.stringify(window.doctor)) : new Response("", {status: 404}));
window.doctor = {findings: [{id: "near-limit", level: "warning", what: "<i>Nearly</i> full.",
                             do: "Raise the limit."}]};
"""
# Every ten seconds is every half one.
QUICK = """
const later = window.setInterval;
window.setInterval = (work, ms) => later(work, ms === 10000 ? 500 : ms);
"""
CONTRAST = """
const light = (text) => {
  const [r, g, b] = text.match(/[0-9.]+/g).map((c) => {
    const part = Number(c) / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (node) => {
  for (; node; node = node.parentElement) {
    const colour = getComputedStyle(node).backgroundColor;
    if (!/, 0\\)$|transparent/.test(colour)) return colour;
  }
  return "rgb(255, 255, 255)";
};
return [...document.querySelectorAll(arguments[0])].map((node) => {
  const pair = [light(getComputedStyle(node).color), light(ground(node))].sort((a, b) => b - a);
  return (pair[0] + 0.05) / (pair[1] + 0.05);
});
"""


def number(text):
    return int(text.replace(",", ""))


class Dashboard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        self.browser.size(1280, 900)
        self.browser.scheme("light")

    def open(self, *options):
        """A program and its page; both end with the test."""
        self.host = served.Served(*options)
        self.addCleanup(lambda: self.host.stop())
        self.addCleanup(self.browser.go, "about:blank")
        self.browser.go(self.host.url)
        self.browser.until(SHOWN)

    def need_charts(self):
        if self.browser.run("return typeof uPlot === 'undefined'"):
            print("SKIP: this build has no charts, npm was not there")
            self.skipTest("this build has no charts")

    def size_of(self, selector):
        value, unit = self.browser.text(selector).split()
        power = ["B", "KiB", "MiB", "GiB"].index(unit)
        return float(value.replace("\u2212", "-")) * 1024 ** power

    def test_values_change(self):
        self.open("--soft", "256M", "--hard", "512M")
        before = self.size_of("#tile-footprint")
        self.host.do("keep(100 << 20)")
        # in MiB: a page that is shown early has some hundred KiB
        self.browser.until("return /^1\\d\\d MiB$/.test(document.getElementById('tile-footprint')"
                           ".textContent)")
        grown = self.size_of("#tile-footprint") - before
        self.assertAlmostEqual(grown / 2 ** 20, 100, delta=8)
        self.assertEqual(self.browser.text("#tile-soft-limit"), "256 MiB")
        self.assertEqual(self.browser.text("#tile-hard-limit"), "512 MiB")
        self.assertRegex(self.browser.text("#verdict"), r"^Footprint \d+ MiB: \d+ % of its soft")
        self.assertIn(f"process {self.host_pid()}", self.browser.text("#process"))
        # and the chart has them: its last point is the number of the tile
        self.need_charts()
        self.assertEqual(self.legend("footprint-plot")["footprint"],
                         self.browser.text("#tile-footprint"))

    def host_pid(self):
        with self.host.get("/stats.json") as answer:
            return json.load(answer)["process"]["pid"]

    def legend(self, plot):
        return dict(self.browser.run(
            "return [...document.querySelectorAll(`#${arguments[0]} .u-series`)].map((row) =>"
            " [row.querySelector('.u-label').textContent,"
            "  row.querySelector('.u-value').textContent])", plot))

    def marks(self):
        return self.browser.run(
            "return [...document.querySelectorAll('.mark')].map((mark) => ({...mark.dataset,"
            " title: mark.title, label: mark.textContent}))")

    def test_an_action_is_a_mark_with_its_bytes(self):
        self.open("--soft", "64M")
        self.need_charts()
        self.assertEqual(self.marks(), [])
        self.host.do("rings(90, 1 << 20)")
        self.browser.until("return document.querySelectorAll('.mark').length")
        with self.host.get("/log.json") as answer:
            ran = [r for r in json.load(answer) if r["verdict"] == "fired"]
        self.assertGreater(len(ran), 0)
        freed = sum(r["returned_bytes"] if r["kind"] == "trim" else
                    r["footprint_before_bytes"] - r["footprint_after_bytes"] for r in ran)
        self.browser.until("return [...document.querySelectorAll('.mark')].reduce((sum, mark) =>"
                           " sum + Number(mark.dataset.count), 0) === arguments[0]", len(ran))
        marks = self.marks()
        self.assertEqual(sum(int(mark["freed"]) for mark in marks), freed)
        self.assertGreater(freed, 30 << 20)
        labels = [mark["label"] for mark in marks if mark["label"]]
        self.assertTrue(any(re.fullmatch("\u2212[0-9.]+ MiB", label) for label in labels), marks)
        # the same bytes stand in the decisions
        rows = self.browser.run("return [...document.querySelectorAll('#log tbody tr')]"
                                ".map((row) => [row.dataset.verdict, row.textContent])")
        self.assertIn("fired", [verdict for verdict, _ in rows])

    def test_the_books_add_up(self):
        self.open()
        self.host.do("keep(30 << 20); rings(2000, 3000)")
        for _ in range(3):
            rows = self.browser.run(
                "return [...document.querySelectorAll('#books tbody tr, #books tfoot tr')]"
                ".map((row) => [row.dataset.book, row.cells[2].textContent])")
            books = {name: number(text) for name, text in rows}
            total = books.pop("committed")
            self.assertEqual(list(books), ["live", "free", "waste", "dirty", "meta"])
            self.assertEqual(sum(books.values()), total)
            self.assertGreater(total, 1 << 20)
            self.host.do("keep(1 << 20)")
            self.browser.until(
                "return document.querySelector('#books tfoot tr').textContent !== arguments[0]",
                self.browser.text("#books tfoot tr"))
        pools = self.browser.run("return [...document.querySelectorAll('#pools tbody tr')]"
                                 ".map((row) => row.dataset.pool)")
        self.assertIn("obj", pools)

    def test_what_holds_it_and_why_it_was_not_collected(self):
        self.open("--soft", "96M")
        self.host.do("keep(70 << 20); rings(120, 1 << 20)")
        self.browser.until("return document.querySelectorAll('#log [data-verdict=fired]').length")
        self.browser.until("return parseFloat(document.getElementById('tile-footprint')"
                           ".textContent) >= 70")
        self.assertRegex(self.browser.text("#verdict"), r"^Footprint [\d.]+ MiB: \d+ % of its soft"
                                                        r" limit of 96.0 MiB; \d+ actions? in ")
        first = "#pools tbody tr:first-child"
        self.assertEqual(self.browser.text(f"{first} th"), "obj")
        self.assertGreater(self.size_of(f"{first} td:nth-child(2)"), 70 << 20)
        with self.host.get("/log.json") as answer:
            held = [r["verdict"] for r in json.load(answer)
                    if r["verdict"] not in ("fired", "deferred")]
        self.browser.press("f")
        self.browser.press("f")
        self.browser.until("return document.querySelectorAll('#log tr[data-verdict]').length"
                           " === arguments[0]", len(held[:100]))
        rows = self.browser.run("return [...document.querySelectorAll('#log tbody tr')]"
                                ".map((row) => [row.dataset.verdict || '', row.textContent])")
        self.assertEqual([verdict for verdict, _ in rows if verdict], held[::-1][:100])
        for verdict, text in rows:
            self.assertTrue(f"({verdict})" in text or verdict in
                            ("", "failed_request", "limits_changed"), text)

    def test_it_comes_back_after_a_restart(self):
        self.open("--soft", "64M")
        old = self.browser.text("#process")
        address = self.host.address
        self.host.stop()
        self.browser.until("return document.getElementById('state').dataset.state === 'lost'")
        self.assertIn("lost", self.browser.text("#state"))
        self.assertIn("stale", self.browser.run("return document.body.className"))
        self.host = served.again(address, "--soft", "96M")
        self.browser.until(LIVE)
        self.browser.until("return document.getElementById('tile-soft-limit').textContent"
                           " === '96.0 MiB'")
        self.browser.until("return !document.getElementById('process').textContent"
                           ".startsWith(arguments[0])", old.split(" \u00b7")[0])
        # nothing of the old process is in the charts of the new one
        self.need_charts()
        points = self.browser.text("#footprint-plot .u-series:nth-child(4) .u-value")
        self.assertEqual(points, "96.0 MiB")

    def test_keys(self):
        self.open()
        pressed = ("return document.querySelector('[aria-pressed=true][data-minutes]')"
                   ".dataset.minutes")
        self.assertEqual(self.browser.run(pressed), "5")
        for key, minutes in (("3", "60"), ("2", "15"), ("1", "5")):
            self.browser.press(key)
            self.assertEqual(self.browser.run(pressed), minutes)
        self.browser.press("p")
        paused = "return document.getElementById('pause').getAttribute('aria-pressed')"
        self.assertEqual(self.browser.run(paused), "true")
        self.browser.press("p")
        self.assertEqual(self.browser.run(paused), "false")
        shown = "return document.querySelector('[aria-pressed=true][data-show]').dataset.show"
        for which in ("ran", "held", "all"):
            self.browser.press("f")
            self.assertEqual(self.browser.run(shown), which)
        focus = "return document.activeElement.id"
        self.browser.press("l")
        self.assertEqual(self.browser.run(focus), "log-box")
        self.browser.press("?")
        self.assertEqual(self.browser.run(focus), "keys")
        for key in ("1", "2", "3", "h", "p", "f", "l", "t", "?"):
            self.assertIn(key, self.browser.run(
                "return [...document.querySelectorAll('#keys kbd')].map((k) => k.textContent)"))

    def test_h_goes_round_the_heaps(self):
        self.open()
        self.host.do("import ctypes; library = ctypes.CDLL(None); other = ctypes.c_void_p()")
        self.host.do("assert library.tm_heap_new(ctypes.byref(other), None) == 0")
        self.host.do("library.tm_malloc.restype = ctypes.c_void_p")
        self.host.do("assert library.tm_malloc(other, 0, ctypes.c_size_t(3 << 20))")
        self.browser.until("return document.getElementById('heap').options.length === 2")
        live = ("return [...document.querySelectorAll('#books tbody tr')]"
                ".find((row) => row.textContent.startsWith('live')).textContent")
        chosen = "return document.getElementById('heap').selectedIndex"
        self.assertEqual(self.browser.run(chosen), 0)
        self.browser.press("h")
        self.assertEqual(self.browser.run(chosen), 1)
        self.browser.until(f"{live}.includes('3.0')")
        self.browser.press("h")
        self.assertEqual(self.browser.run(chosen), 0)

    def test_tab_reaches_everything(self):
        self.open()
        self.browser.run("document.activeElement.blur()")
        seen = []
        for _ in range(20):
            self.browser.press("\ue004")
            name, outline = self.browser.run(
                "const node = document.activeElement; return node === document.body ? ['', '']"
                " : [node.id || node.className || node.textContent,"
                "    getComputedStyle(node).outlineStyle]")
            seen.append(name)
            self.assertNotEqual(outline, "none", name)
        for name in ("skip", "heap", "5 min", "pause", "theme", "All", "log-box", "/metrics"):
            self.assertIn(name, seen)

    def test_both_themes_can_be_read(self):
        self.open("--soft", "64M")
        parts = "body p, dt, dd, h1, h2, th, td, button, .u-legend, footer a"
        grounds = []
        for theme in ("light", "dark"):
            self.browser.scheme(theme)
            grounds.append(self.browser.run(
                "return getComputedStyle(document.body).backgroundColor"))
            worst = min(self.browser.run(CONTRAST, parts))
            self.assertGreaterEqual(worst, 4.5, theme)
        self.assertNotEqual(*grounds)
        # a person's choice is stronger than the system's, and is kept
        self.browser.press("t")
        self.assertEqual(self.browser.text("#theme"), "Theme: light")
        self.browser.run("location.reload()")
        self.browser.until(SHOWN)
        self.assertEqual(self.browser.run(
            "return getComputedStyle(document.body).backgroundColor"), grounds[0])
        self.browser.press("t")
        self.browser.press("t")
        self.assertEqual(self.browser.text("#theme"), "Theme: system")

    def test_every_width(self):
        self.open("--soft", "64M")
        for width in (360, 480, 768, 1024, 1440, 2560):
            self.browser.size(width, 800)
            self.browser.until("return innerWidth === arguments[0]", width)
            self.browser.until(
                "return [...document.querySelectorAll('.uplot')].every((plot) =>"
                " plot.offsetWidth <= plot.parentNode.clientWidth)")
            wide = self.browser.run("return document.documentElement.scrollWidth")
            self.assertLessEqual(wide, width)

    def before_the_page(self, source):
        script = self.browser.devtools("Page.addScriptToEvaluateOnNewDocument", source=source)
        self.addCleanup(self.browser.devtools, "Page.removeScriptToEvaluateOnNewDocument",
                        **script)

    def test_the_doctor_is_heard(self):
        self.before_the_page(DOCTOR)
        self.open("--soft", "64M")
        shown = "return !document.getElementById('doctor').hidden"
        self.assertTrue(self.browser.run(shown))
        self.assertEqual(self.browser.text("#findings li"),
                         "warning <i>Nearly</i> full. Raise the limit.")
        self.browser.run("window.doctor.findings = []")
        self.browser.until("return document.getElementById('findings').textContent"
                           ".includes('yet')")
        self.browser.run("const now = Date.now; Date.now = () => now() + 300000;")
        self.browser.until("return document.getElementById('findings').textContent"
                           " === 'Nothing to complain about.'")
        self.browser.run("window.doctor = null")
        self.browser.until("return document.getElementById('doctor').hidden")

    def holders(self):
        """Rows of the page: who, pool, bytes, share, blocks."""
        return self.browser.run(
            "return [...document.querySelectorAll('#holders tbody tr')].map((row) =>"
            " [row.dataset.who, ...[...row.cells].slice(1).map((cell) => cell.textContent)])")

    def first_holds(self, mib):
        self.browser.until("return Number(document.querySelector('#holders [data-bytes]')"
                           ".dataset.bytes) >= arguments[0] * 2 ** 20", mib)

    def test_who_holds_it(self):
        self.before_the_page(QUICK)
        self.open("--profile-interval", "64K")
        self.assertEqual(self.browser.text("#holders-title").split("\n")[0], "Who holds it")
        self.host.do("keep(40 << 20)")
        self.host.do("rings(1, 8 << 20)")
        self.browser.until("return document.querySelectorAll('#holders [data-who]').length > 1")
        self.first_holds(40)
        with self.host.get("/holders.json") as answer:
            told = json.load(answer)
        self.browser.until("return [...document.querySelectorAll('#holders [data-who]')].map((row) =>"
                           " row.dataset.who).join() === arguments[0]",
                           ",".join(holder["who"] for holder in told["holders"]))
        rows = self.holders()
        who, pool, held, share, blocks = rows[0]
        self.assertEqual((pool, held, blocks), ("obj", "40.0 MiB", "1"))
        self.assertAlmostEqual(int(share.split()[0]),
                               100 * told["holders"][0]["bytes"] / told["live_bytes"], delta=1)
        self.assertIn("64.0 KiB", self.browser.text("#holders-note"))
        if sys.version_info[:2] == (3, 11):  # the stacks of others are native
            self.assertRegex(who, r"^keep \(<string>:\d+\)$")
        self.holders_are_reached_by_keys(told["holders"][0]["frames"])
        for theme in ("light", "dark"):
            self.browser.scheme(theme)
            self.assertGreaterEqual(min(self.browser.run(CONTRAST, "#holders th, #holders li")), 4.5)
        self.browser.size(360, 800)
        self.browser.until("return innerWidth === 360")
        self.assertLessEqual(self.browser.run("return document.documentElement.scrollWidth"), 360)

    def holders_are_reached_by_keys(self, frames):
        """A stack is opened without a mouse, and stays open and in focus when news comes."""
        self.browser.run("const title = document.getElementById('holders-title');"
                         "title.tabIndex = -1; title.focus()")
        self.browser.press("\ue004")
        self.browser.press("\ue007")
        opened = ("const open = document.querySelectorAll('#holders details[open]');"
                  "return open.length === 1 && open[0].contains(document.activeElement)")
        self.assertTrue(self.browser.run(opened))
        self.assertEqual(self.browser.run(
            "return [...document.querySelectorAll('#holders details[open] li')]"
            ".map((frame) => frame.textContent)")[:len(frames)], frames)
        self.host.do("keep(20 << 20)")
        self.first_holds(60)
        self.assertTrue(self.browser.run(opened))

    def test_who_holds_it_without_a_profile(self):
        self.open()
        self.assertEqual(
            self.browser.text("#holders-note"),
            "No profile runs: start the program with tidemark run --profile FILE, or call"
            " tm_profile_start, to see which code holds the memory.")
        self.assertTrue(self.browser.run("return document.getElementById('holders-box').hidden"))

    def test_nothing_moves(self):
        self.before_the_page(WATCH_SHIFTS)
        self.open("--soft", "64M")
        for i in range(4):
            before = self.browser.text("#books tfoot tr")
            self.host.do("keep(3 << 20); rings(3000, 4000)")
            self.browser.until("return document.querySelector('#books tfoot tr').textContent"
                               " !== arguments[0]", before)
        shifts = self.browser.run("return window.shifts")
        self.assertLess(sum(shifts), 0.02, shifts)

    def test_it_complains_of_nothing(self):
        self.browser.complaints()
        self.open("--soft", "64M")
        self.browser.until(LIVE)
        # the doctor may not be in this build: then its route is not found, and its part is hidden
        said = [text for text in self.browser.complaints() if "/doctor" not in text]
        self.assertEqual(said, [])

    def test_without_charts(self):
        self.browser.devtools("Network.enable")
        self.browser.devtools("Network.setBlockedURLs", urls=["*/charts.js", "*/charts.css"])
        self.addCleanup(self.browser.devtools, "Network.setBlockedURLs", urls=[])
        self.open("--soft", "64M")
        self.assertIn("no charts", self.browser.text(".notice"))
        self.host.do("keep(40 << 20)")
        self.browser.until("return parseFloat(document.getElementById('tile-footprint')"
                           ".textContent) > 40")

    def test_a_fifth_page_waits_for_its_turn(self):
        self.host = served.Served()
        self.addCleanup(lambda: self.host.stop())
        streams = [self.host.get("/events") for _ in range(4)]
        for stream in streams:
            self.addCleanup(stream.close)
            stream.readline()
        self.addCleanup(self.browser.go, "about:blank")
        self.browser.go(self.host.url)
        self.browser.until("return document.getElementById('state').dataset.state === 'lost'")
        streams[0].close()
        self.browser.until(LIVE)


if __name__ == "__main__":
    absent = browser.missing()
    if absent:
        print(f"SKIP: {absent} is not installed")
        sys.exit(77)
    main()
