"""Programs under the preload library, beside the same without it."""
import os
import resource
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from command import PRELOAD, Case, environment

CXX = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
# A program asks by this whether a block is ours: the library exports it.
OWNS = "extern int tm_owns(const void *) __attribute__((weak));\n"


class ShimCase(Case):
    def skip(self, reason):
        print(f"SKIP: {reason}")
        self.skipTest(reason)

    def preloaded(self, *command, limits=(), **options):
        """Runs a command with the library; `limits` are set between fork and exec."""
        def set_limits():
            for kind, value in limits:
                resource.setrlimit(kind, (value, value))
        more = options.pop("env", {})
        options.setdefault("timeout", 60)
        return subprocess.run(command, capture_output=True, preexec_fn=set_limits,
                              cwd=self.folder.name, env=environment(LD_PRELOAD=PRELOAD, **more),
                              **options)

    def plain(self, *command, **options):
        more = options.pop("env", {})
        return subprocess.run(command, capture_output=True, timeout=60, cwd=self.folder.name,
                              env=environment(**more), **options)

    def prints(self, program, expected, **options):
        result = self.preloaded(program, **options)
        text = result.stdout.decode() + result.stderr.decode()
        self.assertEqual((result.returncode, text), (0, expected))

    def compile_cxx(self, name, source, *flags):
        if not CXX:
            self.skip("no C++ compiler is installed")
        code = self.write(name + ".cc", source, 0o644)
        subprocess.run([CXX, "-O1", "-w", "-std=c++17", "-o", self.path(name), code, *flags],
                       check=True)
        return self.path(name)

    def library(self, name, source):
        return self.compile(name, source, "-shared", "-fPIC", "-fno-builtin")
