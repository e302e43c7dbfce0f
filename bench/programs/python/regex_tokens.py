"""Regular expressions: a program text becomes tokens, log lines become fields."""
import collections
import re
import zlib

from command import randoms, scaled

TOKEN = re.compile(r"""(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<text>"[^"]*")
                    |(?P<op>[-+*/=<>!]=?|[(){};,])|(?P<space>\s+)""", re.VERBOSE)
LINE = re.compile(r'(\S+) \[(\d+)/(\w+)\] "(\w+) ([^"]*)" (\d{3}) (\d+)')
Token = collections.namedtuple("Token", "kind text at")


def program(source, lines):
    return "\n".join(f'if (v{next(source) % 99} <= {next(source) % 999}.5) {{ f{n} = "text {n}"; '
                     f'call(v{next(source) % 9}, {n} * 3); }}' for n in range(lines))


def log(source, lines):
    return [f'10.0.{next(source) % 255}.7 [{next(source) % 31}/May] "GET /page/{next(source) % 500}'
            f'?q={next(source) % 9}" {200 + next(source) % 3 * 100} {next(source) % 70000}'
            for _ in range(lines)]


def main():
    source, checksum = randoms(12), 0
    for _ in range(scaled(50)):
        tokens = [Token(found.lastgroup, found.group(), found.start())
                  for found in TOKEN.finditer(program(source, 600)) if found.lastgroup != "space"]
        kinds = collections.Counter(token.kind for token in tokens)
        checksum = zlib.crc32(repr(sorted(kinds.items())).encode(), checksum)
        pages = collections.defaultdict(list)
        for line in log(source, 2000):
            host, day, month, _, page, status, size = LINE.match(line).groups()
            pages[re.sub(r"\?.*", "", page)].append((host, int(day), month, status, int(size)))
        total = sum(row[4] for rows in pages.values() for row in rows)
        checksum = zlib.crc32(str(total).encode(), checksum)
    print(f"{len(tokens)} tokens and {len(pages)} pages at last, checksum {checksum:08x}")


main()
