#!/usr/bin/python3
"""What the monitor costs the program that it watches, with a dashboard open.

    monitor.py [--runs N] [--quick] [--build DIR] [--out DIR]

  share    of a core that the monitor's thread takes, at a sample a second and with a reader of
           /events, in a program of 8 allocating threads
  ratio    of the throughput of one allocating thread, watched and read like that against not
           watched: a fixed work on one CPU, by the processor time of the whole process, the
           monitor's thread included
  scrape   of /metrics while 8 threads allocate: percentiles of 300, each a connection of its own
  change   of the footprint by one scrape of every route, in a program that does nothing else

The arms of the ratio take turns. Every value goes to bench/results/*-monitor.csv.
"""
import os
import re
import resource
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

import machine
import report
import run

THREADS, SCRAPES, SECONDS, STEPS = 8, 300, 20, 20_000_000
TIME_LIMIT_S = 120
ROUTES = ("/", "/plain", "/metrics", "/stats.json", "/log.json", "/healthz")


class Watched:
    """A program under tidemark run --serve."""

    def __init__(self, build, *command):
        self.process = subprocess.Popen(
            [os.path.join(build, "bin", "tidemark"), "run", "--serve", "127.0.0.1:0", "--",
             *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=run.clean_environment(), preexec_fn=self.before)
        line = self.process.stderr.readline()
        if "http://" not in line:
            raise run.BenchError(f"{command[0]}: nothing is served: {line}")
        self.url = line.split()[-1].rstrip("/")

    def before(self):
        """Runs in the child."""

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=TIME_LIMIT_S) as answer:
            return answer.read().decode()

    def thread_ns(self):
        """Processor time of the monitor's thread, all of it."""
        folder = f"/proc/{self.process.pid}/task"
        for task in os.listdir(folder):
            with open(f"{folder}/{task}/comm", encoding="ascii") as file:
                if file.read() != "tidemark\n":
                    continue
            with open(f"{folder}/{task}/schedstat", encoding="ascii") as file:
                return int(file.read().split()[0])
        raise run.BenchError("the monitor has no thread")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


class Pinned(Watched):
    def before(self):
        run.pin(1)


class Reader(threading.Thread):
    """What a dashboard is to the monitor: one that listens to /events."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.answer = urllib.request.urlopen(url + "/events", timeout=TIME_LIMIT_S)
        self.samples = 0
        self.start()

    def run(self):
        try:
            for line in self.answer:
                self.samples += line == b"event: sample\n"
        except OSError:
            pass


def program(build, name):
    directory = machine.find_program_dir(build)
    if directory is None:
        raise run.BenchError(f"no benchmark programs below {build}")
    return os.path.join(directory, name)


def share(build, seconds):
    """Share of a core, in percent."""
    with Watched(build, program(build, "crowd"), f"threads={THREADS}") as watched:
        reader = Reader(watched.url)
        time.sleep(2)
        start_ns, start = watched.thread_ns(), time.monotonic()
        samples = reader.samples
        time.sleep(seconds)
        taken, passed = watched.thread_ns() - start_ns, time.monotonic() - start
        heard = reader.samples - samples
    if heard < 0.8 * seconds:
        raise run.BenchError(f"the reader heard {heard} samples in {seconds} s")
    return {"percent_of_core": taken / passed / 1e7, "samples": heard}


def children_s():
    """Processor time of all that was started here and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def throughput(build, steps, watch):
    """Processor seconds that a fixed work takes on one CPU."""
    command = (program(build, "live"), f"steps={steps}")
    start = children_s()
    if watch:
        with Pinned(build, *command) as watched:
            reader = Reader(watched.url)
            code = watched.process.wait(TIME_LIMIT_S)
            passed = children_s() - start
            if reader.samples < 1:
                raise run.BenchError("the reader heard nothing")
    else:
        code = subprocess.run([os.path.join(build, "bin", "tidemark"), "run", "--", *command],
                              env=run.clean_environment(), preexec_fn=lambda: run.pin(1),
                              timeout=TIME_LIMIT_S, check=False).returncode
        passed = children_s() - start
    if code != 0:
        raise run.BenchError(f"{command[0]}: exit {code}")
    return {"watched_s" if watch else "alone_s": passed}


def scrape(build, scrapes):
    """Percentiles of a scrape's time, ms."""
    times = []
    with Watched(build, program(build, "crowd"), f"threads={THREADS}") as watched:
        time.sleep(1)
        for _ in range(scrapes):
            start = time.monotonic()
            text = watched.get("/metrics")
            times.append((time.monotonic() - start) * 1000)
            if "tidemark_heap_live_bytes" not in text:
                raise run.BenchError("a scrape without books")
            time.sleep(0.01)
    cuts = statistics.quantiles(times, n=100)
    return {"p50_ms": cuts[49], "p99_ms": cuts[98], "longest_ms": max(times)}


def footprint(watched):
    text = watched.get("/metrics")
    return int(re.search(r"^tidemark_heap_footprint_bytes\{.*\} (\d+)$", text, re.M).group(1))


def change(build, scrapes):
    """Bytes of footprint that one look at everything leaves behind."""
    with Watched(build, "/bin/cat") as watched:
        for path in ROUTES:
            watched.get(path)
        before = footprint(watched)
        for _ in range(scrapes):
            for path in ROUTES:
                watched.get(path)
        return {"bytes_per_scrape": (footprint(watched) - before) / scrapes}


def measure(options):
    """(program, run, name, value) of everything."""
    seconds, scrapes = SECONDS // options.divisor + 2, SCRAPES // options.divisor
    steps = STEPS // options.divisor
    for number in range(options.runs):
        parts = {"share": share(options.build, seconds)}
        parts["ratio"] = {**throughput(options.build, steps, False),
                          **throughput(options.build, steps, True)}
        parts["ratio"]["throughput"] = parts["ratio"]["alone_s"] / parts["ratio"]["watched_s"]
        parts["scrape"] = scrape(options.build, scrapes)
        parts["change"] = change(options.build, scrapes)
        for name, values in parts.items():
            for value, amount in values.items():
                yield report.value_row(name, number, value, amount)


def main(arguments):
    """Exit status 0, or 2 when something failed."""
    options = run.parse(arguments)
    try:
        rows = list(measure(options))
    except (run.BenchError, OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    for (name, value), amount in report.value_medians(rows).items():
        print(f"{name:8} {value:18} {amount:>12.4f}")
    path = run.result_path(options, "monitor")
    report.write(path, [*machine.describe(options.build, []), ("runs", str(options.runs))], rows,
                 report.VALUE_FIELDS)
    print(f"written: {os.path.relpath(path, machine.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
