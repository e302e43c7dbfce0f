"""Search with backtracking: exact covers with sets and dictionaries, and queens on a board."""
from command import scaled


def covers(columns, rows, chosen):
    """Algorithm X: columns maps each to its rows, rows to its columns."""
    if not columns:
        yield list(chosen)
        return
    column = min(columns, key=lambda c: (len(columns[c]), c))
    for row in sorted(columns[column]):
        chosen.append(row)
        saved = take(columns, rows, row)
        yield from covers(columns, rows, chosen)
        give(columns, rows, row, saved)
        chosen.pop()


def take(columns, rows, row):
    saved = []
    for here in rows[row]:
        for other in columns[here]:
            for there in rows[other]:
                if there != here:
                    columns[there].remove(other)
        saved.append(columns.pop(here))
    return saved


def give(columns, rows, row, saved):
    for here in reversed(rows[row]):
        columns[here] = saved.pop()
        for other in columns[here]:
            for there in rows[other]:
                if there != here:
                    columns[there].add(other)


def latin(size):
    """Squares in which each number stands once in each row and column, the first row fixed."""
    rows = {(r, c, v): [("cell", r, c), ("row", r, v), ("column", c, v)]
            for r in range(size) for c in range(size) for v in range(size)
            if r > 0 or c == v}
    columns = {}
    for row, here in rows.items():
        for column in here:
            columns.setdefault(column, set()).add(row)
    return sum(1 for _ in covers(columns, rows, []))


def queens(size, placed=()):
    """All boards, as tuples."""
    if len(placed) == size:
        return [placed]
    here = len(placed)
    return [board for column in range(size)
            if all(column != other and abs(column - other) != here - at
                   for at, other in enumerate(placed))
            for board in queens(size, placed + (column,))]


def main():
    boards = sum(len(queens(7 + turn % 2)) for turn in range(scaled(60)))
    squares = sum(latin(4) for _ in range(scaled(30)))
    print(f"{boards} boards, {squares} squares")


main()
