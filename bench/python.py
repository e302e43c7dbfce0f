#!/usr/bin/python3
"""CPython as it is against CPython under Tidemark, on programs of the standard library.

    python.py [NAME ...] [--runs N] [--quick] [--arms A,B] [--python PATH] [--build DIR] [--out DIR]

  stock      python3 PROGRAM
  tidemark   tidemark run -- python3 PROGRAM
  heap-only  tidemark run --policy off -- ...: our heap, the interpreter's own times of collecting
  uncollected  stock, whose collector never runs: what is to win at all (not among the default arms)

The arms take turns and must print the same. Programs whose garbage is measured run in stock and
tidemark, and at every third turn once more with `floor`, which collects at every 20th step: their
garbage is the peak above that. Forked workers share a budget under tidemark; what is measured is
the peak of the summed PSS. A first run of each arm, which is not timed, counts collections. Prints
medians and ratios and writes every run to bench/results/*-python.csv.
"""

import collections
import dataclasses
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time

import group
import machine
import pyreport
import pysuite
import report
import run

SAMPLE_S = 0.02
FLOOR_TURNS = 3
SETTINGS = ("PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1")
COUNTED = os.path.join(pysuite.OWN, "counted.py")
ARMS = (pyreport.STOCK, pyreport.TIDEMARK, pyreport.HEAP_ONLY)
NEVER = (os.path.join(pysuite.OWN, "thresholds.py"), "0,0,0")


@dataclasses.dataclass(frozen=True)
class Tools:
    """What is run with what."""
    measure: str
    tidemark: str
    python: str


def arms_of(program, chosen):
    """Arms that are about time do not run what is about garbage."""
    return [arm for arm in chosen
            if program.kind == pysuite.SPEED or arm in (pyreport.STOCK, pyreport.TIDEMARK)]


def group_of(folder):
    """The name of the group that forked workers share."""
    return os.path.join(folder, "bench")


def members_of(tools, program, folder):
    """The function that reads who is in the program's group; nobody in that of other kinds."""
    if program.kind != pysuite.PREFORK:
        return list
    build = os.path.dirname(os.path.dirname(tools.tidemark))
    return group.Group(build, group_of(folder)).members


def prefix(tools, arm, program, folder):
    """What stands before the interpreter."""
    if arm in (pyreport.STOCK, pyreport.UNCOLLECTED):
        return []
    options = ["--policy", "off"] if arm == pyreport.HEAP_ONLY else []
    if program.kind == pysuite.PREFORK:
        options += ["--group", group_of(folder), f"--budget={pysuite.BUDGET_MIB}M"]
    return [tools.tidemark, "run", *options, "--"]


def wrapper_of(arm):
    """What runs the program, within the interpreter."""
    return NEVER if arm == pyreport.UNCOLLECTED else ()


def processes_below(pid):
    """Children, their children, and so on."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = [int(word) for word in file.read().split()]
    except OSError:
        return []
    return [found for child in children for found in (child, *processes_below(child))]


def watch(process, members, every_s):
    """Until a process ends: the peak of the summed PSS below it and that of its group's summed
    footprints, in bytes."""
    pss, footprint, end = 0, 0, time.monotonic() + run.TIME_LIMIT_S
    while process.poll() is None:
        if time.monotonic() > end:
            raise run.BenchError(f"not ended after {run.TIME_LIMIT_S} s")
        pss = max(pss, sum(group.pss_bytes(pid) for pid in processes_below(process.pid)))
        footprint = max(footprint, sum(member.footprint for member in members()))
        time.sleep(every_s)
    return pss, footprint


def measure(tools, command, program, members=list):
    """One run of a command: (row, digest of its output). members() are those of its group."""
    pss = footprint = 0
    with tempfile.NamedTemporaryFile(prefix="bench-") as output:
        full = [tools.measure, "-o", output.name, *SETTINGS, "--", *command]
        with subprocess.Popen(full, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=run.clean_environment(),
                              preexec_fn=lambda: run.pin(program.cpus)) as process:
            try:
                if program.kind == pysuite.PREFORK:
                    pss, footprint = watch(process, members, SAMPLE_S)
                numbers, complaints = process.communicate(timeout=run.TIME_LIMIT_S)
            except (run.BenchError, subprocess.SubprocessError) as error:
                raise run.BenchError(f"{' '.join(command)}: {error}") from error
            finally:
                process.kill()  # after Ctrl-C, too; one that has ended does not mind
        digest = hashlib.sha256(output.read()).hexdigest()
    code, row = run.read_numbers(numbers) if process.returncode == 0 else (None, {})
    if code != 0 or complaints:
        raise run.BenchError(f"{' '.join(command)}: exit {code}: {complaints.strip()}")
    return {**row, "peak_pss_kib": pss // 1024, "peak_footprint_kib": footprint // 1024}, digest


def count(tools, arm, program, options, folder):
    """({young, full}, digest) of a run that is not timed. Workers of a forking program do not
    count, and their parent hardly collects."""
    if program.kind == pysuite.PREFORK:
        return {"young": "", "full": ""}, None
    path = os.path.join(folder, "counts")
    _, digest = measure(tools, [*prefix(tools, arm, program, folder), tools.python, COUNTED, path,
                                *wrapper_of(arm), *program.command(options.percent)], program)
    with open(path, encoding="ascii") as file:
        return dict(zip(("young", "full"), file.read().split())), digest


def turns(program, options):
    """(number, arm, floor) of every timed run."""
    for number in range(options.runs):
        for arm in arms_of(program, options.arm_names):
            yield number, arm, False
            if program.kind == pysuite.MEMORY and number % FLOOR_TURNS == 0:
                yield number, arm, True


def run_program(tools, program, options):
    """All rows of one program."""
    rows, digests, counts = [], collections.defaultdict(set), {}
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/dev/shm") as folder:
        members = members_of(tools, program, folder)
        for arm in arms_of(program, options.arm_names):
            counts[arm], digest = count(tools, arm, program, options, folder)
            if digest is not None:
                digests[digest].add(f"{arm}, counted")
        for number, arm, floor in turns(program, options):
            command = [*prefix(tools, arm, program, folder), tools.python,
                       *wrapper_of(arm), *program.command(options.percent, floor)]
            row, digest = measure(tools, command, program, members)
            name = pyreport.FLOOR[arm] if floor else arm
            digests[digest].add(name)
            rows.append({"workload": program.name, "arm": name, "run": number, **row,
                         **({"young": "", "full": ""} if floor else counts[arm])})
    if len(digests) != 1:
        raise run.BenchError(f"output differs: {[sorted(names) for names in digests.values()]}")
    return rows


def choose(names):
    """Programs by name, by kind or by the beginning of the name."""
    def fits(program, name):
        return program.kind == name or program.name.startswith(name)

    for name in names:
        if not any(fits(program, name) for program in pysuite.PROGRAMS):
            raise run.BenchError(f"no program {name}; there are: "
                                 + " ".join(program.name for program in pysuite.PROGRAMS))
    return [program for program in pysuite.PROGRAMS
            if not names or any(fits(program, name) for name in names)]


def add_options(parser):
    """What this benchmark has besides the options of bench/run.py."""
    parser.add_argument("--python", default="/usr/bin/python3", metavar="PATH",
                        help="the interpreter, default /usr/bin/python3")


def find_tools(options):
    """Tools, or BenchError: what is missing."""
    programs_dir = machine.find_program_dir(options.build)
    tidemark = os.path.join(os.path.abspath(options.build), "bin", "tidemark")
    if programs_dir is None or not os.access(tidemark, os.X_OK):
        raise run.BenchError(f"no tidemark and no benchmark programs below {options.build}: "
                             "build them first")
    return Tools(os.path.join(programs_dir, "measure"), tidemark, options.python)


def choose_arms(options):
    """Names of arms."""
    names = options.arms.split(",") if options.arms else list(ARMS)
    known = (*ARMS, pyreport.UNCOLLECTED)
    for name in names:
        if name not in known:
            raise run.BenchError(f"no arm {name}; there are: {' '.join(known)}")
    return names


def run_all(tools, options):
    """Rows and failures of every chosen program. Ctrl-C and SIGTERM end it early, with what has
    been measured."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rows, failures = [], []
    for program in choose(options.names):
        print(f"{program.name} ...", file=sys.stderr, flush=True)
        try:
            rows += run_program(tools, program, options)
        except (run.BenchError, OSError) as error:
            failures.append(f"{program.name}: {error}")
        except KeyboardInterrupt:
            failures.append(f"{program.name}: interrupted, the programs before it are shown")
            break
    return rows, failures


def head_of(options, tools):
    """What the results depend on."""
    version = subprocess.run([tools.python, "-VV"], capture_output=True, text=True, check=True)
    return [*machine.describe(options.build, []), ("python", version.stdout.strip()),
            ("runs", str(options.runs)), ("work", f"{options.percent} %"),
            ("budget_mib", str(pysuite.BUDGET_MIB))]


def show(results):
    """The tables."""
    for title, rows in pyreport.parts(results):
        print(f"\n{title}; medians, ratios below 1 are ours")
        print(report.as_text(rows))
    print("\nWhere it loses:")
    for line in pyreport.losses(results) or ["nowhere"]:
        print(f"  {line}")


def kind_of(options, failures):
    """For the file's name; only a run of everything is for the documentation."""
    if options.quick:
        return "python-quick"
    never = options.arm_names == [pyreport.STOCK, pyreport.UNCOLLECTED]
    if never and options.names == [pysuite.SPEED] and not failures:
        return "python-uncollected"
    return "python-part" if options.names or options.arms or failures else "python"


def main(arguments):
    """Exit status: 0, 1 when a program failed, 2 when nothing could be run."""
    options = run.parse(arguments, add_options)
    options.percent = 100 // options.divisor
    try:
        options.arm_names = choose_arms(options)
        if options.list:
            print("arms:", *ARMS)
            print("programs:", *(program.name for program in pysuite.PROGRAMS))
            return 0
        tools = find_tools(options)
        head = head_of(options, tools)
        rows, failures = run_all(tools, options)
    except (run.BenchError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    if rows:
        head.append(("load_after", f"{os.getloadavg()[0]:.2f}"))
        path = run.result_path(options, kind_of(options, failures))
        report.write(path, head, rows, pyreport.FIELDS)
        show(report.from_runs(head, rows))
        print(f"\nwritten: {os.path.relpath(path, machine.ROOT)}")
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
