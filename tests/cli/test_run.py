#!/usr/bin/env python3
"""The tidemark command as people meet it: bad input, and a COMMAND that notices nothing."""
# ctest: timeout=120
import glob
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import unittest


def built(name, variable):
    """A path from the environment, or from the newest build in the source tree."""
    if os.environ.get(variable):
        return os.environ[variable]
    here = os.path.dirname(os.path.abspath(__file__))
    found = glob.glob(os.path.join(here, "../../build", "**", name), recursive=True)
    return max(found, key=os.path.getmtime) if found else ""


TIDEMARK = built("bin/tidemark", "TIDEMARK")
PRELOAD = built("libtidemark-preload.so", "TIDEMARK_PRELOAD")
CC = os.environ.get("CC", "cc")
PYTHON = "/usr/bin/python3"
CONTRACT = {"LD_PRELOAD", "TM_SOFT", "TM_HARD", "TM_POLICY", "TM_REPORT", "TM_RUN_PID",
            "TM_SERVE_FD", "TM_SERVE_ID"}


def clean_environment(**more):
    kept = {k: v for k, v in os.environ.items() if k not in CONTRACT and k != "PYTHONMALLOC"}
    kept.update(more)
    return kept


def tidemark(*arguments, **options):
    options.setdefault("env", clean_environment())
    options.setdefault("timeout", 30)
    return subprocess.run([TIDEMARK, *arguments], capture_output=True, **options)


def run(*arguments, **options):
    return tidemark("run", *arguments, **options)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, content, mode=0o755):
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(self.path(name), mode)
        return self.path(name)

    def compile(self, name, source, *flags):
        code = self.write(name + ".c", source, 0o644)
        subprocess.run([CC, "-O1", "-o", self.path(name), code, *flags], check=True)
        return self.path(name)

    def assertComplains(self, result, status, *words):
        """One sentence on standard error, the exit status, and nothing on standard output."""
        text = result.stderr.decode()
        self.assertEqual(result.returncode, status, text)
        self.assertEqual(result.stdout, b"")
        self.assertTrue(text.startswith("tidemark: "), text)
        self.assertEqual(text.count("\n"), 1, text)
        for word in words:
            self.assertIn(word, text)


class WithoutACommand(Case):
    def test_version_and_help(self):
        version = tidemark("--version")
        self.assertEqual(version.returncode, 0)
        self.assertRegex(version.stdout.decode(), r"^tidemark \d+\.\d+\.\d+\n$")
        self.assertEqual(version.stderr, b"")
        for arguments in (["help"], ["--help"], ["-h"], ["help", "help"]):
            self.assertIn(b"Usage: tidemark run", tidemark(*arguments).stdout)
        for arguments in (["help", "run"], ["run", "--help"], ["run", "-h", "nonsense"]):
            result = tidemark(*arguments)
            self.assertEqual(result.returncode, 0)
            self.assertIn(b"--hard SIZE", result.stdout)

    def test_help_fits_a_terminal(self):
        for arguments in (["help"], ["help", "run"]):
            for line in tidemark(*arguments).stdout.decode().splitlines():
                self.assertLessEqual(len(line), 100, line)

    def test_help_that_cannot_be_written_is_an_error(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([TIDEMARK, "--help"], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"cannot write to standard output", result.stderr)

    def test_no_or_unknown_subcommand(self):
        self.assertComplains(tidemark(), 2, "say what to do")
        self.assertComplains(tidemark("rum"), 2, "did you mean 'run'?")
        self.assertComplains(tidemark("python3"), 2, "write 'tidemark run -- python3'")
        self.assertComplains(tidemark("help", "frob"), 2, "no command 'frob'")


class BadInput(Case):
    """COMMAND would make a file: it must not be run when something is wrong."""

    def refused(self, status, words, *options, **more):
        made = self.path("made")
        result = run(*options, "--", "touch", made, **more)
        self.assertComplains(result, status, *words)
        self.assertFalse(os.path.exists(made), "COMMAND was run all the same")

    def test_options(self):
        self.refused(2, ["no option --sotf", "did you mean --soft?"], "--sotf", "1G")
        self.refused(2, ["no option --frobnicate"], "--frobnicate")
        self.refused(2, ["--soft: 'lots' is not a size", "512M"], "--soft", "lots")
        self.refused(2, ["--hard: '-1' is not a size"], "--hard=-1")
        self.refused(2, ["did you mean 512M?"], "--soft", "512")
        self.refused(2, ["--soft (2.00 GiB) is above --hard (1.00 GiB)"], "--soft=2G", "--hard=1G")
        self.refused(2, ["'sqrt'", "not in this version"], "--policy", "sqrt")
        self.refused(2, ["'magic'", "growth[=PERCENT]"], "--policy", "magic")
        self.refused(2, ["needs a value"], "--soft")
        self.assertComplains(run("--report"), 2, "needs a COMMAND")

    def test_command_not_found(self):
        self.assertComplains(run("--", "no-such-command"), 127, "'no-such-command' in PATH")
        self.assertComplains(run("--", "./no-such-file"), 127, "no file './no-such-file'")

    def test_command_cannot_run(self):
        self.assertComplains(run("--", self.folder.name), 126, "is a directory")
        plain = self.write("plain", "#!/bin/sh\n", 0o644)
        self.assertComplains(run("--", plain), 126, "is not executable", "chmod +x")
        lost = self.write("lost", "#!/no/such/interpreter\n")
        self.assertComplains(run("--", lost), 126, "interpreter /no/such/interpreter")
        data = self.write("data", b"\0\1\2\3")
        self.assertComplains(run("--", data), 126, "neither a program nor a script")
        lost = self.write("by-env", "#!/usr/bin/env no-such-python\n")
        self.assertComplains(run("--", lost), 127, "asks env for 'no-such-python'")

    def test_another_machine(self):
        with open(TIDEMARK, "rb") as file:
            program = bytearray(file.read())
        program[18:20] = struct.pack("<H", 8)  # e_machine: MIPS
        foreign = self.write("foreign", bytes(program))
        self.assertComplains(run("--", foreign), 126, "is built for MIPS")

    def test_statically_linked(self):
        static = self.compile("static", "int main(void) { return 0; }", "-static")
        self.assertComplains(run("--", static), 126, "is statically linked")
        pie = self.compile("pie", "int main(void) { return 0; }", "-static-pie")
        self.assertComplains(run("--", pie), 126, "is statically linked")
        script = self.write("script", f"#!{static}\n")
        self.assertComplains(run("--", script), 126, "is run by", "which is statically linked")

    def test_setuid_and_setgid(self):
        program = self.compile("program", "int main(void) { return 0; }")
        self.assertEqual(run("--", program).returncode, 0)
        os.chmod(program, 0o4755)
        self.assertComplains(run("--", program), 126, "is setuid", "tidemark run --")
        os.chmod(program, 0o2755)
        self.assertComplains(run("--", program), 126, "is setgid")

    def test_capabilities(self):
        program = self.compile("program", "int main(void) { return 0; }")
        # cap_net_raw, effective: the attribute as setcap writes it
        value = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
        try:
            os.setxattr(program, "security.capability", value)
        except OSError as error:
            self.skipTest(f"capabilities cannot be set on files here: {error}")
        self.assertComplains(run("--", program), 126, "is given capabilities")

    def test_address(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.refused(125, [f"127.0.0.1:{port} is in use already"], "--serve", f":{port}")
        self.refused(2, ["not on this machine's loopback"], "--serve", "0.0.0.0:9100")
        self.refused(2, ["port is not a number"], "--serve", ":http")
        self.refused(2, ["loopback"], "--serve", "")

    def test_report_file(self):
        self.refused(125, ["--report: cannot write", "No such file"], "--report=/no/such/dir/r")
        self.refused(125, ["--report: cannot write", "directory"], f"--report={self.folder.name}")

    def test_nothing_is_lost(self):
        report = self.write("report", "of an earlier run\n", 0o644)
        run(f"--report={report}", "--", "no-such-command")
        run(f"--report={report}", "--serve", "0.0.0.0:1", "--", "true")
        with open(report) as file:
            self.assertEqual(file.read(), "of an earlier run\n")
        run(f"--report={self.path('new')}", "--", "no-such-command")
        self.assertFalse(os.path.exists(self.path("new")))

    def test_a_missing_library_is_said(self):
        os.mkdir(self.path("bin"))
        copy = self.path("bin/tidemark")
        with open(TIDEMARK, "rb") as file:
            self.write("bin/tidemark", file.read())
        result = subprocess.run([copy, "run", "--", "true"], capture_output=True,
                                env=clean_environment())
        self.assertComplains(result, 125, "libtidemark-preload.so is not in", "install tidemark")

    def test_a_directory_that_the_loader_cannot_name(self):
        os.makedirs(self.path("a b/lib"))
        os.makedirs(self.path("a b/bin"))
        with open(TIDEMARK, "rb") as file:
            copy = self.write("a b/bin/tidemark", file.read())
        with open(PRELOAD, "rb") as file:
            self.write("a b/lib/libtidemark-preload.so", file.read())
        result = subprocess.run([copy, "run", "--", "true"], capture_output=True,
                                env=clean_environment())
        self.assertComplains(result, 125, "has a blank or a colon")


class Transparent(Case):
    def test_exit_status(self):
        for status in (0, 1, 42, 126, 255):
            result = run("--", "sh", "-c", f"exit {status}")
            self.assertEqual(result.returncode, status)
            self.assertEqual(result.stderr, b"")

    def test_death_by_signal(self):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
            result = run("--", "sh", "-c", f"kill -{int(number)} $$")
            self.assertEqual(result.returncode, -number)

    def test_the_process_stays_the_same(self):
        child = subprocess.Popen([TIDEMARK, "run", "--", "sh", "-c", "echo $$"],
                                 stdout=subprocess.PIPE, env=clean_environment())
        self.assertEqual(int(child.communicate(timeout=30)[0]), child.pid)

    def test_input_and_output_pass_untouched(self):
        data = os.urandom(1 << 20)
        result = run("--report", "--", "cat", input=data)
        self.assertEqual(result.stdout, data)

    def test_arguments_pass_untouched(self):
        odd = ["", "a b", "--soft", "*", "\n", "ü", "--"]
        result = run("--", PYTHON, "-c", "import sys; print(sys.argv[1:])", *odd)
        self.assertEqual(result.stdout.decode().strip(), repr(odd))
        self.assertEqual(run("--", "sh", "-c", "echo $0", "name").stdout, b"name\n")

    def test_the_environment_is_kept(self):
        mine = clean_environment(PROBE="a b\n", EMPTY="")
        result = run("--soft", "1G", "--", "env", "-0", env=mine)
        seen = dict(line.split("=", 1) for line in result.stdout.decode().split("\0") if line)
        added = {name: seen.pop(name) for name in CONTRACT if name in seen}
        self.assertEqual(seen, mine)
        self.assertEqual(set(added), {"LD_PRELOAD", "TM_SOFT", "TM_RUN_PID"})
        self.assertEqual(added["TM_SOFT"], str(1 << 30))

    def test_an_outer_run_does_not_speak_in_an_inner_one(self):
        inner = [TIDEMARK, "run", "--soft", "16M", "--", "env"]
        seen = run("--soft", "1G", "--hard", "2G", "--policy", "growth", "--", *inner).stdout
        self.assertIn(b"TM_SOFT=16777216\n", seen)
        self.assertNotIn(b"TM_HARD", seen)
        self.assertNotIn(b"TM_POLICY", seen)
        preload = [line for line in seen.splitlines() if line.startswith(b"LD_PRELOAD=")]
        self.assertEqual(preload, [b"LD_PRELOAD=" + os.path.realpath(PRELOAD).encode()])

    def test_ld_preload_of_the_user_is_kept_behind_ours(self):
        source = '#include <unistd.h>\n__attribute__((constructor)) static void hello(void)' \
                 '{ (void)!write(1, "mine\\n", 5); }'
        mine = self.compile("mine.so", source, "-shared", "-fPIC")
        result = run("--", "/bin/echo", "done", env=clean_environment(LD_PRELOAD=mine))
        self.assertEqual(result.stdout, b"mine\nmine\ndone\n")  # once in tidemark itself
        result = run("--", "sh", "-c", "echo $LD_PRELOAD", env=clean_environment(LD_PRELOAD=mine))
        first, second = result.stdout.decode().split()[-1].split(":")
        self.assertTrue(first.endswith("libtidemark-preload.so"))
        self.assertEqual(second, mine)

    def test_scripts(self):
        bare = self.write("bare", "echo bare $1\n")
        self.assertEqual(run("--", bare, "x").stdout, b"bare x\n")
        by_env = self.write("by-env", "#!/usr/bin/env python3\nprint('python')\n")
        self.assertEqual(run("--", by_env).stdout, b"python\n")

    def test_path_and_working_directory(self):
        self.write("tool", "#!/bin/sh\necho found\n")
        there = clean_environment(PATH=f"{self.folder.name}:/usr/bin:/bin")
        self.assertEqual(run("--", "tool", env=there).stdout, b"found\n")
        self.assertEqual(run("--", "./tool", cwd=self.folder.name).stdout, b"found\n")

    def test_standard_descriptors_may_be_closed(self):
        made = self.path("made")
        for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            command = f'exec "{TIDEMARK}" run --report -- touch "{made}" {closed}'
            result = subprocess.run(["sh", "-c", command], capture_output=True,
                                    env=clean_environment())
            self.assertEqual(result.returncode, 0)
            os.remove(made)

    def test_ignored_signals_and_mask_pass(self):
        probe = "import signal; print(signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN," \
                " signal.SIGUSR2 in signal.pthread_sigmask(signal.SIG_BLOCK, []))"

        def prepare():
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        result = run("--", PYTHON, "-c", probe, preexec_fn=prepare)
        self.assertEqual(result.stdout, b"True True\n")

    def test_percentages_are_of_the_memory_there_is(self):
        half = run("--hard", "50%", "--", "sh", "-c", "echo $TM_HARD").stdout
        whole = run("--hard", "100%", "--", "sh", "-c", "echo $TM_HARD").stdout
        self.assertAlmostEqual(int(half), int(whole) / 2, delta=1)
        self.assertLessEqual(int(whole), os.sysconf("SC_PHYS_PAGES") * 4096 * 1.1)

    def test_pythonmalloc_is_told_once_and_the_program_runs(self):
        for value in ("malloc", "default", "debug"):
            result = run("--", PYTHON, "-c", "print('ran')",
                         env=clean_environment(PYTHONMALLOC=value))
            self.assertEqual((result.returncode, result.stdout), (0, b"ran\n"))
            if value == "debug":
                continue  # a wrapper: it may still reach us
            text = result.stderr.decode()
            self.assertEqual(text.count("tidemark: "), 1, text)
            self.assertIn(f"PYTHONMALLOC={value}", text)


if __name__ == "__main__":
    if not os.access(TIDEMARK, os.X_OK) or not os.access(PRELOAD, os.R_OK):
        print("SKIP: the command or the preload library is not built")
        sys.exit(77)
    unittest.main()
