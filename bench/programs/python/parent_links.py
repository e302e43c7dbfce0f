"""Trees whose nodes know their parents, as documents, widgets and scenes have them: each one
that is dropped is a web of small cycles."""
from command import randoms, scaled


class Element:
    """A node of a document."""

    def __init__(self, name, parent=None):
        self.name = name
        self.parent = parent
        self.children = []
        self.attributes = {"class": name}
        if parent is not None:
            parent.children.append(self)

    def path(self):
        names, node = [], self
        while node is not None:
            names.append(node.name)
            node = node.parent
        return "/".join(reversed(names))


def document(source, nodes):
    root = Element("html")
    everything = [root]
    for number in range(nodes):
        parent = everything[next(source) % len(everything)]
        everything.append(Element(f"e{number % 23}", parent))
    return root, everything


def depth(node):
    return 1 + max(map(depth, node.children), default=0)


def main():
    source, checksum = randoms(17), 0
    for _ in range(scaled(500)):
        root, everything = document(source, 700)
        longest = max(everything[::10], key=lambda node: len(node.path())).path()
        checksum = (checksum * 31 + depth(root) + len(longest)) & 0xFFFFFFFF
    print(f"checksum {checksum:08x}")


main()
