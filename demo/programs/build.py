"""A program that builds: a big index that stays alive, and hardly any garbage.

Whatever a collector walks here is alive. Counting objects, it walks all of it again and again
while the index grows.
"""

WORDS = 400_000


def lines():
    """Deterministic text: three word numbers a line."""
    state = 12345
    for number in range(WORDS):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        yield number, state % 5003, (state >> 8) % 997


def main():
    index = {}
    order = []
    for number, word, page in lines():
        entry = [number, (word, page), []]
        index.setdefault(word, []).append(entry)
        index[word][0][2].append((page, number))
        order.append([entry, (number, page)])
    checksum = 0
    for word in sorted(index):
        for number, (_, page), places in index[word]:
            checksum = (checksum * 31 + number + page + len(places)) & 0xFFFFFFFF
    print(f"{len(order)} entries under {len(index)} words, checksum {checksum:08x}")


main()
