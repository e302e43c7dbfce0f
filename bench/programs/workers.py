"""Unequal workers as a prefork server has them: one process builds nothing, forks, and waits.

    workers.py SECONDS NAME:LIVE:RATE:SESSIONS ...

Each worker keeps LIVE objects for ever, serves RATE requests a second, and forgets a session when
SESSIONS newer ones are there. A session refers to itself, as one with a bound callback does, so
only a collection frees it; and it has grown old by then, so only a full one does. Requests come by
the clock: a worker that collects more does not serve less. Prints one line of JSON per worker, with
the processor time that its collections took.
"""
import collections
import gc
import json
import os
import sys
import time

PAYLOAD_BYTES = 16 << 10
NODES = 20


class Session:
    """What a request leaves behind."""

    def __init__(self, number):
        self.number = number
        self.touched = self.touch
        self.payload = bytearray(PAYLOAD_BYTES)
        self.nodes = [[number, i] for i in range(NODES)]

    def touch(self):
        return self.number


class Clock:
    """Adds up what collections take."""

    def __init__(self):
        self.began = 0.0
        self.seconds = 0.0
        self.runs = [0, 0, 0]
        gc.callbacks.append(self.on_collection)

    def on_collection(self, phase, info):
        now = time.thread_time()
        if phase == "start":
            self.began = now
            return
        self.seconds += now - self.began
        self.runs[info["generation"]] += 1


def serve(clock, seconds, rate, sessions):
    """Requests by the clock; returns how many there were."""
    kept = collections.deque(maxlen=sessions)
    begin, served = time.monotonic(), 0
    while True:
        elapsed = time.monotonic() - begin
        if elapsed >= seconds:
            return served
        due = int(elapsed * rate)
        while served < due:
            session = Session(served)
            session.touched()
            kept.append(session)
            served += 1
        time.sleep(0.005)


def work(seconds, spec):
    """A worker from its beginning to its end."""
    name, live, rate, sessions = spec.split(":")
    kept = [[i] for i in range(int(live))]
    clock = Clock()
    served = serve(clock, seconds, float(rate), int(sessions))
    line = {"worker": name, "collector_s": clock.seconds, "minor": clock.runs[0] + clock.runs[1],
            "full": clock.runs[2], "requests": served, "cpu_s": time.process_time(),
            "kept": len(kept)}
    os.write(1, (json.dumps(line) + "\n").encode())


def main():
    seconds, specs = float(sys.argv[1]), sys.argv[2:]
    children = []
    for spec in specs:
        child = os.fork()
        if child == 0:
            work(seconds, spec)
            os._exit(0)
        children.append(child)
    failed = [child for child in children if os.waitpid(child, 0)[1] != 0]
    sys.exit(1 if failed else 0)


main()
