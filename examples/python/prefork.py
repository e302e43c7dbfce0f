#!/usr/bin/env python3
"""A prefork server, as gunicorn is one: a master, some workers, one budget for all of them.

The master opens the socket and loads the application; each worker is a fork that serves requests.
Workers of such a server cannot know of each other, so each one keeps what it likes. Under

    tidemark run --group web --budget 192M -- python3 prefork.py --workers 4

they share one budget: who needs more headroom gets more, and together they stay inside. Without
`tidemark run` the same program runs as ever.

With --requests N it asks itself that often, on 127.0.0.1, says what the workers held and ends.
"""
import argparse
import os
import signal
import socket
import sys
import threading
from http.client import HTTPConnection

try:
    import tidemark
except ImportError:  # the program does not need it
    tidemark = None

MIB = 1 << 20


# ---- The application: documents whose parts point back at the whole -------------------------

class Document:
    def __init__(self, number):
        self.parts = [Part(self, number + at) for at in range(4)]


class Part:
    def __init__(self, whole, seed):
        self.whole = whole  # a cycle: only a collection frees it
        self.pixels = bytearray(MIB // 4)
        self.pixels[:4] = seed.to_bytes(4, "big")


def respond(path):
    number = int(path.strip("/") or 0)
    document = Document(number)
    return b"%d\n" % sum(int.from_bytes(part.pixels[:4], "big") for part in document.parts)


# ---- The server -----------------------------------------------------------------------------

def held():
    """What this worker has in the books, in MiB; -1 without Tidemark."""
    installed = tidemark is not None and tidemark.installed()
    return tidemark.footprint() // MIB if installed else -1


def serve(listening):
    """One worker: one request at a time, as gunicorn's sync workers do."""
    while True:
        connection, _ = listening.accept()
        with connection:
            line = connection.makefile("rb").readline().split()
            path = line[1].decode() if len(line) > 1 else "/"
            body = b"%d %d\n" % (os.getpid(), held()) if path == "/held" else respond(path)
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def fork_workers(listening, count):
    workers = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            try:
                serve(listening)
            finally:
                os._exit(1)
        workers.append(pid)
    return workers


# ---- Its own client -------------------------------------------------------------------------

def ask(port, path):
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    body = connection.getresponse().read()
    connection.close()
    return body


def load(port, requests, peaks):
    for number in range(requests):
        want = b"%d\n" % (4 * number + 6)
        if ask(port, f"/{number}") != want:
            sys.exit("a wrong answer")
        if number % 10 == 0:
            pid, mib = map(int, ask(port, "/held").split())
            peaks[pid] = max(peaks.get(pid, -1), mib)


def measure(port, options):
    peaks = {}
    clients = [threading.Thread(target=load, args=(port, options.requests // 4, peaks))
               for _ in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    print(f"{options.requests} requests of 1 MiB each by {options.workers} workers")
    if max(peaks.values()) < 0:
        print("no books: start it with `tidemark run`")
    else:
        print(f"the workers held {sum(peaks.values())} MiB together at the most")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--requests", type=int, default=0, help="ask itself, then end")
    options = parser.parse_args()
    with socket.create_server(("127.0.0.1", options.port), backlog=64) as listening:
        port = listening.getsockname()[1]
        workers = fork_workers(listening, options.workers)
        try:
            if options.requests:
                measure(port, options)
            else:
                print(f"serving on http://127.0.0.1:{port}/, Ctrl-C ends it", flush=True)
                signal.pause()
        except KeyboardInterrupt:
            pass
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGTERM)
            for pid in workers:
                os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
