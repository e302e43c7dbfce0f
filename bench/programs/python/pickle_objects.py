"""Pickle: a graph of objects is saved and restored, as a job queue or a cache does."""
import pickle
import zlib

from command import randoms, scaled


class Item:
    """Part of an order."""

    def __init__(self, number, price):
        self.number = number
        self.price = price


class Order:
    """Refers to items, some of them shared."""

    def __init__(self, number, items, history):
        self.number = number
        self.items = items
        self.history = history


def orders(count):
    source = randoms(3)
    shared = [Item(n, next(source) % 1000) for n in range(500)]
    for number in range(count):
        items = [shared[next(source) % 500] for _ in range(2)]
        items += [Item(number, next(source) % 1000) for _ in range(3)]
        yield Order(number, items, {f"day {n}": (number, next(source) % 31) for n in range(3)})


def main():
    batch = list(orders(scaled(10000)))
    checksum = 0
    for turn in range(3):
        data = pickle.dumps(batch, protocol=4)
        checksum = zlib.crc32(data, checksum)
        batch = pickle.loads(data)
        batch[turn].items.append(Item(turn, turn))
    total = sum(item.price for order in batch for item in order.items)
    print(f"{len(batch)} orders, {total}, {len(data)} bytes, checksum {checksum:08x}")


main()
