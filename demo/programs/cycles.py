"""Buffers held by cycles: 1,500 objects that point at themselves, each with a 1 MiB buffer.

Nobody can reach an object once the next one is made, but only the collector can free it, and to
CPython's collector it is one object like any other: that it holds a megabyte is not seen.
"""
import gc
import sys
import zlib

# With `floor` it collects at every 20th step, for the least that it can do with: bench/python.py
FLOOR = "floor" in sys.argv


class Frame:
    """One picture of a film, linked to itself as objects with callbacks or parents often are."""

    def __init__(self, number):
        self.pixels = bytearray(1 << 20)
        self.pixels[number] = number & 255
        self.owner = self


def main():
    checksum = 0
    for number in range(1500):
        frame = Frame(number)
        checksum = zlib.crc32(frame.pixels[:4096], checksum)
        if FLOOR and number % 20 == 0:
            gc.collect()
    print(f"1500 frames, checksum {checksum:08x}")


main()
