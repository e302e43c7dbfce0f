"""ElementTree: a catalogue is built, written, parsed and searched."""
import xml.etree.ElementTree as xml
import zlib

from command import randoms, scaled


def catalogue(count):
    source = randoms(5)
    root = xml.Element("catalogue")
    for number in range(count):
        book = xml.SubElement(root, "book", id=str(number), shelf=str(next(source) % 40))
        xml.SubElement(book, "title").text = f"Book <{next(source) % 9973}>"
        authors = xml.SubElement(book, "authors")
        for _ in range(1 + next(source) % 3):
            xml.SubElement(authors, "author", born=str(1900 + next(source) % 99)).text = "A & B"
        xml.SubElement(book, "price", currency="EUR").text = f"{next(source) % 9999 / 100:.2f}"
    return root


def main():
    root, checksum = catalogue(scaled(11000)), 0
    for turn in range(3):
        text = xml.tostring(root)
        checksum = zlib.crc32(text, checksum)
        root = xml.fromstring(text)
        for book in root.findall(f"book[@shelf='{turn}']"):
            book.find("title").text += " (sold)"
    total = sum(float(book.findtext("price")) for book in root.iter("book"))
    born = max(int(author.get("born")) for author in root.iterfind("book/authors/author"))
    print(f"{len(root)} books, {total:.2f}, born {born}, checksum {checksum:08x}")


main()
