"""An ordinary program: records go through JSON, pickle and XML and come back."""
import hashlib
import json
import pickle
import xml.etree.ElementTree as xml


def records(count):
    state = 7
    for number in range(count):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        yield {
            "id": number,
            "name": f"customer {state % 10007}",
            "tags": [f"t{state % 13}", f"t{state % 17}"],
            "address": {"street": f"{state % 211} Main Street", "zip": f"{state % 99991:05d}"},
            "orders": [{"item": state % 101, "price": state % 9973 / 100} for _ in range(3)],
        }


def through_json(people):
    return json.loads(json.dumps(people))


def through_pickle(people):
    return pickle.loads(pickle.dumps(people, protocol=4))


def through_xml(people):
    root = xml.Element("people")
    for person in people:
        node = xml.SubElement(root, "person", id=str(person["id"]), name=person["name"])
        for order in person["orders"]:
            xml.SubElement(node, "order", item=str(order["item"]), price=str(order["price"]))
    again = xml.fromstring(xml.tostring(root))
    return sum(float(order.get("price")) for order in again.iter("order"))


def main():
    digest = hashlib.sha256()
    for batch in range(8):
        people = list(records(6000 + batch))
        people = through_pickle(through_json(people))
        total = through_xml(people)
        digest.update(json.dumps(people[batch::97], sort_keys=True).encode())
        digest.update(f"{total:.2f}".encode())
    print(f"8 batches, digest {digest.hexdigest()[:16]}")


main()
