"""Generators and itertools: streams that are merged, windowed, grouped and never held whole."""
import heapq
import itertools

from command import randoms, scaled


def readings(sensor, count):
    """A sorted stream of (time, sensor, value)."""
    moment = sensor
    for value in itertools.islice(randoms(sensor), count):
        moment += 1 + value % 5
        yield moment, sensor, value & 4095


def windows(stream, size):
    parts = itertools.tee(stream, size)
    for skip, part in enumerate(parts):
        next(itertools.islice(part, skip, skip), None)
    return zip(*parts)


def walk(depth, prefix=()):
    """Recursive generators: every value passes through all levels."""
    if depth == 0:
        yield prefix
        return
    for digit in range(4):
        yield from walk(depth - 1, prefix + (digit,))


def main():
    count, checksum = scaled(70000), 0
    merged = heapq.merge(*(readings(sensor, count) for sensor in range(12)))
    for window in windows(merged, 4):
        if window[0][1] == window[-1][1]:
            checksum = (checksum * 31 + sum(value for _, _, value in window)) & 0xFFFFFFFF
    stream = readings(99, count * 4)
    for _, group in itertools.groupby(stream, key=lambda row: row[0] // 50):
        low, high = itertools.tee(value for _, _, value in group)
        checksum = (checksum * 31 + min(low) + max(high)) & 0xFFFFFFFF
    words = sum(1 for word in walk(8) if sum(word) % 5 == 0)
    chains = sum(map(len, itertools.product("abc", range(5), (None, True), range(scaled(1000)))))
    print(f"{words} words, {chains} in chains, checksum {checksum:08x}")


main()
