#!/usr/bin/env python3
"""The shim where memory is short: limits before and after the start, and impossible requests."""
# ctest: timeout=120
import os
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from command import PYTHON, main

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from shim import ShimCase

EAT = r"""
    #include <errno.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/resource.h>
    int main(int argc, char **argv) {
      size_t late = argc > 1 ? strtoul(argv[1], 0, 10) : 0, got = 0, step = 100000;
      if (argc > 2) { struct rlimit r = {late, late}; setrlimit(atoi(argv[2]), &r); }
      void *first = 0, **p;
      while (got < (size_t)400 << 20 && (p = malloc(step))) {
        memset(p, 1, step); *p = first; first = p; got += step;
      }
      int error = errno;
      while (first) { p = first; first = *p; free(p); }
      void *again = malloc(step);
      printf("%d %d %d\n", got < (size_t)400 << 20, error == ENOMEM, again != 0);
      return got >> 20;
    }"""


class Limits(ShimCase):
    def test_little_address_space_is_null_and_enomem(self):
        program = self.compile("eat", EAT)
        for mib in (40, 100, 300):
            result = self.preloaded(program, limits=[(resource.RLIMIT_AS, mib << 20)])
            self.assertEqual(result.stdout, b"1 1 1\n", (mib, result))
            self.assertGreater(result.returncode & 255, 0)

    def test_no_address_space_is_an_answer_too(self):
        program = self.compile("tiny", r"""
            #include <errno.h>
            #include <stdlib.h>
            #include <unistd.h>
            int main(void) {
              if (errno) return 2; /* as main must find it */
              char *p = malloc(100);
              if (!p && errno != ENOMEM) return 3;
              free(p);
              return 0;
            }""", "-fno-builtin")
        for kib in range(4000, 14000, 1500):
            result = self.preloaded(program, limits=[(resource.RLIMIT_AS, kib << 10)])
            self.assertIn(result.returncode, (0, 127), (kib, result))  # 127: no room for libc
        for mib in range(10, 34, 4):
            result = self.preloaded(PYTHON, "-c", "print(1)",
                                    limits=[(resource.RLIMIT_AS, mib << 20)])
            self.assertIn(result.returncode, (0, 1, 127), (mib, result))

    def test_a_limit_that_comes_after_the_start(self):
        """Regression: RLIMIT_AS refused all but the heap, which alone it was meant for."""
        program = self.compile("eat", EAT)
        for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS):
            result = self.preloaded(program, str(100 << 20), str(kind))
            self.assertEqual(result.stdout, b"1 1 1\n", result)
        code = """if True:
            import resource, threading
            resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
            ran = []
            threads = [threading.Thread(target=ran.append, args=(i,)) for i in range(8)]
            for t in threads: t.start()
            for t in threads: t.join()
            print(len(ran))
            try: bytearray(1 << 30)
            except MemoryError: print("refused")"""
        result = self.preloaded(PYTHON, "-c", code)
        self.assertEqual(result.stdout, b"8\nrefused\n", result)

    def test_new_threads_free_after_a_limit_came(self):
        """Regression: a thread without room for its books aborted in its first free."""
        program = self.compile("late", r"""
            #include <pthread.h>
            #include <stdio.h>
            #include <stdlib.h>
            #include <sys/resource.h>
            static char stacks[100][65536] __attribute__((aligned(4096)));
            static pthread_barrier_t together;
            static void *run(void *block) {
              pthread_barrier_wait(&together);
              free(block); free(malloc(100));
              pthread_barrier_wait(&together);
              return 0;
            }
            int main(int argc, char **argv) {
              void *blocks[100]; pthread_t threads[100];
              for (int i = 0; i < 100; i++) blocks[i] = malloc(1000);
              rlim_t most = (rlim_t)atoi(argv[2]) << 20; struct rlimit little = {most, most};
              setrlimit(atoi(argv[1]), &little);
              pthread_barrier_init(&together, 0, 100);
              for (int i = 0; i < 100; i++) {
                pthread_attr_t a; pthread_attr_init(&a);
                pthread_attr_setstack(&a, stacks[i], sizeof stacks[i]);
                if (pthread_create(&threads[i], &a, run, blocks[i])) _Exit(1);
              }
              for (int i = 0; i < 100; i++) pthread_join(threads[i], 0);
              puts("ok");
              return 0;
            }""", "-pthread", "-fno-builtin")
        for kind, mib in ((resource.RLIMIT_AS, 64), (resource.RLIMIT_DATA, 1)):
            result = self.preloaded(program, str(kind), str(mib))
            self.assertEqual((result.returncode, result.stdout), (0, b"ok\n"), result)

    def test_more_than_the_machine_has_is_a_memory_error(self):
        """Regression: it was granted, and filling it ended the process. Never filled here."""
        with open("/proc/sys/vm/overcommit_memory") as file:
            if file.read().strip() == "1":
                self.skip("this machine grants everything (vm.overcommit_memory is 1)")
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 3
        program = self.compile("huge", r"""
            #include <stdio.h>
            #include <stdlib.h>
            int main(int argc, char **argv) {
              size_t n = strtoul(argv[1], 0, 10);
              void *p = malloc(10), *q = realloc(p, n);
              printf("%d %d %d\n", !malloc(n), !calloc(n / 8, 8), !q);
              free(p);
              return 0;
            }""", "-fno-builtin")
        result = self.preloaded(program, str(total))
        self.assertEqual(result.stdout, b"1 1 1\n", result)

if __name__ == "__main__":
    main()
