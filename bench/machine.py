"""What the numbers depend on: the allocators, the compiler, the machine, the commit."""

import dataclasses
import os
import platform
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclasses.dataclass(frozen=True)
class Arm:
    """One allocator: the library that is preloaded (None: libc's own) and what it is."""
    name: str
    library: str
    version: str
    settings: tuple = ()  # NAME=VALUE, of an arm that is there to show what a setting does


# name, Debian package, how the file begins that replaces malloc
PEERS = (
    ("mimalloc", "libmimalloc2.0", "libmimalloc.so."),
    ("jemalloc", "libjemalloc2", "libjemalloc.so."),
    ("tcmalloc", "libtcmalloc-minimal4", "libtcmalloc_minimal.so."),
    ("tbbmalloc", "libtbbmalloc2", "libtbbmalloc_proxy.so."),
)
TIDEMARK = "tidemark"
OFF = "tidemark-off"
HUGE = "tidemark-huge"  # only when it is asked for
PRELOAD = "libtidemark-preload.so"


def _run(*command):
    """Standard output of a command, or "" when it cannot run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _package_version(package):
    return _run("dpkg-query", "-W", "-f", "${Version}", package)


def _package_library(package, prefix):
    """The package's library file, resolved to the real file."""
    for path in _package_files(package):
        if os.path.basename(path).startswith(prefix):
            return os.path.realpath(path)
    return None


def _package_files(package):
    """Paths of the package that exist."""
    return [path for path in _run("dpkg", "-L", package).splitlines() if os.path.exists(path)]


def _find_below(directory, name):
    """The file `name` in directory or below, or None."""
    for here, _, files in sorted(os.walk(directory)):
        if name in files:
            return os.path.join(here, name)
    return None


def find_libc():
    """The C library that programs of this machine use."""
    for path in _package_files("libc6"):
        if os.path.basename(path) == "libc.so.6":
            return os.path.realpath(path)
    raise FileNotFoundError("libc.so.6 of the package libc6")


def find_program_dir(build):
    """Where the build put the benchmark programs, or None."""
    for here, _, files in sorted(os.walk(build)):
        if "measure" in files and os.access(os.path.join(here, "measure"), os.X_OK):
            return here
    return None


def find_arms(build, off_build):
    """All arms of this machine, in the order in which they take turns; and what is missing."""
    arms, missing = [], []
    for name, where in ((TIDEMARK, build), (OFF, off_build)):
        library = _find_below(where, PRELOAD) if where else None
        if library is None:
            missing.append(f"{name}: no {PRELOAD} below {where}")
        else:
            arms.append(Arm(name, os.path.realpath(library), commit()))
    if arms and arms[0].name == TIDEMARK:
        arms.append(Arm(HUGE, arms[0].library, commit(), ("TM_HUGE_PAGES=1",)))
    arms.append(Arm("glibc", None, platform.libc_ver()[1]))
    for name, package, prefix in PEERS:
        library = _package_library(package, prefix)
        if library is None:
            missing.append(f"{name}: install {package}")
        else:
            arms.append(Arm(name, library, _package_version(package)))
    return arms, missing


def commit():
    """The commit, with a plus when tracked files differ from it."""
    name = _run("git", "rev-parse", "--short=10", "HEAD") or "unknown"
    changed = _run("git", "status", "--porcelain", "--untracked-files=no")
    return name + ("+" if changed else "")


def _first(path, pattern, fallback="unknown"):
    try:
        with open(path, encoding="utf-8") as file:
            found = re.search(pattern, file.read(), re.MULTILINE)
    except OSError:
        return fallback
    return found.group(1).strip() if found else fallback


def _cache(build, name):
    """A value of the build's CMake cache."""
    return _first(os.path.join(build, "CMakeCache.txt"), rf"^{name}:\w+=(.*)$", "")


def describe(build, arms):
    """Pairs of (name, value) for the head of a results file."""
    compiler = _cache(build, "CMAKE_C_COMPILER") or "cc"
    version = (_run(compiler, "--version").splitlines() or ["unknown"])[0]
    flags = [_cache(build, "CMAKE_BUILD_TYPE"), _cache(build, "CMAKE_C_FLAGS")]
    return [
        ("commit", commit()),
        ("cpu", _first("/proc/cpuinfo", r"^model name\s*:\s*(.*)$")),
        ("cpus", str(os.cpu_count())),
        ("memory_kib", _first("/proc/meminfo", r"^MemTotal:\s*(\d+)")),
        ("kernel", platform.release()),
        ("huge_pages", _first("/sys/kernel/mm/transparent_hugepage/enabled", r"\[(\w+)\]")),
        ("system", _first("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)')),
        ("compiler", version),
        ("build", " ".join(part for part in flags if part)),
        ("load_before", f"{os.getloadavg()[0]:.2f}"),
        *((f"arm {arm.name}", arm.version) for arm in arms),
    ]
