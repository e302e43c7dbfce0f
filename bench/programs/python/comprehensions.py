"""Comprehensions: tables as lists of tuples are filtered, joined and grouped."""
from command import randoms, scaled


def main():
    source, checksum = randoms(8), 0
    people = [(n, f"name {next(source) % 5000}", next(source) % 90, next(source) % 200)
              for n in range(scaled(50000))]
    towns = {n: (f"town {n}", next(source) % 1000000) for n in range(200)}
    for turn in range(10):
        adults = [(name, age, town) for _, name, age, town in people if age >= 18 + turn]
        joined = [(name, age, *towns[town]) for name, age, town in adults]
        big = {(town, name) for name, _, town, size in joined if size > 300000}
        ages = {town: [age for _, age, there in adults if there == town] for town in range(12)}
        pairs = [(a, b) for a in range(60) for b in range(60) if (a * b + turn) % 7 == 0]
        checksum = (checksum * 31 + len(big) + sum(map(len, ages.values())) + len(pairs)
                    + sum(age for _, age, _, _ in joined)) & 0xFFFFFFFF
    print(f"{len(people)} people, checksum {checksum:08x}")


main()
