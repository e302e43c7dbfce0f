"""csv: a table of text is read as dictionaries, converted, grouped, sorted and written."""
import csv
import io
import zlib
from collections import defaultdict
from datetime import date, timedelta

from command import randoms, scaled


def table(count):
    source, out = randoms(13), io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("day", "shop", "product", "pieces", "price", "remark"))
    for _ in range(count):
        day = date(2020, 1, 1) + timedelta(next(source) % 700)
        writer.writerow((day, f"shop {next(source) % 25}", f'"p{next(source) % 300}"',
                         next(source) % 9, next(source) % 5000 / 100,
                         "two, words" if next(source) % 4 == 0 else ""))
    return out.getvalue()


def main():
    text = table(scaled(45000))
    sales = []
    for row in csv.DictReader(io.StringIO(text)):
        row["day"] = date.fromisoformat(row["day"])
        row["total"] = int(row["pieces"]) * float(row["price"])
        sales.append(row)
    groups = defaultdict(list)
    for row in sales:
        groups[(row["shop"], row["day"].month)].append(row)
    out = io.StringIO()
    writer = csv.DictWriter(out, ("shop", "month", "sales", "total", "best"))
    writer.writeheader()
    for (shop, month), rows in sorted(groups.items()):
        best = max(rows, key=lambda row: (row["total"], row["product"]))
        writer.writerow({"shop": shop, "month": month, "sales": len(rows), "best": best["product"],
                         "total": f"{sum(row['total'] for row in rows):.2f}"})
    sales.sort(key=lambda row: (row["day"], row["shop"], row["product"]))
    checksum = zlib.crc32(out.getvalue().encode() + sales[len(sales) // 2]["product"].encode())
    print(f"{len(sales)} sales in {len(groups)} groups, checksum {checksum:08x}")


main()
