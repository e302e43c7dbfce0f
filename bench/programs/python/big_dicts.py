"""Big dictionaries: an index of words grows, is updated, loses a third and is merged."""
from command import randoms, scaled


def main():
    source, index = randoms(9), {}
    count = scaled(250000)
    for number in range(count):
        index[f"key {next(source) % (count * 2)}"] = (number, next(source) & 1023)
    for key in [key for at, key in enumerate(index) if at % 3 == 0]:
        del index[key]
    counts = {}
    for number, weight in index.values():
        counts[weight] = counts.get(weight, 0) + number
    other = {key: [value, number] for number, (key, value) in enumerate(index.items())}
    other |= {f"key {n}": [None, n] for n in range(0, count * 2, 5)}
    found = sum(1 for n in range(0, count * 2, 3) if f"key {n}" in other)
    checksum = sum(key * total for key, total in counts.items()) & 0xFFFFFFFF
    print(f"{len(index)} and {len(other)} keys, {found} found, checksum {checksum:08x}")


main()
