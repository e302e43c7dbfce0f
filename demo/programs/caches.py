"""Caches with back references: a document caches its pages, and each page knows its document.

Dropping a document drops a cycle: a few small objects, and the texts that they hold.
"""
import gc
import sys
import zlib

# With `floor` it collects at every 20th step, for the least that it can do with: bench/python.py
FLOOR = "floor" in sys.argv


class Document:
    def __init__(self, number):
        self.number = number
        self.pages = {}

    def page(self, number):
        if number not in self.pages:
            self.pages[number] = Page(self, number)
        return self.pages[number]


class Page:
    def __init__(self, document, number):
        self.document = document
        self.text = f"{document.number:06}/{number} ".encode() * 60000


def main():
    checksum = 0
    for number in range(1500):
        document = Document(number)
        for visit in range(30):
            checksum = zlib.crc32(document.page(visit * visit % 5).text[:64], checksum)
        if FLOOR and number % 20 == 0:
            gc.collect()
    print(f"1500 documents, checksum {checksum:08x}")


main()
