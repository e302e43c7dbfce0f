"""What bench/python.py runs: the programs, each with a line of its own at its top that says what it
stands for. None was chosen or left out for its result."""

import dataclasses
import os

import machine

OWN = os.path.join(machine.ROOT, "bench", "programs", "python")
DEMO = os.path.join(machine.ROOT, "demo", "programs")
SPEED, MEMORY, PREFORK = "speed", "memory", "prefork"
# What the four workers of PREFORK have together.
BUDGET_MIB = 128


@dataclasses.dataclass(frozen=True)
class Program:
    """One row of a table. SPEED programs have little garbage, MEMORY programs much; those of OWN
    know how to do a part of their work."""
    name: str
    kind: str = SPEED
    folder: str = OWN
    cpus: int = 1

    def command(self, percent=100, floor=False):
        """The file and its arguments."""
        path = os.path.join(self.folder, f"{self.name}.py")
        parts = [str(percent)] if self.folder == OWN and percent != 100 else []
        return [path, *parts, *(["floor"] if floor else [])]


PROGRAMS = (
    Program("build", folder=DEMO),
    *(Program(name) for name in (
        "ast_compile", "async_tasks", "big_dicts", "binary_trees", "comprehensions", "csv_groups",
        "decimals", "deepcopy_orders", "expressions", "generators", "json_records", "lisp",
        "parent_links", "pickle_objects", "queens", "regex_tokens", "shortest_paths",
        "slots_objects", "sqlite_rows", "templates", "xml_catalogue")),
    Program("cycles", MEMORY, DEMO),
    Program("caches", MEMORY, DEMO),
    Program("tracebacks", MEMORY),
    Program("live_heap", MEMORY),
    Program("worker", MEMORY, DEMO, cpus=2),
    Program("prefork", PREFORK, cpus=2),
)


def names_of(kind):
    """The programs of a kind."""
    return [program.name for program in PROGRAMS if program.kind == kind]
