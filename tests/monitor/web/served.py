"""A program under `tidemark run --serve` that does what its test tells it, a line at a time."""
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from command import PYTHON, TIDEMARK, environment

PROGRAM = """
import gc, sys
class Ring:
    def __init__(self, size):
        self.me, self.bytes = self, bytearray(size)
kept = []
def keep(size): kept.append(bytearray(size))
def rings(count, size):
    for _ in range(count): Ring(size)
print('ready', flush=True)
for line in sys.stdin:
    exec(line)
    print('done', flush=True)
"""


class Served:
    def __init__(self, *options, address="127.0.0.1:0"):
        self.process = subprocess.Popen(
            [TIDEMARK, "run", *options, "--serve", address, "--", PYTHON, "-c", PROGRAM],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment(), text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(self.process.stderr.read())
        self.url = self.process.stderr.readline().split()[-1]
        self.address = self.url.removeprefix("http://").rstrip("/")

    def do(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n", self.process.stderr.read()

    def get(self, path, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return urllib.request.urlopen(urllib.request.Request(self.url.rstrip("/") + path,
                                                             headers=named), timeout=30)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


def again(address, *options):
    """A new program at an address that another one has just left."""
    end = time.monotonic() + 20
    while True:
        try:
            return Served(*options, address=address)
        except (RuntimeError, IndexError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
