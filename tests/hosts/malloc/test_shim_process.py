#!/usr/bin/env python3
"""The shim at the edges of a process: handlers around fork, signals, exit handlers and threads that
go on while it ends, libraries that were bound past us."""
# ctest: timeout=120
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from command import main

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from shim import OWNS, ShimCase

# Requests through every lock.
WORK = r"""
    #define _GNU_SOURCE
    #include <stdlib.h>
    #include <string.h>
    static void work(void) {
      for (size_t n = 10; n < 8 << 20; n *= 5) {
        char *p = malloc(n), *q = calloc(1, n);
        if (!p || !q) abort();
        memset(p, 1, n); p = realloc(p, n * 2); if (!p || p[n - 1] != 1) abort();
        free(p); free(q);
      }
    }
"""


class Fork(ShimCase):
    def test_handlers_that_are_older_than_everything(self):
        """Regression: a library that was initialized before ours registered first, and its handler
        met our locks."""
        self.library("early.so", WORK + r"""
            #include <pthread.h>
            int ran;
            static void prepare(void) { ran |= 1; work(); }
            static void parent(void) { ran |= 2; work(); }
            static void child(void) { ran |= 4; work(); }
            __attribute__((constructor(101))) static void early(void) {
              pthread_atfork(prepare, parent, child);
            }""")
        program = self.compile("forks", WORK + r"""
            #include <pthread.h>
            #include <stdatomic.h>
            #include <stdio.h>
            #include <sys/wait.h>
            #include <unistd.h>
            extern int ran;
            static atomic_int stop;
            static void again(void) { work(); }
            static void *churn(void *arg) { while (!atomic_load(&stop)) work(); return arg; }
            static void must_end(pid_t child) {
              int status;
              if (waitpid(child, &status, 0) != child || status) _exit(9);
            }
            int main(void) {
              pthread_t threads[2], own;
              alarm(20);
              pthread_atfork(again, again, again);
              for (int i = 0; i < 2; i++) pthread_create(&threads[i], 0, churn, 0);
              for (int i = 0; i < 20; i++) {
                pid_t child = fork();
                if (child == 0) {
                  if (ran != (i ? 7 : 5)) _exit(1);
                  work();
                  pid_t grandchild = fork(); /* of a child that had threads around it */
                  if (grandchild == 0) { work(); _exit(0); }
                  must_end(grandchild);
                  atomic_store(&stop, 1);
                  pthread_create(&own, 0, churn, 0); pthread_join(own, 0);
                  exit(0); /* and its exit handlers */
                }
                must_end(child);
              }
              atomic_store(&stop, 1);
              for (int i = 0; i < 2; i++) pthread_join(threads[i], 0);
              puts("ok");
              return ran != 3;
            }""", "-pthread", "-fno-builtin",
            "-Wl,--no-as-needed", self.path("early.so"), "-Wl,-rpath,$ORIGIN")
        self.prints(program, "ok\n")


class Signals(ShimCase):
    def test_our_thread_takes_no_signal(self):
        """The trimmer is there, and the program's only thread has the signal blocked."""
        program = self.compile("signals", WORK + r"""
            #include <dirent.h>
            #include <pthread.h>
            #include <signal.h>
            #include <stdio.h>
            #include <unistd.h>
            static volatile int caught, by_other; static pthread_t first;
            static void on(int n) {
              caught++;
              if (!pthread_equal(first, pthread_self())) by_other++;
            }
            static int threads(void) {
              int n = -2; DIR *d = opendir("/proc/self/task");
              while (readdir(d)) n++;
              closedir(d); return n;
            }
            int main(void) {
              sigset_t all;
              struct sigaction a = {.sa_handler = on};
              first = pthread_self();
              sigfillset(&all); sigprocmask(SIG_BLOCK, &all, 0);
              for (int s = 1; s < 32; s++) if (s != SIGKILL && s != SIGSTOP) sigaction(s, &a, 0);
              for (int i = 0; i < 1000 && threads() < 2; i++) {
                char *p = malloc(4 << 20); memset(p, 1, 4 << 20); free(p); work();
              }
              if (threads() != 2) return 1;
              for (int i = 0; i < 200; i++) {
                kill(getpid(), SIGUSR1); kill(getpid(), SIGCHLD); work();
              }
              if (caught) return 2;
              sigprocmask(SIG_UNBLOCK, &all, 0);
              if (!caught || by_other) return 3;
              puts("ok");
              return 0;
            }""", "-pthread", "-fno-builtin")
        self.prints(program, "ok\n", env={"TM_SOFT": "1M"})

    def test_requests_that_are_interrupted_all_the_time(self):
        program = self.compile("timer", WORK + r"""
            #include <malloc.h>
            #include <signal.h>
            #include <stdio.h>
            #include <sys/time.h>
            #include <unistd.h>
            static volatile sig_atomic_t caught;
            static void on(int n) { caught++; write(-1, "", 1); }
            int main(void) {
              struct sigaction a = {.sa_handler = on}; /* no SA_RESTART */
              struct itimerval t = {{0, 50}, {0, 50}};
              size_t before = mallinfo2().uordblks;
              alarm(30);
              sigaction(SIGVTALRM, &a, 0); sigaction(SIGPROF, &a, 0);
              setitimer(ITIMER_VIRTUAL, &t, 0); setitimer(ITIMER_PROF, &t, 0);
              while (caught < 30) { work(); malloc_trim(0); }
              if (mallinfo2().uordblks != before) return 1;
              write(1, "ok\n", 3);
              return 0;
            }""", "-fno-builtin")
        self.prints(program, "ok\n")


class Ends(ShimCase):
    LATE = WORK + r"""
        #include <pthread.h>
        #include <stdio.h>
        #include <unistd.h>
        static char *kept[100];
        static void use(const char *who) {
          for (int i = 0; i < 100; i++) { free(kept[i]); kept[i] = malloc(i * 800); }
          work(); write(1, who, strlen(who));
        }
        """

    def test_frees_after_every_destructor_of_ours(self):
        """Handlers that were registered before ours run after them, destructors even later."""
        self.library("early.so", self.LATE + r"""
            static void first_of_all(void) { use("atexit, early\n"); }
            static void with_status(int status, void *p) { use("on_exit, early\n"); free(p); }
            __attribute__((constructor(101))) static void early(void) {
              atexit(first_of_all); on_exit(with_status, malloc(100));
              for (int i = 0; i < 100; i++) kept[i] = malloc(i * 500);
            }
            __attribute__((destructor(101))) static void late(void) { use("destructor, early\n"); }
            """)
        program = self.compile("ends", self.LATE + r"""
            static pthread_key_t key;
            static void main_threads_own(void *p) { free(p); use("key\n"); }
            static void at_exit(void) { use("atexit\n"); }
            __attribute__((destructor)) static void own(void) { use("destructor\n"); }
            int main(int argc, char **argv) {
              atexit(at_exit);
              pthread_key_create(&key, main_threads_own);
              pthread_setspecific(key, malloc(10));
              if (argc > 1) pthread_exit(0);
              return 0;
            }""", "-pthread", "-fno-builtin",
            "-Wl,--no-as-needed", self.path("early.so"), "-Wl,-rpath,$ORIGIN")
        ends = "atexit\ndestructor\natexit, early\ndestructor, early\non_exit, early\n"
        self.prints(program, ends)
        self.assertEqual(self.preloaded(program, "x").stdout.decode(), "key\n" + ends)
        for options in (("--report",), ("--soft", "1M", "--report")):
            result = self.run_it(*options, "--", program, cwd=self.folder.name)
            self.assertEqual((result.returncode, result.stdout.decode()), (0, ends), result)
            self.assertNotIn(b"fatal", result.stderr)

    def test_threads_that_go_on_while_the_process_ends(self):
        """By exit, quick_exit and return; the other threads are in the middle of their requests."""
        program = self.compile("threads", self.LATE + r"""
            #include <stdatomic.h>
            static atomic_int running;
            static void *churn(void *arg) {
              for (;;) { work(); free(strdup("text")); atomic_fetch_add(&running, 1); }
            }
            static void slow(void) {
              int n = atomic_load(&running);
              do work(); while (atomic_load(&running) < n + 20);
            }
            int main(int argc, char **argv) {
              pthread_t threads[4];
              alarm(20);
              atexit(slow); at_quick_exit(slow);
              for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, churn, 0);
              while (atomic_load(&running) < 4) work();
              if (*argv[1] == 'q') quick_exit(0);
              if (*argv[1] == 'e') exit(0);
              return 0;
            }""", "-pthread", "-fno-builtin")
        for how in ("quick", "exit", "return"):
            for _ in range(3):
                result = self.preloaded(program, how)
                self.assertEqual((result.returncode, result.stderr), (0, b""), (how, result))
            result = self.run_it("--report", "--", program, how)
            self.assertEqual(result.returncode, 0, result)
            self.assertNotIn(b"fatal", result.stderr)


class Bound(ShimCase):
    DEEP = WORK + r"""
        #include <stdio.h>
        #include <wchar.h>
        void *make(int how, size_t n) {
          void *p = 0; size_t size = 0; char *line = 0;
          switch (how) {
          case 0: return malloc(n);
          case 1: return calloc(n, 1);
          case 2: return realloc(malloc(n / 2), n);
          case 3: return aligned_alloc(64, n);
          case 4: return posix_memalign(&p, 4096, n) ? 0 : p;
          case 5: return reallocarray(0, n, 1);
          case 6: return strdup("of libc");
          case 7: if (asprintf(&line, "%*d", (int)(n % 3000), 7) > 0) return line; return 0;
          case 8: { FILE *f = open_memstream(&line, &size); fputs("x", f); fclose(f); return line; }
          default: return wcsdup(L"wide");
          }
        }
        void *grow(void *p, size_t n) { return realloc(p, n); }
        void end(void *p) { free(p); }
        void busy(void) { work(); }
        """
    HOST = WORK + OWNS + r"""
        #include <dlfcn.h>
        #include <malloc.h>
        #include <pthread.h>
        #include <stdio.h>
        static void *(*make)(int, size_t), *(*grow)(void *, size_t);
        static void (*end)(void *), (*busy)(void);
        static void *cross(void *arg) {
          for (int round = 0; round < 20; round++)
            for (int how = 0; how < 10; how++)
              for (size_t n = 1; n < 300000; n = n * 9 + 7) {
                free(make(how, n)); end(make(how, n)); end(malloc(n)); end(strdup("host"));
                char *p = realloc(make(how, n), n + 100);
                p = grow(p, n * 2 + 200); if (!p || malloc_usable_size(p) < n * 2 + 200) abort();
                round % 2 ? free(p) : end(p);
                p = grow(malloc(n), n * 3); free(p);
              }
          busy();
          return arg;
        }
        int run(void *h) {
          if (!h) return puts(dlerror()), 1;
          make = dlsym(h, "make"); grow = dlsym(h, "grow");
          end = dlsym(h, "end"); busy = dlsym(h, "busy");
          pthread_t threads[4];
          size_t before = mallinfo2().uordblks;
          cross(0);
          for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, cross, 0);
          for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
          cross(0);
          return 0;
        }
        """

    def test_blocks_cross_in_every_way_and_thread(self):
        self.library("deep.so", self.DEEP)
        for flags in ("RTLD_NOW | RTLD_LOCAL", "RTLD_LAZY | RTLD_LOCAL", "RTLD_NOW | RTLD_GLOBAL"):
            program = self.compile("host", self.HOST + r"""
                int main(void) {
                  if (run(dlopen("./deep.so", RTLD_DEEPBIND | """ + flags + r"""))) return 1;
                  puts("ok");
                  return 0;
                }""", "-pthread", "-fno-builtin")
            self.prints(program, "ok\n")

    def test_a_library_that_is_opened_by_a_constructor(self):
        """Regression: it was bound to the C library before our names stood there, and crashed."""
        self.library("deep.so", self.DEEP)
        self.library("early.so", r"""
            #define _GNU_SOURCE
            #include <dlfcn.h>
            void *opened;
            __attribute__((constructor(101))) static void early(void) {
              opened = dlopen("./deep.so", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
            }""")
        program = self.compile("host", self.HOST + r"""
            extern void *opened;
            int main(void) {
              if (run(opened)) return 1;
              puts("ok");
              return 0;
            }""", "-pthread", "-fno-builtin",
            "-Wl,--no-as-needed", self.path("early.so"), "-Wl,-rpath,$ORIGIN")
        self.prints(program, "ok\n")

    def test_new_and_delete_of_a_deep_bound_library(self):
        self.compile_cxx("deep.so", r"""
            #include <new>
            #include <string>
            #include <vector>
            struct alignas(128) Wide { char c[300]; };
            extern "C" char *make(std::size_t n) { return new char[n]; }
            extern "C" void end(char *p) { delete[] p; }
            extern "C" void *wide() { return new Wide; }
            extern "C" void end_wide(void *p) { delete static_cast<Wide *>(p); }
            extern "C" std::string *text() { return new std::string(1000, 't'); }
            extern "C" int fails() {
              static volatile std::size_t n = std::size_t(-1) / 4;
              try { char *volatile p = new char[n]; delete[] p; return 1; }
              catch (const std::bad_alloc &) { return 0; }
            }""", "-shared", "-fPIC")
        program = self.compile_cxx("host", r"""
            #include <cstdio>
            #include <cstdlib>
            #include <dlfcn.h>
            #include <string>
            struct alignas(128) Wide { char c[300]; };
            template <class F> F *get(void *h, const char *n) { return (F *)dlsym(h, n); }
            int main() {
              void *h = dlopen("./deep.so", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
              if (!h) return std::puts(dlerror());
              auto make = get<char *(std::size_t)>(h, "make");
              auto end = get<void(char *)>(h, "end");
              auto wide = get<void *()>(h, "wide");
              auto end_wide = get<void(void *)>(h, "end_wide");
              auto text = get<std::string *()>(h, "text"); auto fails = get<int()>(h, "fails");
              for (std::size_t n = 1; n < 500000; n *= 3) {
                delete[] make(n); end(new char[n]); end(make(n)); free(make(n));
                delete static_cast<Wide *>(wide()); end_wide(new Wide);
                std::string *s = text(); s->append(n, 'u'); delete s;
              }
              if (fails()) return 2;
              std::puts("ok");
            }""", "-ldl")
        self.prints(program, "ok\n")


if __name__ == "__main__":
    main()
