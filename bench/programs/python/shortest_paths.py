"""Graphs: shortest paths with a heap, components, and a minimum spanning tree."""
import heapq

from command import randoms, scaled


def graph(count):
    """Neighbours of each node as lists of (node, length)."""
    source = randoms(14)
    links = [[] for _ in range(count)]
    for node in range(1, count):
        for other in (next(source) % node, next(source) % count, next(source) % count):
            length = 1 + next(source) % 100
            links[node].append((other, length))
            links[other].append((node, length))
    return links


def distances(links, start):
    far, queue = {start: 0}, [(0, start)]
    while queue:
        here, node = heapq.heappop(queue)
        if here > far[node]:
            continue
        for other, length in links[node]:
            if here + length < far.get(other, 1 << 60):
                far[other] = here + length
                heapq.heappush(queue, (here + length, other))
    return far


def spanning(links):
    """Length of the minimum spanning tree."""
    parent = list(range(len(links)))

    def root(node):
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    total = 0
    for length, a, b in sorted((length, a, b) for a, row in enumerate(links)
                               for b, length in row if a < b):
        left, right = root(a), root(b)
        if left != right:
            parent[left] = right
            total += length
    return total


def main():
    links = graph(scaled(20000))
    sums = [sum(distances(links, start * len(links) // 8).values()) for start in range(7)]
    print(f"{len(links)} nodes, distances {sums}, tree {spanning(links)}")


main()
