#!/usr/bin/env python3
"""From `tidemark top` to tidemark-view, wherever both are installed."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from command import TIDEMARK, Case, environment, main

VIEW = os.path.join(os.path.dirname(TIDEMARK), "../libexec/tidemark/tidemark-view")


class View(Case):
    def setUp(self):
        super().setUp()
        for folder in ("bin", "libexec/tidemark", "lib/tidemark"):
            os.makedirs(self.path(folder))
        shutil.copy(TIDEMARK, self.path("bin/tidemark"))

    def ask(self, name="bin/tidemark"):
        return subprocess.run([self.path(name), "top", ":1"], env=environment(),
                              capture_output=True, timeout=60)

    def test_where_it_may_be(self):
        for folder in ("bin", "libexec/tidemark", "lib/tidemark"):
            self.assertComplains(self.ask(), 125, "install tidemark whole")
            shutil.copy(VIEW, self.path(f"{folder}/tidemark-view"))
            self.assertComplains(self.ask(), 125, "http://127.0.0.1:1/: nobody listens there")
            os.makedirs(self.path("links"), exist_ok=True)
            if not os.path.exists(self.path("links/tm")):
                os.symlink("../bin/tidemark", self.path("links/tm"))
            self.assertComplains(self.ask("links/tm"), 125, "nobody listens there")
            os.remove(self.path(f"{folder}/tidemark-view"))

    def test_it_cannot_be_run(self):
        self.write("libexec/tidemark/tidemark-view", "no program\0")
        self.assertComplains(self.ask(), 125, "tidemark-view' cannot be run: Exec format error")

    def test_by_itself_it_says_what_it_is(self):
        for arguments in ([], ["run"]):
            result = subprocess.run([VIEW, *arguments], capture_output=True)
            self.assertComplains(result, 2, "write 'tidemark top'")

    def test_run_loads_no_json_library(self):
        needed = subprocess.run(["ldd", TIDEMARK], capture_output=True, text=True).stdout
        self.assertIn("libc.so", needed)
        self.assertNotIn("jansson", needed)


if __name__ == "__main__":
    main()
