"""Programs that serve, for the scripts that test what looks at them."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from command import PYTHON, TIDEMARK, Case, environment

IDLE = "import sys; print('ready', flush=True); sys.stdin.read()"
# Collects a few times, then waits for lines; each makes it do the same again.
BUSY = """
import sys
def work():
    for i in range(3000):
        a, b = [bytearray(20_000)], []
        a.append(b), b.append(a)
work()
print('ready', flush=True)
for line in sys.stdin:
    work()
    print('ready', flush=True)
"""


class ServedCase(Case):
    def serve(self, program=IDLE, *options, address="127.0.0.1:0"):
        """Runs a Python program under `tidemark run --serve`; the process, with its URL as .url.
        It is past its first line, and ends with the test."""
        process = subprocess.Popen(
            [TIDEMARK, "run", "--serve", address, *options, "--", PYTHON, "-c", program],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment(), text=True)
        self.addCleanup(self.end, process)
        process.url = process.stderr.readline().split()[-1]
        self.assertEqual(process.stdout.readline(), "ready\n", process.url)
        return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()

    def again(self, process):
        process.stdin.write("\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), "ready\n")

    def view(self, *arguments, status=0, **options):
        """Runs tidemark; what it wrote to standard output."""
        result = self.tidemark(*arguments, **options)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        return result.stdout.decode()
