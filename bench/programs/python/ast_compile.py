"""The compiler's own front end: source text is parsed to an AST, walked, changed and compiled."""
import ast
import zlib

from command import randoms, scaled

FUNCTION = '''
def f{n}(a, b={c}):
    """Function {n}."""
    total = 0
    for i in range(a):
        if i % {m} == 0 and not b:
            total += i * {c} - (a << 2)
        elif i in (1, 2, {c}):
            total += {{"k": sum([x + y for x, y in zip(range(i), range({m})) if x < y])}}["k"]
        else:
            total -= f"{{i}}:{{b!r}}".count("1")
    return total + len("text {n}")
'''


class Renamer(ast.NodeTransformer):
    """Replaces small constants, as an optimiser or a coverage tool rewrites a tree."""

    def visit_Constant(self, node):
        if isinstance(node.value, int):
            return ast.copy_location(ast.Constant(node.value + 1), node)
        return node


def main():
    source, checksum, nodes = randoms(6), 0, 0
    for number in range(scaled(14)):
        text = "".join(FUNCTION.format(n=n, c=next(source) % 50, m=2 + next(source) % 9)
                       for n in range(60))
        tree = ast.fix_missing_locations(Renamer().visit(ast.parse(text)))
        nodes += sum(1 for _ in ast.walk(tree))
        names = {}
        exec(compile(tree, f"module {number}", "exec"), names)
        values = [names[f"f{n}"](12) for n in range(0, 60, 7)]
        checksum = zlib.crc32(repr(values).encode() + ast.dump(tree.body[-1]).encode(), checksum)
    print(f"{nodes} nodes, checksum {checksum:08x}")


main()
