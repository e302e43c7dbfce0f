#!/usr/bin/env python3
"""What the preload library adds to the memory of a program that hardly uses malloc."""
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from command import PRELOAD, Case, environment, main

# Threads are asked to allocate one after the other, all are there when the memory is looked at.
PROGRAM = """
    #include <pthread.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    static pthread_barrier_t there, done;
    static void a_few_blocks(void) {
      char *p[8];
      for (size_t i = 0; i < 8; i++) memset(p[i] = malloc(16 + 8 * i), 1, 8);
      for (size_t i = 0; i < 8; i++) free(p[i]);
    }
    static void *run(void *with_blocks) {
      if (with_blocks) a_few_blocks();
      pthread_barrier_wait(&there);
      pthread_barrier_wait(&done);
      return 0;
    }
    int main(int argc, char **argv) {
      unsigned threads = (unsigned)atoi(argv[1]);
      pthread_t t[16];
      pthread_barrier_init(&there, 0, threads + 1);
      pthread_barrier_init(&done, 0, threads + 1);
      a_few_blocks();
      for (unsigned i = 0; i < threads; i++)
        pthread_create(&t[i], 0, run, argv[2][0] == 'y' ? t : 0);
      pthread_barrier_wait(&there);
      puts("look");
      fflush(stdout);
      getchar();
      pthread_barrier_wait(&done);
      for (unsigned i = 0; i < threads; i++) pthread_join(t[i], 0);
    }"""


def memory(smaps, name):
    """KiB: what is anonymous in all mappings, and what of the file `name` is resident."""
    anonymous = of_file = 0
    ours = False
    for line in smaps.splitlines():
        key, value = line.split(None, 1)
        if re.match(r"[0-9a-f]+-[0-9a-f]+$", key):
            ours = value.endswith("/" + name)
        elif key == "Anonymous:":
            anonymous += int(value.split()[0])
            of_file -= int(value.split()[0]) if ours else 0
        elif key == "Rss:" and ours:
            of_file += int(value.split()[0])
    return anonymous, of_file


class Small(Case):
    def library(self):
        """A copy that was written page by page: of a file that was written or read in larger pieces
        the kernel keeps larger pieces, and maps each of them as a whole."""
        path = self.path(os.path.basename(PRELOAD))
        with open(PRELOAD, "rb") as old, open(path, "wb", buffering=0) as new:
            for page in iter(lambda: old.read(4096), b""):
                new.write(page)
        return path

    def look(self, threads, blocks, **settings):
        """The least of some runs: where stack and libraries lie differs, and by a page or two so
        does how many they touch."""
        program = self.compile("small", PROGRAM, "-pthread")
        seen = []
        for _ in range(5):
            process = subprocess.Popen([program, str(threads), blocks], env=environment(**settings),
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            with process:
                self.assertEqual(process.stdout.readline(), "look\n")
                with open(f"/proc/{process.pid}/smaps", encoding="utf-8") as file:
                    seen.append(memory(file.read(), os.path.basename(PRELOAD)))
                process.stdin.close()
            self.assertEqual(process.returncode, 0)
        return [min(column) for column in zip(*seen)]

    def test_start_up_touches_few_pages(self):
        plain, _ = self.look(0, "n")
        anonymous, of_file = self.look(0, "n", LD_PRELOAD=self.library())
        self.assertGreater(of_file, 0)
        # forty of it are pages of the C library's table of symbols, see names.h
        self.assertLessEqual(anonymous - plain, 124, "KiB that are no file's")
        self.assertLessEqual(of_file, 144, "KiB of the library")

    def test_a_thread_touches_few_pages(self):
        library = self.library()
        idle, _ = self.look(8, "n", LD_PRELOAD=library)
        busy, _ = self.look(8, "y", LD_PRELOAD=library)
        self.assertLessEqual((busy - idle) / 8, 36, "KiB for each thread that has a few blocks")


if __name__ == "__main__":
    if not os.access("/proc/self/smaps", os.R_OK):
        print("SKIP: no /proc/self/smaps")
        sys.exit(77)
    main()
