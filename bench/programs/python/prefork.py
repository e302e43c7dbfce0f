"""Four forked workers of one server: each handles its requests and forgets a session when newer ones
are there. A session refers to itself, and has grown old by then."""
import collections
import os
import sys
import zlib

from command import scaled, step

WORKERS = 4
KEPT = 20


class Session:
    """What a request leaves behind."""

    def __init__(self, number):
        self.number = number
        self.touched = self.touch
        self.payload = bytearray(256 << 10)
        self.nodes = [[number, at] for at in range(20)]

    def touch(self):
        self.payload[self.number & 1023] = self.number & 255
        return self.payload[:1024]


def work(requests):
    kept, checksum = collections.deque(maxlen=KEPT), 0
    for number in range(requests):
        session = Session(number)
        checksum = zlib.crc32(session.touched(), checksum)
        kept.append(session)
        step(number)
    return checksum


def forked(requests):
    """Process number of a new worker, and where its answer will be."""
    answer, mouth = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.write(mouth, f"{requests} requests, checksum {work(requests):08x}".encode())
        os._exit(0)
    os.close(mouth)
    return worker, answer


def main():
    application = {f"route {number}": [number, {"handler": number}] for number in range(30000)}
    workers = [forked(scaled(3000) + number) for number in range(WORKERS)]
    failed = 0
    for worker, answer in workers:
        failed |= os.waitpid(worker, 0)[1]
        print(os.read(answer, 100).decode())
    print(f"{len(workers)} workers, {len(application)} routes")
    sys.exit(1 if failed else 0)


main()
