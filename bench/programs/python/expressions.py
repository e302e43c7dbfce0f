"""A recursive-descent parser: formulas become trees of tuples, which are simplified
and evaluated."""
from command import randoms, scaled


def formula(source, depth):
    """A random formula as text."""
    pick = next(source)
    if depth == 0 or pick % 7 == 0:
        return f"x{pick % 9}" if pick % 2 else str(pick % 1000)
    if pick % 7 == 1:
        return f"-({formula(source, depth - 1)})"
    left, right = formula(source, depth - 1), formula(source, depth - 1)
    return f"({left} {'+-*'[pick % 3]} {right})"


class Parser:
    """One token ahead, one method a rule."""

    def __init__(self, text):
        self.text = text
        self.at = 0

    def peek(self):
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1
        return self.text[self.at] if self.at < len(self.text) else ""

    def sum(self):
        tree = self.product()
        while self.peek() in ("+", "-") and self.peek():
            sign = self.text[self.at]
            self.at += 1
            tree = (sign, tree, self.product())
        return tree

    def product(self):
        tree = self.atom()
        while self.peek() == "*":
            self.at += 1
            tree = ("*", tree, self.atom())
        return tree

    def atom(self):
        head = self.peek()
        if head == "(":
            self.at += 1
            tree = self.sum()
            assert self.peek() == ")"
            self.at += 1
            return tree
        if head == "-":
            self.at += 1
            return ("neg", self.atom())
        start = self.at
        while self.at < len(self.text) and self.text[self.at].isalnum():
            self.at += 1
        word = self.text[start:self.at]
        return ("name", word) if word[0] == "x" else ("number", int(word))


def simplified(tree):
    """The same tree with constants folded."""
    if tree[0] in ("name", "number"):
        return tree
    parts = [simplified(part) for part in tree[1:]]
    if all(part[0] == "number" for part in parts):
        return ("number", apply(tree[0], [part[1] for part in parts]))
    return (tree[0], *parts)


def apply(what, values):
    if what == "neg":
        return -values[0] & 0xFFFFFFFF
    left, right = values
    if what == "*":
        return left * right & 0xFFFFFFFF
    return (left + right if what == "+" else left - right) & 0xFFFFFFFF


def evaluated(tree, names):
    if tree[0] == "number":
        return tree[1]
    if tree[0] == "name":
        return names[tree[1]]
    return apply(tree[0], [evaluated(part, names) for part in tree[1:]])


def main():
    source = randoms(1)
    texts = [formula(source, 9) for _ in range(scaled(1000))]
    trees = [simplified(Parser(text).sum()) for text in texts]
    checksum = 0
    for turn in range(6):
        names = {f"x{i}": i * 7 + turn for i in range(9)}
        for tree in trees:
            checksum = (checksum * 31 + evaluated(tree, names)) & 0xFFFFFFFF
    print(f"{len(trees)} formulas, {sum(map(len, texts))} characters, checksum {checksum:08x}")


main()
