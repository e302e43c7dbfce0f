"""Runs one command and writes what it cost to a file: exit status, CPU, wall time, peak memory.

Linux hands the peak of whoever starts a program on to the program, so the measuring is done by
this small process (`python3 -I -S demo/measure.py RESULT COMMAND...`) and not by demo/run.py. It
imports only what is built in, and is smaller than any Python program that it starts.
"""
import posix
import sys
import time


def main():
    result, command = sys.argv[1], sys.argv[2:]
    start = time.monotonic()
    pid = posix.posix_spawn(command[0], command, posix.environ)
    _, status, usage = posix.wait4(pid, 0)
    wall = time.monotonic() - start
    code = posix.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    with open(result, "w", encoding="ascii") as out:
        out.write(f"{code} {cpu:.6f} {wall:.6f} {usage.ru_maxrss * 1024}\n")


main()
