"""JSON: a batch of records is written, read, looked through and written again."""
import json
import zlib

from command import randoms, scaled


def records(count):
    source = randoms(2)
    for number in range(count):
        yield {
            "id": number,
            "name": f"customer {next(source) % 10007}",
            "active": next(source) % 3 == 0,
            "tags": [f"tag{next(source) % 40}" for _ in range(4)],
            "address": {"city": f"town {next(source) % 300}", "zip": f"{next(source) % 99991:05d}"},
            "orders": [{"item": next(source) % 500, "price": next(source) % 9973 / 100,
                        "notes": None} for _ in range(4)],
        }


def main():
    batch = list(records(scaled(10000)))
    checksum = 0
    for turn in range(4):
        text = json.dumps(batch, sort_keys=turn % 2 == 0)
        batch = json.loads(text)
        for record in batch:
            record["orders"].append({"item": turn, "price": len(record["tags"]), "notes": "again"})
        checksum = zlib.crc32(text.encode(), checksum)
    total = sum(order["price"] for record in batch for order in record["orders"])
    print(f"{len(batch)} records, {total:.2f}, checksum {checksum:08x}")


main()
