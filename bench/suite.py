"""What is run: each workload's command and how many CPUs it gets. The shapes are explained at the
top of each program; here are only the numbers."""

import dataclasses
import os
import shutil
import subprocess


@dataclasses.dataclass(frozen=True)
class Workload:
    """One row of the table. `command` starts with the name of a program of this directory, or is
    found on the system when `package` names the Debian package that has it."""
    name: str
    command: tuple
    cpus: int = 1
    # the option that sets how much is done, and how much: --quick divides it
    work: tuple = None
    # how many pairs of malloc and free a unit of that work has, where it is a fixed number
    pairs: int = None
    package: str = None
    settings: tuple = ()
    # a server: what loads it and what ends it; PORT in any argument is replaced by a free one
    client: tuple = None
    stop: tuple = None

    def arguments(self, divisor):
        """The command's arguments with the work in them."""
        if self.work is None:
            return list(self.command[1:])
        option, amount = self.work
        return [*self.command[1:], f"{option}={max(1, amount // divisor)}"]


GENERAL = (
    Workload("pair-64", ("pair", "size=64"), work=("pairs", 50_000_000), pairs=1),
    Workload("pair-many", ("pair", "size=0"), work=("pairs", 50_000_000), pairs=1),
    Workload("batch-lifo", ("batch", "order=lifo"), work=("rounds", 3_500), pairs=10_000),
    Workload("batch-fifo", ("batch", "order=fifo"), work=("rounds", 3_500), pairs=10_000),
    Workload("batch-random", ("batch", "order=random"), work=("rounds", 3_500), pairs=10_000),
    Workload("bignum", ("bignum",), work=("rounds", 400_000)),
    Workload("trees", ("trees",), work=("rounds", 8)),
    Workload("words", ("words",), work=("words", 1_700_000)),
    Workload("live", ("live",), work=("steps", 4_000_000), pairs=1),
    Workload("churn", ("churn",), cpus=2, work=("turns", 2_700)),
    Workload("xthread", ("xthread",), cpus=2, work=("batches", 80_000), pairs=128),
    Workload("purefree", ("purefree",), cpus=2, work=("generations", 17)),
    Workload("threads", ("threads",), cpus=2, work=("rounds", 4_000)),
    Workload("sharing-active", ("false_sharing", "shape=active"), cpus=2,
             work=("writes", 1_000_000)),
    Workload("sharing-passive", ("false_sharing", "shape=passive"), cpus=2,
             work=("writes", 1_000_000)),
    Workload("large", ("large",), work=("steps", 1_000)),
    Workload("bursts", ("bursts",), work=("bursts", 6)),
    Workload("regrow-small", ("regrow", "kind=small"), work=("rounds", 7_000)),
    Workload("regrow-large", ("regrow", "kind=large"), work=("rounds", 4)),
)

PROGRAMS_DIR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")


def _program(name, package, *command, **more):
    """A real program of Debian with an input from programs/."""
    return Workload(name, tuple(part.replace("@", PROGRAMS_DIR) for part in command),
                    package=package, **more)


PROGRAMS = (
    # every object from malloc: python's own small-object allocator would hide the arm
    _program("python3", "python3", "/usr/bin/python3", "-S", "@/objects.py",
             settings=("PYTHONMALLOC=malloc", "PYTHONHASHSEED=0")),
    _program("lua", "lua5.4", "lua5.4", "@/objects.lua"),
    _program("sqlite3", "sqlite3", "sqlite3", ":memory:", ".read @/rows.sql"),
    _program("cc1", "cpp-12", "cc1", "-quiet", "-O2", "@/expressions.c", "-o", "/dev/null"),
    _program("z3", "z3", "z3", "@/schedule.smt2"),
    _program("gs", "ghostscript", "gs", "-q", "-dBATCH", "-dNOPAUSE", "-dSAFER", "-r150",
             "-sDEVICE=png16m", "-sOutputFile=/dev/null", "@/drawing.ps"),
    # a fixed number of requests; what is measured is the server
    _program("redis", "redis-server", "redis-server", "--port", "PORT", "--bind", "127.0.0.1",
             "--save", "", "--appendonly", "no", "--loglevel", "warning", "--dir", "/tmp",
             client=("redis-benchmark", "-p", "PORT", "-q", "-n", "300000", "-r", "100000",
                     "-P", "16", "-d", "200", "-t", "set,get,lpush,lpop,hset,zadd"),
             stop=("redis-cli", "-p", "PORT", "shutdown", "nosave")),
)


def find_program(workload, programs_dir):
    """Path of the workload's executable, or None when it is not on this machine."""
    name = workload.command[0]
    if workload.package is None:
        path = os.path.join(programs_dir, name)
        return path if os.access(path, os.X_OK) else None
    if workload.client is not None and shutil.which(workload.client[0]) is None:
        return None
    if name == "cc1":
        return _find_cc1()
    return shutil.which(name)


def _find_cc1():
    """The compiler proper, without its driver: one process to measure."""
    try:
        path = subprocess.run(["gcc", "-print-prog-name=cc1"], capture_output=True, text=True,
                              check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return path if os.path.isabs(path) else None
