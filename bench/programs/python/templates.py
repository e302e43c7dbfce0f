"""Text templates: pages of a site from a small template language that is compiled to closures."""
import html
import re
import zlib

from command import randoms, scaled

PAGE = """<html><head><title>{{ title }}</title></head><body><h1>{{ title }}</h1>
{% for row in rows %}<tr class="{{ row.kind }}"><td>{{ row.name }}</td><td>{{ row.text }}</td>
{% for tag in row.tags %}<b>{{ tag }}</b>{% end %}</tr>
{% end %}<p>{{ footer }}</p></body></html>"""


def value(context, path):
    for part in path.split("."):
        context = context[part]
    return context


def compiled(parts):
    """A list of functions of the context, until an end or the end."""
    made = []
    for part in parts:
        if part.startswith("{{"):
            path = part[2:-2].strip()
            made.append(lambda context, path=path: html.escape(str(value(context, path))))
        elif part.startswith("{% end"):
            return made
        elif part.startswith("{%"):
            _, name, _, path = part[2:-2].split()
            made.append(loop(name, path, compiled(parts)))
        else:
            made.append(lambda context, text=part: text)
    return made


def loop(name, path, body):
    def run(context):
        out = []
        for item in value(context, path):
            inner = {**context, name: item}
            out += [piece(inner) for piece in body]
        return "".join(out)
    return run


def main():
    source, checksum = randoms(10), 0
    page = compiled(iter(re.split(r"(\{\{.*?\}\}|\{%.*?%\})", PAGE)))
    for number in range(scaled(1500)):
        rows = [{"kind": f"k{next(source) % 3}", "name": f"<name {next(source) % 999}>",
                 "text": f"'{next(source)}' & more", "tags": [f"t{next(source) % 9}"] * 3}
                for _ in range(80)]
        context = {"title": f"Page {number}", "rows": rows, "footer": f"{len(rows)} rows"}
        checksum = zlib.crc32("".join(piece(context) for piece in page).encode(), checksum)
    print(f"checksum {checksum:08x}")


main()
