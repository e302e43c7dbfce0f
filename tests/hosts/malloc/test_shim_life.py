#!/usr/bin/env python3
"""The shim from before the first constructor to after the last destructor: plugins, blocks of
others, threads, forks."""
# ctest: timeout=120
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from command import PYTHON, main

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from shim import OWNS, ShimCase


class Foreign(ShimCase):
    def test_a_deep_bound_library_passes_blocks_both_ways(self):
        """Regression: free in the library was glibc's, and the blocks were ours."""
        self.library("deep.so", r"""
            #include <stdlib.h>
            #include <string.h>
            char *made; /* while the library is loaded */
            __attribute__((constructor)) static void start(void) {
              free(strdup("at the start")); made = malloc(50);
            }
            char *copy(void) { return strdup("copied"); }
            char *get(size_t n) { return malloc(n); }
            char *more(char *p, size_t n) { return realloc(p, n); }
            void give(char *p) { free(p); }
            char *start_block(void) { return made; }""")
        program = self.compile("host", r"""
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <malloc.h>
            #include <stdio.h>
            #include <stdlib.h>
            #include <string.h>
            int main(void) {
              void *h = dlopen("./deep.so", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
              if (!h) return puts(dlerror());
              char *(*copy)(void) = dlsym(h, "copy"), *(*get)(size_t) = dlsym(h, "get");
              char *(*more)(char *, size_t) = dlsym(h, "more");
              char *(*start)(void) = dlsym(h, "start_block");
              void (*give)(char *) = dlsym(h, "give");
              for (size_t n = 1; n < 500000; n *= 3) {
                free(copy()); give(copy()); free(get(n)); give(malloc(n)); give(strdup("host"));
                char *p = more(get(n), n * 2); memset(p, 1, n * 2); p = realloc(p, n * 4);
                p = more(p, n * 3); if (malloc_usable_size(p) < n * 3) return 2;
                free(p);
              }
              free(start());
              dlclose(h);
              puts("ok");
              return 0;
            }""")
        self.prints(program, "ok\n")

    def test_ctypes_frees_what_the_c_library_made(self):
        code = """if True:
            import ctypes
            libc = ctypes.CDLL("libc.so.6")
            libc.strdup.restype = libc.malloc.restype = ctypes.c_void_p
            libc.free.argtypes = [ctypes.c_void_p]
            for i in range(1000):
                libc.free(libc.strdup(b"x" * i))
                libc.free(libc.malloc(i * 100))
            print("ok")"""
        result = self.preloaded(PYTHON, "-c", code)
        self.assertEqual((result.returncode, result.stdout), (0, b"ok\n"), result.stderr)

    def test_blocks_of_the_c_library_itself(self):
        program = self.compile("libc", OWNS + r"""
            #include <errno.h>
            #include <malloc.h>
            #include <stdio.h>
            #include <stdlib.h>
            #include <string.h>
            extern void *__libc_malloc(size_t), *__libc_memalign(size_t, size_t);
            int main(void) {
              for (size_t n = 1; n < 1000000; n = n * 3 + 1) {
                char *p = __libc_malloc(n);
                memset(p, 'a', n);
                if (tm_owns(p) || malloc_usable_size(p) < n) return 1;
                p = realloc(p, n * 2);
                if (p[n - 1] != 'a') return 2;
                errno = 77;
                free(p);
                free(__libc_memalign(256, n));
                if (errno != 77) return 3;
              }
              puts("ok");
              return 0;
            }""", "-fno-builtin")
        self.prints(program, "ok\n")

    def test_another_namespace_keeps_its_own_malloc(self):
        self.library("apart.so", r"""
            #include <stdlib.h>
            #include <string.h>
            int work(void) {
              char *p = strdup("text");
              for (int i = 1; i < 100; i++) { p = realloc(p, i * 1000); p[i * 1000 - 1] = 1; }
              free(p);
              return p != 0;
            }""")
        program = self.compile("host", r"""
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <stdio.h>
            #include <stdlib.h>
            int main(void) {
              void *h = dlmopen(LM_ID_NEWLM, "./apart.so", RTLD_NOW);
              if (!h) return puts(dlerror());
              int (*work)(void) = dlsym(h, "work");
              char *p = malloc(100);
              int done = work();
              free(p);
              printf("%d\n", done);
              return 0;
            }""")
        self.prints(program, "1\n")

    def test_a_program_with_its_own_malloc_keeps_it(self):
        """reallocarray must be made of its realloc; new and delete both are ours."""
        program = self.compile_cxx("own", r"""
            #include <cstdio>
            #include <cstring>
            #include <stdlib.h>
            static char space[1 << 22]; static size_t used;
            extern "C" void *malloc(size_t n) noexcept {
              n = (n + 31) & ~size_t(15);
              char *p = space + __atomic_fetch_add(&used, n, __ATOMIC_RELAXED) + 16;
              ((size_t *)p)[-1] = n - 16;
              return p;
            }
            extern "C" void free(void *) noexcept {}
            extern "C" void *calloc(size_t a, size_t b) noexcept {
              return memset(malloc(a * b), 0, a * b);
            }
            extern "C" void *realloc(void *p, size_t n) noexcept {
              void *q = malloc(n);
              return p ? memcpy(q, p, ((size_t *)p)[-1] < n ? ((size_t *)p)[-1] : n) : q;
            }
            int main() {
              char *p = (char *)reallocarray(malloc(10), 10, 10);
              bool mine = p >= space && p < space + sizeof space;
              delete new int; delete[] new char[1000];
              free(p);
              std::printf("%d\n", mine);
            }""")
        self.prints(program, "1\n")


class Life(ShimCase):
    def test_before_our_constructor_and_after_everything(self):
        self.library("early.so", r"""
            #include <stdio.h>
            #include <stdlib.h>
            #include <string.h>
            static char *kept;
            __attribute__((constructor(101))) static void early(void) {
              kept = calloc(10, 100); free(malloc(70000)); kept = realloc(kept, 5000);
            }
            __attribute__((destructor(101))) static void late(void) {
              free(kept); free(strdup("late"));
              for (int i = 0; i < 100; i++) free(malloc(i * 1000));
              puts("late");
            }""")
        program = self.compile("life", r"""
            #include <pthread.h>
            #include <stdio.h>
            #include <stdlib.h>
            #include <string.h>
            static void *global;
            static void at_exit(void) { free(global); free(malloc(100)); puts("exit"); }
            static pthread_key_t key[40];
            /* Thread-specific data: set again from the destructor, it is freed a round later. */
            static void drop(void *p) {
              static __thread int rounds;
              char *q = realloc(p, 3000), *r = calloc(3, 1000);
              memset(q, 1, 3000); memset(r, 1, 3000);
              if (rounds++ < 100) pthread_setspecific(key[0], r), free(q);
              else free(q), free(r);
            }
            static void *work(void *arg) {
              for (int i = 0; i < 40; i++) pthread_setspecific(key[i], malloc(100 + i));
              return strdup("result");
            }
            int main(void) {
              atexit(at_exit);
              global = malloc(1000);
              for (int i = 0; i < 40; i++) pthread_key_create(&key[i], drop);
              for (int i = 0; i < 50; i++) {
                pthread_t thread; void *result;
                pthread_create(&thread, 0, work, 0);
                pthread_join(thread, &result);
                if (strcmp(result, "result")) return 1;
                free(result);
              }
              puts("main");
              return 0;
            }""", "-pthread",
            "-Wl,--no-as-needed", self.path("early.so"), "-Wl,-rpath,$ORIGIN")
        self.prints(program, "main\nexit\nlate\n")

    def test_thread_locals_of_cxx(self):
        program = self.compile_cxx("locals", r"""
            #include <cstdio>
            #include <string>
            #include <thread>
            #include <vector>
            struct Last {
              std::vector<std::string> v;
              ~Last() { v.assign(100, std::string(200, 'z')); }
            };
            thread_local Last last;
            static Last at_exit;
            int main() {
              for (int i = 0; i < 50; i++)
                std::thread([] { last.v.resize(1000, "text that is not short at all"); }).join();
              std::puts("ok");
            }""", "-pthread")
        self.prints(program, "ok\n")

    def test_64_threads_race_into_the_first_malloc(self):
        program = self.compile("race", r"""
            #include <pthread.h>
            #include <sched.h>
            #include <stdatomic.h>
            #include <string.h>
            #include <stdlib.h>
            #include <unistd.h>
            /* stacks of our own and write(2): nothing allocates before the threads do, except what
             * the loader did */
            static char stacks[64][65536] __attribute__((aligned(4096)));
            static atomic_int ready;
            static void *work(void *arg) {
              atomic_fetch_add(&ready, 1);
              while (atomic_load(&ready) < 64) sched_yield();
              char *p = malloc(100), *q = calloc(1, 70000);
              if (!p || !q) return (void *)1;
              memset(p, (int)(long)arg, 100);
              q = realloc(q, 100000);
              for (int i = 0; i < 100; i++)
                if (p[i] != (char)(long)arg || q[i * 600]) return (void *)2;
              free(p); free(q);
              return 0;
            }
            int main(void) {
              pthread_t threads[64];
              for (long i = 0; i < 64; i++) {
                pthread_attr_t a; pthread_attr_init(&a);
                pthread_attr_setstack(&a, stacks[i], sizeof stacks[i]);
                if (pthread_create(&threads[i], &a, work, (void *)i)) return 1;
              }
              for (int i = 0; i < 64; i++) {
                void *r; pthread_join(threads[i], &r);
                if (r) return 2;
              }
              write(1, "ok\n", 3);
              return 0;
            }""", "-pthread", "-fno-builtin")
        for _ in range(3):
            self.prints(program, "ok\n")

    def test_fork_while_threads_allocate(self):
        program = self.compile("forks", r"""
            #include <pthread.h>
            #include <stdatomic.h>
            #include <stdio.h>
            #include <stdlib.h>
            #include <string.h>
            #include <sys/wait.h>
            #include <unistd.h>
            static atomic_int stop;
            static void *churn(void *arg) {
              void *kept[64] = {0};
              for (unsigned i = 0; !atomic_load(&stop); i++) {
                unsigned k = i * 2654435761u % 64;
                free(kept[k]); kept[k] = malloc(i % 37 * 100 + (i % 501 == 0) * 100000);
              }
              for (int i = 0; i < 64; i++) free(kept[i]);
              return 0;
            }
            static void *once(void *p) { free(p); return strdup("child"); }
            int main(void) {
              pthread_t threads[3];
              char *parents[20];
              for (int i = 0; i < 20; i++) parents[i] = malloc(i * 5000);
              for (int i = 0; i < 3; i++) pthread_create(&threads[i], 0, churn, 0);
              for (int i = 0; i < 60; i++) {
                pid_t child = fork();
                if (child == 0) {
                  alarm(20);
                  void *r; pthread_t t;
                  for (int k = 0; k < 19; k++) free(parents[k]);
                  for (int k = 0; k < 100; k++) free(malloc(k * 1000));
                  pthread_create(&t, 0, once, parents[19]); pthread_join(t, &r);
                  _exit(strcmp(r, "child") != 0);
                }
                int status;
                if (waitpid(child, &status, 0) != child || status) return 1;
              }
              atomic_store(&stop, 1);
              for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
              puts("ok");
              return 0;
            }""", "-pthread")
        self.prints(program, "ok\n")

if __name__ == "__main__":
    main()
