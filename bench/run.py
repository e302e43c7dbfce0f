#!/usr/bin/python3
"""Runs the benchmarks: every allocator on every workload, side by side.

    run.py [NAME ...] [--runs N] [--quick] [--arms A,B] [--build DIR] [--off-build DIR]

The arms take turns (A B C A B C ...), pinned to CPUs, so that what disturbs the machine disturbs
all of them. Prints medians and ratios of CPU time, wall time and peak RSS, and writes every single
run with the machine's description to bench/results/.
"""

import argparse
import collections
import datetime
import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

import machine
import report
import suite

TIME_LIMIT_S = 300
# what could change an allocator's behaviour or bring in another one
DROPPED_PREFIXES = ("TM_", "LD_", "MALLOC_", "MIMALLOC_", "TCMALLOC_", "TBB_", "PYTHON", "GLIBC_")


class BenchError(Exception):
    """A run that must not be counted."""


def clean_environment():
    """The environment of every run, without settings of any allocator."""
    return {name: text for name, text in os.environ.items()
            if not name.startswith(DROPPED_PREFIXES)}


def settings_of(arm, workload, libc):
    """NAME=VALUE for the command: the preload, and for our own programs the file that they check
    for. libc is preloaded like any other arm, because a program may be linked with an allocator."""
    library = arm.library or libc
    settings = [f"LD_PRELOAD={library}", *workload.settings, *arm.settings]
    if workload.package is None:
        settings.append(f"BENCH_ALLOCATOR={os.path.basename(library)}")
    return settings


def pin(cpus):
    """Called in the child: one CPU for single-threaded work (the last one, interrupts like the
    first), the first ones otherwise."""
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, allowed[-1:] if cpus == 1 else allowed[:cpus])


def pin_aside():
    """Called in a server's client: not where the server is."""
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, allowed[:-1] or allowed)


def free_port():
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process):
    """Returns when the server accepts connections."""
    end = time.monotonic() + TIME_LIMIT_S
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise BenchError(f"the server does not listen on port {port}")


def run_client(workload, port, process):
    """Loads a server and ends it."""
    wait_for_port(port, process)
    for command in (workload.client, workload.stop):
        subprocess.run([part.replace("PORT", str(port)) for part in command],
                       stdout=subprocess.DEVNULL, check=True, timeout=TIME_LIMIT_S,
                       env=clean_environment(), preexec_fn=pin_aside)


def read_numbers(numbers):
    """(exit status, row) of what bench/measure.c prints."""
    code, user, system, wall, rss, minor, _, switches = map(int, numbers.split())
    return code, {"user_s": user / 1e6, "system_s": system / 1e6, "wall_s": wall / 1e6,
                  "peak_rss_kib": rss, "minor_faults": minor, "context_switches": switches}


def measure(measurer, arm, command, workload, libc):
    """One run: (row, digest of its output)."""
    port = free_port() if workload.client else 0
    command = [part.replace("PORT", str(port)) for part in command] if port else command
    with tempfile.NamedTemporaryFile(prefix="bench-") as output:
        full = [measurer, "-o", output.name, *settings_of(arm, workload, libc), "--", *command]
        with subprocess.Popen(full, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=clean_environment(),
                              preexec_fn=lambda: pin(workload.cpus)) as process:
            try:
                if port:
                    run_client(workload, port, process)
                numbers, complaints = process.communicate(timeout=TIME_LIMIT_S)
            except (BenchError, subprocess.SubprocessError) as error:
                raise BenchError(f"{arm.name}: {' '.join(full)}: {error}") from error
            finally:
                process.kill()  # after Ctrl-C, too; one that has ended does not mind
        digest = "" if port else hashlib.sha256(output.read()).hexdigest()
    if process.returncode != 0 or "ERROR: ld.so" in complaints:
        raise BenchError(f"{arm.name}: {' '.join(full)}: {complaints.strip()}")
    code, row = read_numbers(numbers)
    if code != 0:
        raise BenchError(f"{arm.name}: exit {code} of {' '.join(full)}: {complaints.strip()}")
    return row, digest


def check_arm(programs_dir, arm, libc):
    """Proves that the arm's malloc and free come from its library."""
    library = arm.library or libc
    done = subprocess.run([os.path.join(programs_dir, "probe")], capture_output=True, text=True,
                          check=False, env={**clean_environment(), "LD_PRELOAD": library})
    files = [os.path.realpath(path) for path in done.stdout.split()]
    if files != [os.path.realpath(library)] * 2:
        raise BenchError(f"{arm.name}: malloc and free come from {files}, wanted {library}: "
                         f"{done.stderr.strip()}")


def run_workload(workload, program, arms, options, tools):
    """All runs of one workload, arms interleaved."""
    command = [program, *workload.arguments(options.divisor)]
    rows, digests = [], collections.defaultdict(set)
    for run in range(options.runs):
        for arm in arms:
            row, digest = measure(tools["measure"], arm, command, workload, tools["libc"])
            rows.append({"workload": workload.name, "arm": arm.name, "run": run, **row})
            digests[digest].add(arm.name)
    if len(digests) != 1:
        raise BenchError(f"{workload.name}: output differs: {list(digests.values())}")
    return rows


def choose(names, workloads):
    """Workloads by name, by program or by the beginning of the name."""
    if not names:
        return list(workloads)
    chosen = [work for work in workloads
              if any(work.name.startswith(name) or work.command[0] == name for name in names)]
    for name in names:
        if not any(work.name.startswith(name) or work.command[0] == name for work in workloads):
            raise BenchError(f"no workload {name}; there are: "
                             + " ".join(work.name for work in workloads))
    return chosen


def parse(arguments, add_options=None):
    """The command line; add_options(parser) adds what one benchmark has besides."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="workloads, default: all")
    parser.add_argument("--runs", type=int, help="runs of each arm, default 7 (quick: 3)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--arms", help="only these, e.g. tidemark,mimalloc,glibc")
    parser.add_argument("--build", help="build directory, default build/bench or build/release")
    parser.add_argument("--off-build",
                        help="build without accounting, default build/bench-uncounted")
    parser.add_argument("--out", help="where the CSV goes, default bench/results")
    parser.add_argument("--list", action="store_true", help="list workloads and arms")
    if add_options is not None:
        add_options(parser)
    options = parser.parse_args(arguments)
    options.divisor = 10 if options.quick else 1
    options.runs = options.runs or (3 if options.quick else 7)
    builds = [os.path.join(machine.ROOT, "build", name) for name in ("bench", "release")]
    options.build = (options.build or os.environ.get("TIDEMARK_BUILD")
                     or next(filter(machine.find_program_dir, builds), builds[0]))
    options.off_build = options.off_build or os.path.join(machine.ROOT, "build",
                                                          "bench-uncounted")
    return options


def choose_arms(options):
    """The arms of this run; says what is missing."""
    arms, missing = machine.find_arms(options.build, options.off_build)
    wanted = (options.arms.split(",") if options.arms
              else [arm.name for arm in arms if not arm.settings])
    for line in missing:
        print(f"not here: {line}", file=sys.stderr)
    if not options.arms and machine.TIDEMARK not in [arm.name for arm in arms]:
        raise BenchError("without tidemark's preload library there is nothing to compare; "
                         "--arms chooses others")
    for name in wanted:
        if name not in [arm.name for arm in arms]:
            raise BenchError(f"no arm {name}; there are: " + " ".join(arm.name for arm in arms))
    return [arm for arm in arms if arm.name in wanted]


def kind_of(options):
    """What sort of run this is, for the file's name."""
    return "quick" if options.quick else "part" if options.names or options.arms else "full"


def result_path(options, kind):
    """A new file in the results directory."""
    directory = options.out or os.path.join(machine.ROOT, "bench", "results")
    os.makedirs(directory, exist_ok=True)
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d-%H%M%S")
    return os.path.join(directory, f"{stamp}-{kind}.csv")


def run_all(options, arms):
    """Every chosen workload; the rows and the failures. Ctrl-C and SIGTERM end it early, with what
    has been measured."""
    programs_dir = machine.find_program_dir(options.build)
    if programs_dir is None:
        raise BenchError(f"no benchmark programs below {options.build}: build them first")
    tools = {"measure": os.path.join(programs_dir, "measure"), "libc": machine.find_libc()}
    for arm in arms:
        check_arm(programs_dir, arm, tools["libc"])
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rows, failures = [], []
    for workload in choose(options.names, suite.GENERAL + suite.PROGRAMS):
        program = suite.find_program(workload, programs_dir)
        if program is None:
            print(f"skipped: {workload.name}: not here (package {workload.package})",
                  file=sys.stderr)
            continue
        print(f"{workload.name} ...", file=sys.stderr, flush=True)
        try:
            rows += run_workload(workload, program, arms, options, tools)
        except BenchError as error:
            failures.append(f"{workload.name}: {error}")
            print(f"FAILED: {failures[-1]}", file=sys.stderr)
        except KeyboardInterrupt:
            failures.append(f"{workload.name}: interrupted, the workloads before it are shown")
            break
    return rows, failures


def show(rows, options):
    """The tables."""
    results = report.from_runs([], rows)
    for key, title in report.MEASURES:
        unit = "MiB" if key == "rss" else "s"
        print(f"\n{title}, {unit}: medians of {options.runs} runs; ratios below 1 are ours")
        print(report.as_text(report.measure_table(results, key, machine.TIDEMARK)))


def main(arguments):
    """Exit status: 0, 1 when a run failed, 2 when nothing could be run."""
    options = parse(arguments)
    try:
        arms = choose_arms(options)
        if options.list:
            print("arms:", *(arm.name for arm in arms))
            print("workloads:", *(work.name for work in suite.GENERAL + suite.PROGRAMS))
            return 0
        head = machine.describe(options.build, arms)
        rows, failures = run_all(options, arms)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    if rows:
        head += [("load_after", f"{os.getloadavg()[0]:.2f}"), ("runs", str(options.runs)),
                 ("work", "1/10" if options.quick else "full")]
        path = result_path(options, "part" if failures else kind_of(options))
        report.write(path, head, rows)
        show(rows, options)
        print(f"\nwritten: {os.path.relpath(path, machine.ROOT)}")
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
