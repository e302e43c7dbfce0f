"""libtidemark.so as a plugin loads it: by dlopen, into a process that has threads, with and without
room for thread-locals, and out again."""
# ctest: timeout=120
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from command import HERE, Case, environment, main

LIB = os.path.join(os.environ.get("TIDEMARK_BUILD", ""), "lib/libtidemark.so")
INCLUDE = os.path.join(HERE, "../../include")

# The library by its functions, and work in any thread.
USE = r"""
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <pthread.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/wait.h>
    #include <unistd.h>
    #include <tidemark/tidemark.h>
    #define MUST(x) if (!(x)) { printf("line %d: %s\n", __LINE__, #x); fflush(0); _exit(1); }
    static __typeof__(&tm_heap_default) heap_default;
    static __typeof__(&tm_malloc) get;
    static __typeof__(&tm_realloc) resize;
    static __typeof__(&tm_free) give;
    static __typeof__(&tm_heap_check) check;
    static __typeof__(&tm_trim) trim;
    static void *library;
    static int load(const char *path) {
      library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
      if (!library) return 0;
      heap_default = dlsym(library, "tm_heap_default"); get = dlsym(library, "tm_malloc");
      resize = dlsym(library, "tm_realloc"); give = dlsym(library, "tm_free");
      check = dlsym(library, "tm_heap_check"); trim = dlsym(library, "tm_trim");
      MUST(heap_default && get && resize && give && check && trim);
      return 1;
    }
    static void *use(void *arg) {
      tm_heap *heap = heap_default();
      for (size_t n = 1; n < 3000000; n = n * 3 + 1) {
        char *p = get(heap, TM_MEM, n);
        MUST(p); memset(p, 7, n);
        p = resize(heap, TM_MEM, p, n * 2); MUST(p && p[n - 1] == 7);
        give(heap, TM_MEM, p);
      }
      return arg;
    }
    static void use_everywhere(void) {
      pthread_t threads[8];
      use(0);
      for (int i = 0; i < 8; i++) pthread_create(&threads[i], 0, use, 0);
      for (int i = 0; i < 8; i++) pthread_join(threads[i], 0);
      trim(heap_default());
      MUST(check(heap_default()) == 0);
    }
    static pthread_barrier_t before, after;
    static void *older(void *arg) { /* a thread that was there before the library */
      pthread_barrier_wait(&before);
      if (library) use(0);
      pthread_barrier_wait(&after);
      return arg;
    }
    static pthread_t olders[4];
    static void start_olders(void) {
      pthread_barrier_init(&before, 0, 5); pthread_barrier_init(&after, 0, 5);
      for (int i = 0; i < 4; i++) pthread_create(&olders[i], 0, older, 0);
    }
    static void end_olders(void) {
      pthread_barrier_wait(&before); pthread_barrier_wait(&after);
      for (int i = 0; i < 4; i++) pthread_join(olders[i], 0);
    }
"""

# Takes static TLS in pieces of falling size until there is no room for one of the smallest.
EXHAUST = USE + r"""
    int main(int argc, char **argv) {
      char name[100];
      int taken = 0, smallest = atoi(argv[2]);
      start_olders();
      for (int size = 1024; size >= smallest; size /= 2)
        for (int i = 0; i < 40; i++) {
          snprintf(name, sizeof name, "./tls%d_%d.so", size, i);
          if (!dlopen(name, RTLD_NOW | RTLD_LOCAL)) break;
          taken += size;
        }
      MUST(taken > 0);
      if (load(argv[1])) {
        end_olders(); use_everywhere(); puts("loaded");
      } else {
        const char *error = dlerror();
        MUST(error && strstr(error, "libtidemark") && strstr(error, "static TLS"));
        MUST(!load(argv[1])); /* nor does it crash the second time */
        end_olders(); puts("refused");
      }
      return 0;
    }"""


class Dlopen(Case):
    def run_it(self, program, *arguments):
        return subprocess.run([program, *arguments], capture_output=True, timeout=60,
                              cwd=self.folder.name, env=environment())

    def prints(self, expected, program, *arguments):
        result = self.run_it(program, *arguments)
        self.assertEqual((result.returncode, result.stdout.decode(), result.stderr),
                         (0, expected, b""))

    def test_into_a_process_with_threads(self):
        program = self.compile("plain", USE + r"""
            static void *load_here(void *path) { MUST(load(path)); return 0; }
            int main(int argc, char **argv) {
              pthread_t loader;
              start_olders();
              pthread_create(&loader, 0, load_here, argv[1]); pthread_join(loader, 0);
              end_olders(); use_everywhere();
              pid_t child = fork();
              if (child == 0) { use_everywhere(); _exit(0); }
              int status; MUST(waitpid(child, &status, 0) == child && status == 0);
              puts("ok");
              return 0;
            }""", "-pthread", "-I", INCLUDE)
        self.prints("ok\n", program, LIB)

    def test_out_again(self):
        """Regression: a thread that had used it and ended after dlclose jumped into nothing."""
        program = self.compile("closed", USE + r"""
            static pthread_barrier_t used, closed;
            static void *end_later(void *arg) {
              use(0);
              pthread_barrier_wait(&used); pthread_barrier_wait(&closed);
              return arg;
            }
            int main(int argc, char **argv) {
              pthread_t threads[3];
              pthread_barrier_init(&used, 0, 4); pthread_barrier_init(&closed, 0, 4);
              MUST(load(argv[1]));
              for (int i = 0; i < 3; i++) pthread_create(&threads[i], 0, end_later, 0);
              pthread_barrier_wait(&used);
              use(0);
              MUST(dlclose(library) == 0);
              pthread_barrier_wait(&closed);
              for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
              pid_t child = fork();
              if (child == 0) _exit(0);
              int status; MUST(waitpid(child, &status, 0) == child && status == 0);
              for (int i = 0; i < 10; i++) {
                MUST(load(argv[1])); use_everywhere(); dlclose(library);
              }
              puts("ok");
              return 0;
            }""", "-pthread", "-I", INCLUDE)
        self.prints("ok\n", program, LIB)

    def test_without_room_for_thread_locals(self):
        """A clear error or success, whatever is left; and the rest of the process goes on."""
        source = "__thread char piece[SIZE] = {1};\nchar *get(void) { return piece; }\n"
        sizes = [1024 >> i for i in range(8)]
        for size in sizes:
            first = self.compile(f"tls{size}_0.so", source, "-shared", "-fPIC", f"-DSIZE={size}",
                                 "-ftls-model=initial-exec")
            with open(first, "rb") as file:
                content = file.read()
            for i in range(1, 40):  # another file is another library
                self.write(f"tls{size}_{i}.so", content)
        program = self.compile("exhaust", EXHAUST, "-pthread", "-I", INCLUDE)
        answers = []
        for smallest in sizes:
            result = self.run_it(program, LIB, str(smallest))
            self.assertEqual((result.returncode, result.stderr), (0, b""), result)
            answers.append(result.stdout)
        self.assertEqual(set(answers), {b"loaded\n", b"refused\n"}, answers)
        self.assertEqual(answers, sorted(answers), "less room is no better")


if __name__ == "__main__":
    if not os.access(LIB, os.R_OK):
        print("SKIP: the library is not built")
        sys.exit(77)
    main()
