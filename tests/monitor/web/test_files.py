#!/usr/bin/env python3
"""The dashboard's files: how they are served, that they ask nobody else for anything, and that the
build makes them with and without npm."""
# ctest: timeout=120
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.error
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import served
from command import main

ROOT = Path(__file__).resolve().parents[3]
WEB = ROOT / "src" / "monitor" / "web"
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".html": "text/html; charset=utf-8"}


class Serving(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = served.Served()
        cls.addClassCleanup(cls.host.stop)
        with cls.host.get("/", Accept_Encoding="identity") as answer:
            cls.page = answer.read().decode()

    def fetch(self, path, **headers):
        """Status, headers, body; also of what urllib takes for an error."""
        try:
            with self.host.get(path, **headers) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def paths(self):
        own = ["/" + file.name for file in WEB.iterdir() if file.suffix in (".js", ".css")]
        return ["/", *own, *re.findall(r'(?:src|href)="(/charts\.\w+)"', self.page)]

    def test_both_encodings_are_one_file(self):
        for path in self.paths():
            status, headers, plain = self.fetch(path, Accept_Encoding="identity")
            self.assertEqual(status, 200)
            self.assertNotIn("Content-Encoding", headers)
            status, packed_headers, packed = self.fetch(path, Accept_Encoding="br, gzip")
            self.assertEqual(packed_headers["Content-Encoding"], "gzip")
            self.assertEqual(gzip.decompress(packed), plain)
            self.assertLess(len(packed), len(plain))
            self.assertNotEqual(headers["ETag"], packed_headers["ETag"])
            for each in (headers, packed_headers):
                self.assertEqual(each["Content-Type"], TYPES[os.path.splitext(path)[1] or ".html"])
                self.assertEqual(each["Vary"], "Accept-Encoding")
                self.assertEqual(each["Cache-Control"], "no-cache")
            if path not in ("/", "/charts.js", "/charts.css"):
                self.assertEqual(plain, (WEB / path[1:]).read_bytes())

    def test_which_encoding(self):
        for accept, packed in (("gzip", True), ("*", True), ("GZIP;q=0.5", True), ("", False),
                               ("gzip;q=0", False), ("br", False), ("gzip;q=0, *", False)):
            _, headers, _ = self.fetch("/app.js", Accept_Encoding=accept)
            self.assertEqual(headers["Content-Encoding"] == "gzip", packed, accept)

    def test_what_is_known_is_not_sent_again(self):
        for encoding in ("gzip", "identity"):
            _, headers, body = self.fetch("/app.js", Accept_Encoding=encoding)
            tag = headers["ETag"]
            for match in (tag, "W/" + tag, f'"other", {tag}', "*"):
                status, again, nothing = self.fetch("/app.js", Accept_Encoding=encoding,
                                                    If_None_Match=match)
                self.assertEqual((status, nothing), (304, b""), match)
                self.assertEqual(again["ETag"], tag)
                self.assertEqual(int(again["Content-Length"]), len(body))
            for match in ('"other"', tag.strip('"'), "x" * 300 + tag):
                status, _, whole = self.fetch("/app.js", Accept_Encoding=encoding,
                                              If_None_Match=match)
                self.assertEqual((status, whole), (200, body), match)

    def test_only_its_own_script_runs(self):
        for path in self.paths():
            policy = self.fetch(path)[1]["Content-Security-Policy"]
            self.assertTrue(policy.startswith("default-src 'none'; "), policy)
            self.assertIn("script-src 'self';", policy)
            self.assertNotIn("unsafe", policy)
        for path in ("/plain", "/metrics", "/nothing", "/events/"):
            self.assertNotIn("script-src", self.fetch(path)[1]["Content-Security-Policy"])
        self.assertNotRegex(self.page, r"<script(?![^>]* src=)|\son\w+=|\sstyle=")

    def test_there_is_a_page_without_script(self):
        self.assertIn('<noscript><meta http-equiv="refresh" content="0; url=/plain"></noscript>',
                      self.page)
        status, _, body = self.fetch("/plain")
        self.assertEqual(status, 200)
        self.assertIn(b"<h2>Heap default", body)
        self.assertNotIn(b"<script", body)


class Source(unittest.TestCase):
    def test_it_asks_nobody_else(self):
        for file in WEB.iterdir():
            self.assertNotRegex(file.read_text(encoding="utf-8"), r"(?:https?:)?//[\w-]+\.\w",
                                file.name)

    def test_what_is_fetched_is_pinned(self):
        wanted = json.loads((WEB / "package.json").read_text())["dependencies"]
        lock = json.loads((WEB / "package-lock.json").read_text())["packages"]
        for name, version in wanted.items():
            self.assertRegex(version, r"^\d+\.\d+\.\d+$")
            self.assertEqual(lock[f"node_modules/{name}"]["version"], version)
        for path, package in lock.items():
            if path:
                self.assertRegex(package["integrity"], "^sha512-")
                self.assertNotIn("resolved", package)


class Building(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def embed(self, name, uplot=""):
        out = self.folder / name
        out.mkdir()
        subprocess.run(["cmake", f"-DWEB={WEB}", f"-DUPLOT={uplot}", f"-DOUT={out}", "-P",
                        ROOT / "cmake" / "embed.cmake"], check=True)
        return (out / "assets.c").read_text(), (out / "index.html").read_text()

    def uplot(self):
        """Something in uPlot's place."""
        files = {"LICENSE": "Copyright (c) somebody\n", "dist/uPlot.iife.min.js": "var uPlot;\n",
                 "dist/uPlot.min.css": ".uplot{}\n"}
        for name, text in files.items():
            path = self.folder / "uplot" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self.folder / "uplot"

    def test_without_npm(self):
        assets, page = self.embed("without")
        self.assertNotIn("charts.", page)
        self.assertNotIn("@", re.sub(r"&#?\w+;", "", page))
        self.assertNotIn('"/charts.js"', assets)
        self.assertIn('{"/app.js", ', assets)

    def test_with_npm(self):
        assets, page = self.embed("with", self.uplot())
        self.assertIn('<script src="/charts.js" defer></script>', page)
        self.assertIn('{"/charts.js", ', assets)
        script = (self.folder / "with" / "charts.js").read_text()
        self.assertRegex(script, r"^/\*\nCopyright .*\n\*/\nvar uPlot;")

    def test_it_can_be_repeated(self):
        uplot = self.uplot()
        self.assertEqual(self.embed("one", uplot), self.embed("two", uplot))


if __name__ == "__main__":
    main()
