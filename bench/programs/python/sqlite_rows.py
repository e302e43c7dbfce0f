"""sqlite3: rows go in and come out as tuples, dictionaries and groups."""
import sqlite3

from command import randoms, scaled


def rows(count):
    source = randoms(11)
    for number in range(count):
        yield (number, f"customer {next(source) % 3000}", next(source) % 100,
               next(source) % 10000 / 100, f"note {next(source)} " * 3)


def main():
    base, checksum = sqlite3.connect(":memory:"), 0
    base.execute("create table sale (id integer primary key, who text, item int, price real,"
                 " note text)")
    base.executemany("insert into sale values (?, ?, ?, ?, ?)", rows(scaled(60000)))
    base.execute("create index sale_item on sale (item)")
    for turn in range(3):
        everything = base.execute("select * from sale").fetchall()
        by_item = {}
        for number, who, item, price, _ in everything:
            by_item.setdefault(item, []).append((who, price, number))
        names = ("id", "who", "price")
        for item in range(0, 100, 3):
            found = [dict(zip(names, row)) for row in base.execute(
                "select id, who, price from sale where item = ? order by id", (item,))]
            assert len(found) == len(by_item.get(item, ()))
            checksum = (checksum * 31 + sum(row["id"] for row in found)) & 0xFFFFFFFF
        base.execute("update sale set item = (item + ?) % 100 where id % 5 = 0", (turn + 1,))
    print(f"{len(everything)} rows, checksum {checksum:08x}")


main()
