"""Binary trees: many that are made and dropped at once, beside one that stays."""
from command import scaled


class Node:
    """A node of two children or none."""
    __slots__ = ("left", "right")

    def __init__(self, left, right):
        self.left = left
        self.right = right


def tree(depth):
    return Node(tree(depth - 1), tree(depth - 1)) if depth else Node(None, None)


def count(node):
    return 1 + count(node.left) + count(node.right) if node.left else 1


def main():
    kept = tree(15)
    for depth in range(6, 15, 4):
        rounds = scaled(3 << (16 - depth))
        nodes = sum(count(tree(depth)) for _ in range(rounds))
        print(f"{rounds} trees of depth {depth}: {nodes} nodes")
    print(f"kept: {count(kept)} nodes")


main()
