"""`pip install .`: builds the project with CMake and puts what Python needs into one package.

    tidemark/            the package, with its extension for the stable ABI
    tidemark/_native/    bin/tidemark and lib/, side by side as everywhere

One wheel serves every CPython from 3.8 on. Nothing is downloaded: with the packages of
.ci/packages there, `pip install --no-build-isolation .` works without a network. CMAKE_ARGS and
CMAKE_BUILD_PARALLEL_LEVEL of the environment are heard.
"""
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py
from wheel.bdist_wheel import bdist_wheel

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / "src" / "hosts" / "python_module" / "tidemark"
# SONAMEs, and names that are opened: a wheel has no links.
LIBRARIES = ("libtidemark.so.0", "libtidemark-monitor.so", "libtidemark-preload.so")


def version():
    text = (ROOT / "include" / "tidemark" / "version.h").read_text(encoding="utf-8")
    return re.search(r'TM_VERSION_STRING "(.*)"', text).group(1)


def build_native(build, prefix):
    """Configures, builds and installs the project below prefix."""
    options = ["-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DCMAKE_C_FLAGS_RELWITHDEBINFO=-O2 -g -DNDEBUG",
               "-DCMAKE_INSTALL_LIBDIR=lib", "-DTIDEMARK_BUILD_TESTS=OFF",
               "-DTIDEMARK_BUILD_EXAMPLES=OFF", f"-DTIDEMARK_PYTHON={sys.executable}"]
    headers = sysconfig.get_path("include")
    if Path(headers, "Python.h").exists():
        options.append(f"-DTIDEMARK_PYTHON_INCLUDE={headers}")
    if shutil.which("ninja"):
        options.append("-GNinja")
    options += shlex.split(os.environ.get("CMAKE_ARGS", ""))
    jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL") or str(os.cpu_count() or 1)
    for command in (["cmake", "-S", ROOT, "-B", build, *options],
                    ["cmake", "--build", build, "--parallel", jobs],
                    ["cmake", "--install", build, "--prefix", prefix, "--strip"]):
        subprocess.run([str(word) for word in command], check=True)


class BuildWithCMake(build_py):
    """The Python files as ever, and what CMake builds beside them."""

    def run(self):
        super().run()
        scratch = Path(self.get_finalized_command("build").build_temp).resolve()
        prefix = scratch / "prefix"
        shutil.rmtree(prefix, ignore_errors=True)
        build_native(scratch / "cmake", prefix)
        package = Path(self.build_lib) / "tidemark"
        built = prefix / "lib" / "tidemark" / "python" / "tidemark" / "_tidemark.abi3.so"
        if not built.exists():
            sys.exit("tidemark: there is no Python.h; install python3-dev")
        shutil.copy(built, package)
        for name in ("lib", "bin"):
            (package / "_native" / name).mkdir(parents=True, exist_ok=True)
        for name in LIBRARIES:
            shutil.copy(prefix / "lib" / name, package / "_native" / "lib" / name)
        shutil.copy(prefix / "bin" / "tidemark", package / "_native" / "bin")


class BinaryDistribution(Distribution):
    def has_ext_modules(self):
        return True


class StableWheel(bdist_wheel):
    def get_tag(self):
        return "cp38", "abi3", super().get_tag()[2]


setup(
    version=version(),
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    packages=["tidemark"],
    package_dir={"tidemark": str(PACKAGE.relative_to(ROOT))},
    package_data={"tidemark": ["py.typed", "*.pyi"]},
    distclass=BinaryDistribution,
    cmdclass={"build_py": BuildWithCMake, "bdist_wheel": StableWheel},
    zip_safe=False,
)
