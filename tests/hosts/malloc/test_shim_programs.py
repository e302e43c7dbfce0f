#!/usr/bin/env python3
"""The tools of this machine under the shim: they print what they print without it."""
# ctest: timeout=120
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from command import PRELOAD, PYTHON, environment, main

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from shim import ShimCase


class Tools(ShimCase):
    """Same status, same output, same errors as without the library."""

    def same(self, *command, **options):
        if not shutil.which(command[0]):
            self.skip(f"{command[0]} is not installed")
        with_it, without = self.preloaded(*command, **options), self.plain(*command, **options)
        self.assertEqual((with_it.returncode, with_it.stdout, with_it.stderr),
                         (without.returncode, without.stdout, without.stderr), command)
        self.assertTrue(with_it.stdout or with_it.stderr, "nothing to compare")
        return with_it

    def test_python(self):
        self.same(PYTHON, "-c", "import json, re; print(json.dumps({str(i): [i] * (i % 9) for i in "
                  "range(3000)})); print(re.sub('a', 'bb', 'banana' * 5000)[:80])")
        self.same(PYTHON, "-c", "raise SystemExit('sorry')")

    def test_perl(self):
        self.same("perl", "-e", "my %h; $h{$_ % 997} .= chr(65 + $_ % 26) x 20 for 1..40000; "
                  "print join ',', map { length $h{$_} } sort { $a <=> $b } keys %h; "
                  "my @l = map { [$_, \"x\" x $_] } 1..2000; print scalar(@l), qq(\\n);")

    def test_bash_with_pipes_and_substitutions(self):
        self.same("bash", "-c", r"""
            f() { local i; for ((i = 0; i < 300; i++)); do a[i]="item $i $(( i * i ))"; done; }
            f; printf '%s\n' "${a[@]}" | grep 9 | tail -n 3
            x=$(for i in 1 2 3; do echo $i | cat | tr 1-3 a-c; done); echo "$x"
            diff <(seq 1 5) <(seq 2 6) | wc -l
            cat <<< "${a[*]}" | wc -c; (exit 7)""")

    def test_sort_with_threads(self):
        text = "".join(f"{i * 7919 % 1000003} line {i}\n" for i in range(200000))
        self.write("in.txt", text, 0o644)
        sort = self.same("sort", "--parallel=4", "-S", "4M", "-n", "in.txt")
        self.assertEqual(len(sort.stdout), len(text))

    def test_git(self):
        if not shutil.which("git"):
            self.skip("git is not installed")
        env = {"HOME": self.folder.name, "GIT_CONFIG_NOSYSTEM": "1", "GIT_PAGER": "cat"}
        for name in ("AUTHOR", "COMMITTER"):
            env.update({f"GIT_{name}_NAME": "A", f"GIT_{name}_EMAIL": "a@example.org",
                        f"GIT_{name}_DATE": "2020-01-01T00:00:00Z"})
        self.plain("git", "init", "-q", ".", check=True)
        for i in range(5):
            self.write("file.txt", "".join(f"{i} {k * i}\n" for k in range(2000)), 0o644)
            for command in (("add", "file.txt"), ("commit", "-q", "-m", f"commit {i}")):
                made = self.preloaded("git", *command, env=env)
                self.assertEqual((made.returncode, made.stderr), (0, b""), made)
        self.same("git", "log", "--stat", "-p", env=env)
        self.assertEqual(self.preloaded("git", "gc", "-q", env=env).returncode, 0)
        self.assertEqual(self.preloaded("git", "fsck", "--strict", env=env).returncode, 0)

    def test_a_compiler(self):
        self.write("code.c", "#include <stdio.h>\n#include <string.h>\n"
                   + "".join(f"int f{i}(int x) {{ return x * {i} + (x ? f{i - 1}(x - 1) : 0); }}\n"
                             if i else "int f0(int x) { return x; }\n" for i in range(200))
                   + "int main(void) { printf(\"%d\\n\", f199(3)); return strlen(\"x\") - 1; }\n",
                   0o644)
        compiler = "gcc" if shutil.which("gcc") else "cc"
        asm = self.same(compiler, "-O2", "-S", "-o", "-", "code.c")
        self.assertIn(b"f199", asm.stdout)
        built = self.preloaded(compiler, "-O1", "-o", "code", "code.c")
        self.assertEqual((built.returncode, built.stderr), (0, b""))
        self.same(self.path("code"))

    def test_sqlite(self):
        self.same("sqlite3", ":memory:", """
            create table t(a integer primary key, b text);
            with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
              insert into t select i, hex(i * 7919) from n;
            create index x on t(b);
            select count(*), sum(length(b)), max(b) from t;
            select b from t order by b desc limit 5;""")

    def test_redis(self):
        for name in ("redis-server", "redis-cli"):
            if not shutil.which(name):
                self.skip(f"{name} is not installed")
        socket = self.path("s")
        server = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "",
             "--dir", self.folder.name], env=environment(LD_PRELOAD=PRELOAD),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            for line in server.stdout:
                if b"ready to accept" in line.lower() or b"server is now ready" in line.lower():
                    break

            def cli(*command):
                run = self.preloaded("redis-cli", "-s", socket, *command)
                self.assertEqual(run.returncode, 0, run)
                return run.stdout.decode().strip()
            cli("eval", "for i = 1, 20000 do redis.call('set', 'k' .. i, string.rep('v', i % 300)) "
                "end", "0")
            self.assertEqual(cli("dbsize"), "20000")
            self.assertEqual(cli("strlen", "k299"), "299")
            cli("flushall")
            self.assertEqual(cli("memory", "purge"), "OK")
            self.assertEqual(cli("dbsize"), "0")
            cli("shutdown", "nosave")
            self.assertEqual(server.wait(timeout=30), 0)
        finally:
            server.kill()
            output = server.communicate()
        self.assertNotRegex(b"".join(output), re.compile(rb"crash|assert", re.I))

if __name__ == "__main__":
    main()
