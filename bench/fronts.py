#!/usr/bin/python3
"""The time and memory fronts of the policies over simulated heaps.

    fronts.py [--build DIR] [--all] [--plot DIR]

Sweeps each policy's knob over the hosts of bench/fronts.c and prints how much memory it needs for
the collector time of GROWTH at 100 percent: for each host alone, and for all of them together with
one knob. Memory is the footprint's mean over time. Between two knobs the front is drawn straight
(both logarithmic). A star: the policy cannot come down to GROWTH's collector time with its knob,
and is compared with GROWTH at the least that it can. Nothing is measured: the numbers are the same
on every machine. --all prints every point, --plot DIR draws them: one fronts-HOST.svg for each host,
and fronts-together.svg. Ends with 1 iff SQRT misses its goal: 15 percent less memory for all hosts
together, and on no host more than 5 percent more than GROWTH.
"""

import argparse
import math
import os
import re
import subprocess
import sys

import fronts_plot
import machine
import run

HOSTS = {
    "archive": "much lives, little is allocated",
    "service": "steady, of middle size",
    "cruncher": "little lives, much is allocated",
    "script": "small, with a slow collector",
    "phases": "allocates much and little in turns",
    "waves": "what lives rises and falls",
    "building": "what lives grows, then shrinks",
    "startup": "loads for three seconds, then is quiet",
}
TOGETHER_WORDS = "all eight, each policy with one knob for all"
KNOBS = {
    "growth": (100, 10, 15, 20, 30, 40, 50, 65, 80, 125, 150, 200, 250, 300, 400, 600, 800),
    "sqrt": (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 60),
    "share": (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40),
    "debt": (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
    "fixed": (16, 32, 64, 100, 150, 200, 300, 400, 600, 800, 1200, 1600, 2400, 3200),
}
BASE = 100  # GROWTH's percentage that the others are compared with
TOGETHER, ALONE = 0.85, 1.05  # the goals


def simulate(program, host, policy, knob):
    """(mean MiB, collector seconds per second) of one run."""
    done = subprocess.run([program, f"host={host}", f"policy={policy}", f"knob={knob}"],
                          capture_output=True, text=True, check=False, timeout=run.TIME_LIMIT_S,
                          env=run.clean_environment())
    values = {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", done.stdout)}
    if done.returncode != 0 or not values:
        raise run.BenchError(f"fronts {host} {policy} {knob}: exit {done.returncode}: "
                             f"{done.stderr}")
    return values["mean_mib"], values["collector_s"] / values["elapsed_s"]


def together(fronts):
    """The front of all hosts with one knob: memory and collector time are added up."""
    return [tuple(map(sum, zip(*points))) for points in zip(*fronts)]


def memory_at(front, time):
    """The least memory with which the front reaches this collector time, or None."""
    found = [memory for memory, used in front if used <= time * 1.000001]
    for (m1, t1), (m2, t2) in zip(front, front[1:]):
        if min(t1, t2) > time or max(t1, t2) < time or t1 == t2 or min(t1, t2) <= 0:
            continue
        part = (math.log(time) - math.log(t1)) / (math.log(t2) - math.log(t1))
        found.append(math.exp(math.log(m1) + part * (math.log(m2) - math.log(m1))))
    return min(found, default=None)


def measure(program):
    """{policy: {host: [(memory, time) by knob]}}, the sum of hosts among them."""
    fronts = {}
    for policy, knobs in KNOBS.items():
        fronts[policy] = {host: [simulate(program, host, policy, knob) for knob in knobs]
                          for host in HOSTS}
        fronts[policy]["together"] = together(list(fronts[policy].values()))
    return fronts


def in_order(fronts, policy, host):
    """A front in the order of its knobs, so that neighbours are neighbours."""
    return [point for _, point in sorted(zip(KNOBS[policy], fronts[policy][host]))]


def show(fronts):
    """Prints the table; returns {host: memory of SQRT per memory of GROWTH}."""
    others = [policy for policy in KNOBS if policy != "growth"]
    print(f"{'host':10} {'collector':>9} {'growth':>11}" +
          "".join(f" {policy:>15}" for policy in others))
    ratios = {}
    for host in (*HOSTS, "together"):
        memory, time = fronts["growth"][host][KNOBS["growth"].index(BASE)]
        line = f"{host:10} {100 * time:8.2f}% {memory:7.1f} MiB"
        growth = in_order(fronts, "growth", host)
        for policy in others:
            front = in_order(fronts, policy, host)
            needed = memory_at(front, time)
            if needed is None:  # its knob ends before: compared where it comes nearest
                needed, nearest = min(front, key=lambda point: point[1])
                ratio, mark = needed / (memory_at(growth, nearest) or math.nan), "*"
            else:
                ratio, mark = needed / memory, ""
            text = f"{needed:.1f}{mark} ({100 * ratio - 100:+.0f}%)"
            line += f" {text:>15}"
            if policy == "sqrt":
                ratios[host] = ratio
        print(line)
    return ratios


def pictures(fronts):
    """{host: SVG}, `together` among them."""
    drawn = {}
    for host, words in (*HOSTS.items(), ("together", TOGETHER_WORDS)):
        lines = {policy: [(knob, *point) for knob, point in
                          sorted(zip(knobs, fronts[policy][host]))]
                 for policy, knobs in KNOBS.items()}
        base = fronts["growth"][host][KNOBS["growth"].index(BASE)]
        drawn[host] = fronts_plot.draw(host, words, lines, base, f"growth {BASE} %")
    return drawn


def show_points(fronts):
    """Prints every point of every front."""
    for policy, hosts in fronts.items():
        for host, front in hosts.items():
            for knob, (memory, time) in sorted(zip(KNOBS[policy], front)):
                print(f"{policy:7} {knob:5} {host:10} {memory:9.1f} MiB {100 * time:8.3f}%")


def main(arguments):
    """Exit status 0, 1 when SQRT missed its goal, or 2 when the program failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--build", default=os.path.join(machine.ROOT, "build"))
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--plot", metavar="DIR")
    options = parser.parse_args(arguments)
    try:
        folder = machine.find_program_dir(options.build)
        if folder is None:
            raise run.BenchError(f"no benchmark programs below {options.build}")
        fronts = measure(os.path.join(folder, "fronts"))
        if options.plot:
            fronts_plot.write(options.plot, pictures(fronts))
    except (run.BenchError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    if options.all:
        show_points(fronts)
    ratios = show(fronts)
    worst = max(HOSTS, key=ratios.get)
    met = ratios["together"] <= TOGETHER and ratios[worst] <= ALONE
    print(f"SQRT needs {100 - 100 * ratios['together']:.0f}% less memory than GROWTH for the same "
          f"collector time (goal {100 - 100 * TOGETHER:.0f}%); on the host where it does worst, "
          f"{worst}, {100 * ratios[worst] - 100:+.0f}% (goal at most {100 * ALONE - 100:+.0f}%): "
          f"{'met' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
