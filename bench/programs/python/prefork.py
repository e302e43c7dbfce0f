"""Four forked workers of one server: each handles its requests and forgets a session when newer
ones are there. A session refers to itself, and has grown old by then."""
import collections
import json
import os
import sys
import zlib

from command import scaled, step

WORKERS = 4
KEPT = 24
PAYLOAD = 384 << 10


class Session:
    """What a request leaves behind."""

    def __init__(self, number):
        self.number = number
        self.touched = self.touch
        self.payload = bytearray(PAYLOAD)
        self.nodes = [[number, at] for at in range(20)]

    def touch(self):
        self.payload[self.number & 1023] = self.number & 255
        return self.payload[:1024]

    def answer(self):
        """What a request is really about."""
        rows = [{"id": at, "name": f"row {at}", "tags": ["a", "b"], "score": at * self.number % 997}
                for at in range(200)]
        return json.dumps({"request": self.number, "rows": rows}).encode()


def work(requests):
    kept, checksum = collections.deque(maxlen=KEPT), 0
    for number in range(requests):
        session = Session(number)
        checksum = zlib.crc32(session.answer(), zlib.crc32(session.touched(), checksum))
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
    application = {f"route {number}": [number, {"handler": number}] for number in range(10000)}
    workers = [forked(scaled(1200) + number) for number in range(WORKERS)]
    failed = 0
    for worker, answer in workers:
        failed |= os.waitpid(worker, 0)[1]
        print(os.read(answer, 100).decode())
    print(f"{len(workers)} workers, {len(application)} routes")
    sys.exit(1 if failed else 0)


main()
