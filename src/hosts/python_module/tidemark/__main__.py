"""python3 -m tidemark: the command's `run` with this interpreter, and a look at other processes."""
import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

from . import __version__, _ask, _show, installed, log, stats

EPILOG = """\
run takes what `tidemark run` takes. A script, -m or -c in the place of COMMAND is run by this
interpreter:

  python3 -m tidemark run --soft 512M app.py arg
  python3 -m tidemark run --report -- gunicorn app:main

TARGET is the number of a process, a URL, HOST:PORT, :PORT or the path of a unix socket.
"""


def find_command():
    """The `tidemark` that this package belongs to, else the first of the PATH."""
    package = Path(__file__).resolve().parent
    places = [package / "_native"]
    if package.parts[-3:] == ("tidemark", "python", "tidemark"):  # lib/, or lib/MULTIARCH/
        places += package.parents[3:5]
    for place in places:
        if os.access(place / "bin" / "tidemark", os.X_OK):
            return str(place / "bin" / "tidemark")
    return shutil.which("tidemark")


def complete(arguments):
    """Puts this interpreter before a script, -m or -c where COMMAND stands."""
    if "--" in arguments:
        at = arguments.index("--") + 1
    else:
        words = [i for i, word in enumerate(arguments)
                 if word in ("-m", "-c") or (word.endswith(".py") and not word.startswith("-"))]
        at = words[0] if words else len(arguments)
    command = arguments[at:]
    if command and (command[0] in ("-m", "-c") or command[0].endswith(".py")):
        before = arguments[:at] if "--" in arguments else [*arguments[:at], "--"]
        return [*before, sys.executable, *command]
    return arguments


def run(arguments):
    command = find_command()
    if not command:
        sys.exit("tidemark: the command is neither beside this package nor on the PATH")
    os.execv(command, [command, "run", *complete(arguments)])


def look(target):
    """(snapshot, log) of a process; None is this one."""
    if target is None:
        return {"process": {"pid": os.getpid()}, "heaps": [stats()]}, log()
    address = _ask.find(target)
    return _ask.get(address, "/stats.json"), _ask.get(address, "/log.json")


def show_stats(options):
    if options.target is None and not installed():
        sys.exit("tidemark: the heap is not under this interpreter; name a process, or start it "
                 "with `tidemark run`")
    snapshot, _ = look(options.target)
    print(json.dumps(snapshot, indent=2) if options.json else _show.stats_text(snapshot))


def show_top(options):
    once = options.once or not sys.stdout.isatty()
    while True:
        snapshot, events = look(options.target)
        lines = 1000 if once else shutil.get_terminal_size().lines - 1
        text = _show.screen(snapshot, events, options.target, lines)
        if once:
            print(text)
            return
        width = shutil.get_terminal_size().columns
        cut = "\n".join(line[:width] for line in text.split("\n"))
        sys.stdout.write("\x1b[H\x1b[J" + cut)
        sys.stdout.flush()
        time.sleep(options.interval)


def seconds(text):
    value = float(text)
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError("from 0.1 to 3600")
    return value


def parser():
    whole = argparse.ArgumentParser(prog="python3 -m tidemark", description=__doc__, epilog=EPILOG,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
    whole.add_argument("--version", action="version", version=f"tidemark {__version__}")
    commands = whole.add_subparsers(dest="command", required=True, metavar="run | stats | top")
    commands.add_parser("run", help="start a program under Tidemark", add_help=False)
    one = commands.add_parser("stats", help="the numbers of a process, once")
    one.add_argument("target", nargs="?", metavar="TARGET", help="default: this process")
    one.add_argument("--json", action="store_true", help="as the monitor serves it")
    one.set_defaults(call=show_stats)
    live = commands.add_parser("top", help="the same, again and again")
    live.add_argument("target", metavar="TARGET")
    live.add_argument("--once", action="store_true", help="one screen, then the end")
    live.add_argument("--interval", type=seconds, default=1.0, metavar="SECONDS")
    live.set_defaults(call=show_top)
    return whole


def main(arguments):
    if arguments[:1] == ["run"]:
        run(arguments[1:])
    options = parser().parse_args(arguments)
    try:
        options.call(options)
    except _ask.Unreachable as error:
        sys.exit(f"tidemark: {error}")
    except KeyboardInterrupt:
        print()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader has seen enough


if __name__ == "__main__":
    main(sys.argv[1:])
