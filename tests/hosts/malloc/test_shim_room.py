#!/usr/bin/env python3
"""The shim under limits on memory of every size, set before the program and by it."""
# ctest: timeout=120
import os
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from command import PYTHON, main

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from shim import ShimCase

MIB = 1 << 20
# Fills the memory with blocks of one size, frees, fills again with another. Of a large block only
# the first word is touched: it is address space that is asked for.
FILL = r"""
    #include <errno.h>
    #include <malloc.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/resource.h>
    static void **list;
    static size_t fill(size_t n) {
      size_t got = 0; void **p;
      errno = 0;
      while ((p = malloc(n))) { *p = list; list = p; got += malloc_usable_size(p); }
      if (errno != ENOMEM) exit(2);
      return got;
    }
    static void empty(void) { while (list) { void **p = list; list = *p; free(p); } }
    int main(int argc, char **argv) {
      size_t limit = strtoul(argv[1], 0, 10), n = strtoul(argv[2], 0, 10), first = 0;
      if (argc > 3) {
        struct rlimit r = {limit, limit};
        free(malloc(100)); /* the heap is in use by then */
        if (setrlimit(atoi(argv[3]), &r)) return 3;
      }
      for (int round = 0; round < 3; round++) {
        size_t got = fill(round == 1 ? n / 2 + 3 : n);
        first = first ? first : got;
        char *kept = (char *)list;
        if (realloc(kept, limit) || calloc(limit, 1) || list != (void **)kept) return 4;
        empty();
        malloc_trim(0); /* no empty page stays with its size */
        char *whole = malloc(got / 4 * 3); /* what was in parts is one again */
        if (!whole) return 5;
        whole[0] = whole[got / 4 * 3 - 1] = 1;
        whole = realloc(whole, 1000);
        if (!whole || whole[0] != 1) return 6;
        free(whole);
        if (got < limit / 4 || got >= limit) { printf("%zu of %zu\n", got, limit); return 7; }
        if (got < first / 10 * 8) { printf("%zu, then %zu\n", first, got); return 8; }
      }
      puts("ok");
      return 0;
    }"""


class Room(ShimCase):
    def test_address_space_of_every_size(self):
        program = self.compile("fill", FILL, "-fno-builtin")
        for mib in (64, 100, 128, 256, 512, 1024, 2048, 3000, 4096):
            for block in (MIB, 100000):
                result = self.preloaded(program, str(mib * MIB), str(block),
                                        limits=[(resource.RLIMIT_AS, mib * MIB)])
                self.assertEqual((result.returncode, result.stdout), (0, b"ok\n"), (mib, result))

    def test_small_blocks(self):
        program = self.compile("fill", FILL, "-fno-builtin")
        for block in (64, 700, 9000, 40000):
            result = self.preloaded(program, str(64 * MIB), str(block),
                                    limits=[(resource.RLIMIT_AS, 64 * MIB)])
            self.assertEqual((result.returncode, result.stdout), (0, b"ok\n"), (block, result))

    def test_a_limit_that_the_program_sets(self):
        program = self.compile("fill", FILL, "-fno-builtin")
        for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
            for mib in (64, 256, 1024, 4096):
                if kind == resource.RLIMIT_DATA and mib > 256:
                    continue
                result = self.preloaded(program, str(mib * MIB), str(MIB), str(kind))
                self.assertEqual((result.returncode, result.stdout), (0, b"ok\n"), (mib, result))

    def test_commits_that_the_kernel_refuses(self):
        """As where overcommit is off: what may be written to is counted, not what is reserved."""
        program = self.compile("fill", FILL, "-fno-builtin")
        for mib in (64, 256):
            for block in (700, 40000, 100000, MIB):
                result = self.preloaded(program, str(mib * MIB), str(block),
                                        limits=[(resource.RLIMIT_DATA, mib * MIB)])
                self.assertEqual((result.returncode, result.stdout), (0, b"ok\n"), (mib, result))

    def test_python_recovers_from_a_memory_error(self):
        code = """if True:
            for round in range(3):
                kept = []
                try:
                    while True: kept.append(bytearray(3000000))
                except MemoryError:
                    n = len(kept)
                    kept.clear()
                kept = [bytearray(3000000) for i in range(n // 4 * 3)]
                kept = [list(range(1000)) for i in range(500)]
            print("ok")"""
        for mib in (128, 512, 2048):
            result = self.preloaded(PYTHON, "-c", code, limits=[(resource.RLIMIT_AS, mib * MIB)])
            self.assertEqual((result.returncode, result.stdout), (0, b"ok\n"), (mib, result))


if __name__ == "__main__":
    main()
