#!/usr/bin/env python3
"""tidemark run as people meet it: bad input, and a COMMAND that notices nothing."""
# ctest: timeout=120
import os
import signal
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from command import CONTRACT, PRELOAD, PYTHON, TIDEMARK, Case, environment, main


class BadInput(Case):
    """COMMAND would make a file: it must not be run when something is wrong."""

    def refused(self, status, words, *options, **more):
        made = self.path("made")
        result = self.run_it(*options, "--", "touch", made, **more)
        self.assertComplains(result, status, *words)
        self.assertFalse(os.path.exists(made), "COMMAND was run all the same")

    def test_options(self):
        self.refused(2, ["no option --sotf", "did you mean --soft?"], "--sotf", "1G")
        self.refused(2, ["no option --frobnicate"], "--frobnicate")
        self.refused(2, ["--soft: 'lots' is not a size", "512M"], "--soft", "lots")
        self.refused(2, ["--hard: '-1' is not a size"], "--hard=-1")
        self.refused(2, ["did you mean 512M?"], "--soft", "512")
        self.refused(2, ["--soft (2.00 GiB) is above --hard (1.00 GiB)"], "--soft=2G", "--hard=1G")
        self.refused(2, ["'sqrt=0'", "from 1 to 100"], "--policy", "sqrt=0")
        self.refused(2, ["'magic'", "growth[=PERCENT]"], "--policy", "magic")
        self.refused(2, ["needs a value"], "--soft")
        self.assertComplains(self.run_it("--report"), 2, "needs a COMMAND")

    def test_command_not_found(self):
        self.assertComplains(self.run_it("--", "no-such-command"), 127, "'no-such-command' in PATH")
        self.assertComplains(self.run_it("--", "./no-such-file"), 127, "no file './no-such-file'")

    def test_command_cannot_run(self):
        self.assertComplains(self.run_it("--", self.folder.name), 126, "is a directory")
        plain = self.write("plain", "#!/bin/sh\n", 0o644)
        self.assertComplains(self.run_it("--", plain), 126, "is not executable", "chmod +x")
        lost = self.write("lost", "#!/no/such/interpreter\n")
        self.assertComplains(self.run_it("--", lost), 126, "interpreter /no/such/interpreter")
        data = self.write("data", b"\0\1\2\3")
        self.assertComplains(self.run_it("--", data), 126, "neither a program nor a script")
        lost = self.write("by-env", "#!/usr/bin/env no-such-python\n")
        self.assertComplains(self.run_it("--", lost), 127, "asks env for 'no-such-python'")

    def test_another_machine(self):
        with open(TIDEMARK, "rb") as file:
            program = bytearray(file.read())
        program[18:20] = struct.pack("<H", 8)  # e_machine: MIPS
        foreign = self.write("foreign", bytes(program))
        self.assertComplains(self.run_it("--", foreign), 126, "is built for MIPS")

    def test_statically_linked(self):
        static = self.compile("static", "int main(void) { return 0; }", "-static")
        self.assertComplains(self.run_it("--", static), 126, "is statically linked")
        pie = self.compile("pie", "int main(void) { return 0; }", "-static-pie")
        self.assertComplains(self.run_it("--", pie), 126, "is statically linked")
        script = self.write("script", f"#!{static}\n")
        self.assertComplains(self.run_it("--", script), 126, "is run by",
                             "which is statically linked")

    def test_setuid_and_setgid(self):
        program = self.compile("program", "int main(void) { return 0; }")
        self.assertEqual(self.run_it("--", program).returncode, 0)
        os.chmod(program, 0o4755)
        self.assertComplains(self.run_it("--", program), 126, "is setuid", "tidemark run --")
        os.chmod(program, 0o2755)
        self.assertComplains(self.run_it("--", program), 126, "is setgid")

    def test_capabilities(self):
        program = self.compile("program", "int main(void) { return 0; }")
        # cap_net_raw, effective: the attribute as setcap writes it
        value = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
        try:
            os.setxattr(program, "security.capability", value)
        except OSError as error:
            self.skipTest(f"capabilities cannot be set on files here: {error}")
        self.assertComplains(self.run_it("--", program), 126, "is given capabilities")

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
        self.run_it(f"--report={report}", "--", "no-such-command")
        self.run_it(f"--report={report}", "--serve", "0.0.0.0:1", "--", "true")
        with open(report) as file:
            self.assertEqual(file.read(), "of an earlier run\n")
        self.run_it(f"--report={self.path('new')}", "--", "no-such-command")
        self.assertFalse(os.path.exists(self.path("new")))

    def test_a_missing_library_is_said(self):
        os.mkdir(self.path("bin"))
        copy = self.path("bin/tidemark")
        with open(TIDEMARK, "rb") as file:
            self.write("bin/tidemark", file.read())
        result = subprocess.run([copy, "run", "--", "true"], capture_output=True,
                                env=environment())
        self.assertComplains(result, 125, "libtidemark-preload.so is not in", "install tidemark")

    def test_a_directory_that_the_loader_cannot_name(self):
        os.makedirs(self.path("a b/lib"))
        os.makedirs(self.path("a b/bin"))
        with open(TIDEMARK, "rb") as file:
            copy = self.write("a b/bin/tidemark", file.read())
        with open(PRELOAD, "rb") as file:
            self.write("a b/lib/libtidemark-preload.so", file.read())
        result = subprocess.run([copy, "run", "--", "true"], capture_output=True,
                                env=environment())
        self.assertComplains(result, 125, "has a blank or a colon")


class Transparent(Case):
    def test_exit_status(self):
        for status in (0, 1, 42, 126, 255):
            result = self.run_it("--", "sh", "-c", f"exit {status}")
            self.assertEqual(result.returncode, status)
            self.assertEqual(result.stderr, b"")

    def test_death_by_signal(self):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
            result = self.run_it("--", "sh", "-c", f"kill -{int(number)} $$")
            self.assertEqual(result.returncode, -number)

    def test_the_process_stays_the_same(self):
        child = subprocess.Popen([TIDEMARK, "run", "--", "sh", "-c", "echo $$"],
                                 stdout=subprocess.PIPE, env=environment())
        self.assertEqual(int(child.communicate(timeout=30)[0]), child.pid)

    def test_input_and_output_pass_untouched(self):
        data = os.urandom(1 << 20)
        result = self.run_it("--report", "--", "cat", input=data)
        self.assertEqual(result.stdout, data)

    def test_arguments_pass_untouched(self):
        odd = ["", "a b", "--soft", "*", "\n", "ü", "--"]
        result = self.run_it("--", PYTHON, "-c", "import sys; print(sys.argv[1:])", *odd)
        self.assertEqual(result.stdout.decode().strip(), repr(odd))
        self.assertEqual(self.run_it("--", "sh", "-c", "echo $0", "name").stdout, b"name\n")

    def test_the_environment_is_kept(self):
        mine = environment(PROBE="a b\n", EMPTY="")
        result = self.run_it("--soft", "1G", "--", "env", "-0", env=mine)
        seen = dict(line.split("=", 1) for line in result.stdout.decode().split("\0") if line)
        added = {name: seen.pop(name) for name in CONTRACT if name in seen}
        self.assertEqual(seen, mine)
        self.assertEqual(set(added), {"LD_PRELOAD", "TM_SOFT", "TM_RUN_PID"})
        self.assertEqual(added["TM_SOFT"], str(1 << 30))

    def test_an_outer_run_does_not_speak_in_an_inner_one(self):
        inner = [TIDEMARK, "run", "--soft", "16M", "--", "env"]
        outer = ["--soft", "1G", "--hard", "2G", "--policy", "growth", "--"]
        seen = self.run_it(*outer, *inner).stdout
        self.assertIn(b"TM_SOFT=16777216\n", seen)
        self.assertNotIn(b"TM_HARD", seen)
        self.assertNotIn(b"TM_POLICY", seen)
        preload = [line for line in seen.splitlines() if line.startswith(b"LD_PRELOAD=")]
        self.assertEqual(preload, [b"LD_PRELOAD=" + os.path.realpath(PRELOAD).encode()])

    def test_ld_preload_of_the_user_is_kept_behind_ours(self):
        source = '#include <unistd.h>\n__attribute__((constructor)) static void hello(void)' \
                 '{ (void)!write(1, "mine\\n", 5); }'
        mine = self.compile("mine.so", source, "-shared", "-fPIC")
        result = self.run_it("--", "/bin/echo", "done", env=environment(LD_PRELOAD=mine))
        self.assertEqual(result.stdout, b"mine\nmine\ndone\n")  # once in tidemark itself
        result = self.run_it("--", "sh", "-c", "echo $LD_PRELOAD", env=environment(LD_PRELOAD=mine))
        first, second = result.stdout.decode().split()[-1].split(":")
        self.assertTrue(first.endswith("libtidemark-preload.so"))
        self.assertEqual(second, mine)

    def test_scripts(self):
        bare = self.write("bare", "echo bare $1\n")
        self.assertEqual(self.run_it("--", bare, "x").stdout, b"bare x\n")
        by_env = self.write("by-env", "#!/usr/bin/env python3\nprint('python')\n")
        self.assertEqual(self.run_it("--", by_env).stdout, b"python\n")

    def test_path_and_working_directory(self):
        self.write("tool", "#!/bin/sh\necho found\n")
        there = environment(PATH=f"{self.folder.name}:/usr/bin:/bin")
        self.assertEqual(self.run_it("--", "tool", env=there).stdout, b"found\n")
        self.assertEqual(self.run_it("--", "./tool", cwd=self.folder.name).stdout, b"found\n")

    def test_standard_descriptors_may_be_closed(self):
        made = self.path("made")
        for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            command = f'exec "{TIDEMARK}" run --report -- touch "{made}" {closed}'
            result = subprocess.run(["sh", "-c", command], capture_output=True,
                                    env=environment())
            self.assertEqual(result.returncode, 0)
            os.remove(made)

    def test_ignored_signals_and_mask_pass(self):
        probe = "import signal; print(signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN," \
                " signal.SIGUSR2 in signal.pthread_sigmask(signal.SIG_BLOCK, []))"

        def prepare():
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        result = self.run_it("--", PYTHON, "-c", probe, preexec_fn=prepare)
        self.assertEqual(result.stdout, b"True True\n")

    def test_percentages_are_of_the_memory_there_is(self):
        half = self.run_it("--hard", "50%", "--", "sh", "-c", "echo $TM_HARD").stdout
        whole = self.run_it("--hard", "100%", "--", "sh", "-c", "echo $TM_HARD").stdout
        self.assertAlmostEqual(int(half), int(whole) / 2, delta=1)
        self.assertLessEqual(int(whole), os.sysconf("SC_PHYS_PAGES") * 4096 * 1.1)

    def test_pythonmalloc_is_told_once_and_the_program_runs(self):
        for value in ("malloc", "default", "debug"):
            result = self.run_it("--", PYTHON, "-c", "print('ran')",
                         env=environment(PYTHONMALLOC=value))
            self.assertEqual((result.returncode, result.stdout), (0, b"ran\n"))
            if value == "debug":
                continue  # a wrapper: it may still reach us
            text = result.stderr.decode()
            self.assertEqual(text.count("tidemark: "), 1, text)
            self.assertIn(f"PYTHONMALLOC={value}", text)


if __name__ == "__main__":
    main()
