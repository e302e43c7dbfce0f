"""A worker thread makes cyclic garbage while the main thread waits for it in join().

CPython runs what others ask of it between two steps of the main thread. Here it takes none.
"""
import gc
import sys
import threading
import zlib

# With `floor` it collects at every 20th step, for the least that it can do with: bench/python.py
FLOOR = "floor" in sys.argv


class Job:
    """A job knows how to report to itself, as a job with a bound callback does."""

    def __init__(self, number):
        self.number = number
        self.done = self.finish
        self.data = bytearray(1 << 20)

    def finish(self):
        self.data[self.number & 1023] = self.number & 255
        return self.data


def work(answer):
    checksum = 0
    for number in range(1500):
        checksum = zlib.crc32(Job(number).done(), checksum)
        if FLOOR and number % 20 == 0:
            gc.collect()
    answer.append(checksum)


def main():
    answer = []
    worker = threading.Thread(target=work, args=(answer,))
    worker.start()
    worker.join()
    print(f"1500 jobs, checksum {answer[0]:08x}")


main()
