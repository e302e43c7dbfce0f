"""A million lists that stay, and jobs beside them that die as cycles and hold buffers: looking for
the garbage means walking the million."""
import zlib

from command import scaled, step


class Job:
    """Knows how to report to itself."""

    def __init__(self, number):
        self.done = self.finish
        self.data = bytearray(512 << 10)
        self.data[number & 1023] = number & 255

    def finish(self):
        return zlib.crc32(self.data[:1024])


def main():
    kept = [[number] for number in range(scaled(1000000))]
    checksum = 0
    for number in range(scaled(2000)):
        checksum = (checksum * 31 + Job(number).done()) & 0xFFFFFFFF
        step(number)
    print(f"{len(kept)} lists stay, checksum {checksum:08x}")


main()
