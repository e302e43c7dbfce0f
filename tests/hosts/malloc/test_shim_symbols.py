#!/usr/bin/env python3
"""Every name by which a program can allocate is the preload library's, whoever calls it, and what
the library says of itself is what the kernel and the books say."""
# ctest: timeout=120
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from command import HERE, PRELOAD, main

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from shim import OWNS, ShimCase

C_NAMES = """malloc calloc realloc reallocarray free cfree free_sized free_aligned_sized memalign
    aligned_alloc posix_memalign valloc pvalloc malloc_usable_size malloc_trim malloc_stats
    malloc_info mallinfo mallinfo2 mallopt""".split()
# size; alignment; nothrow tag: as C++17 mangles all forms of new and delete
NEW = ["_Zn%sm%s%s" % (array, aligned, tag) for array in "wa"
       for aligned in ("", "St11align_val_t") for tag in ("", "RKSt9nothrow_t")]
DELETE = ["_Zd%sPv%s%s" % (array, size, aligned) for array in "la" for size in ("", "m")
          for aligned in ("", "St11align_val_t")]
DELETE += ["_Zd%sPv%sRKSt9nothrow_t" % (array, aligned) for array in "la"
           for aligned in ("", "St11align_val_t")]
INCLUDE = os.path.join(HERE, "../../include")


def defined(library):
    out = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True,
                         text=True, timeout=60).stdout
    return {line.split()[-1].split("@")[0] for line in out.splitlines()}


class Names(ShimCase):
    def test_all_are_defined(self):
        self.assertEqual(len(NEW) + len(DELETE), 20)
        self.assertEqual({*C_NAMES, *NEW, *DELETE} - defined(PRELOAD), set())

    def test_the_cxx_library_has_no_form_that_is_not_ours(self):
        found = glob.glob("/usr/lib/*/libstdc++.so.6")
        if not found:
            self.skip("no C++ library is installed")
        theirs = {n for n in defined(found[0]) if re.match(r"_Z(n[wa]m|d[la]Pv)", n)}
        self.assertGreaterEqual(len(theirs), 20)
        self.assertEqual(theirs - defined(PRELOAD), set())

    def test_each_is_found_first_by_the_loader(self):
        program = self.compile("first", r"""
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <stdio.h>
            #include <string.h>
            int main(int argc, char **argv) {
              for (int i = 1; i < argc; i++) {
                Dl_info info;
                void *p = dlsym(RTLD_DEFAULT, argv[i]);
                if (!p || !dladdr(p, &info) || !strstr(info.dli_fname, "tidemark-preload"))
                  printf("%s is not ours\n", argv[i]);
              }
              puts("ok");
              return 0;
            }""")
        result = self.preloaded(program, *C_NAMES, *NEW, *DELETE)
        self.assertEqual((result.returncode, result.stdout), (0, b"ok\n"), result)


# Functions of libc that return a block of malloc's, called so that each must have made one.
LIBC_MAKERS = r"""
    #define _GNU_SOURCE
    #include <argz.h>
    #include <dirent.h>
    #include <limits.h>
    #include <malloc.h>
    #include <regex.h>
    #include <stdarg.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <unistd.h>
    #include <wchar.h>
""" + OWNS + r"""
    static int wrong;
    static void ours(const char *name, void *p) {
      if (!p || !tm_owns(p) || !malloc_usable_size(p)) printf("%s: not ours\n", name), wrong = 1;
      free(p);
    }
    static char *print(const char *format, ...) {
      char *p = 0; va_list list;
      va_start(list, format); if (vasprintf(&p, format, list) < 0) p = 0; va_end(list);
      return p;
    }
    int main(void) {
      static char text[70000];
      memset(text, 'x', sizeof text - 1);
      size_t before = mallinfo2().uordblks;
      ours("strdup", strdup(text)); ours("strndup", strndup(text, 5000));
      ours("wcsdup", wcsdup(L"wide")); ours("vasprintf", print("%s %d", text, 7));
      char *p = 0; if (asprintf(&p, "%s", text) > 0) ours("asprintf", p);
      ours("getcwd", getcwd(0, 0)); ours("realpath", realpath("/", 0));
      ours("get_current_dir_name", get_current_dir_name());
      size_t n = 0; p = 0;
      FILE *f = fmemopen(text, sizeof text, "r");
      if (getline(&p, &n, f) > 0) ours("getline", p);
      fclose(f);
      p = 0; f = open_memstream(&p, &n); fputs(text, f); fclose(f); ours("open_memstream", p);
      struct dirent **names; int count = scandir("/", &names, 0, alphasort);
      while (count-- > 0) ours("scandir", names[count]);
      ours("scandir", names);
      p = 0; n = 0; if (!argz_create_sep("a:b:c", ':', &p, &n)) ours("argz_create_sep", p);
      p = 0; if (sscanf("word", "%ms", &p) == 1) ours("sscanf %ms", p);
      regex_t r; if (!regcomp(&r, "a(b|c)*d", REG_EXTENDED)) { ours("regcomp", r.buffer); }
      ours("reallocarray", reallocarray(0, 100, 100));
      puts(wrong ? "wrong" : "ok");
      return 0;
    }"""

# What malloc_trim, mallinfo2, mallinfo and malloc_info say, beside the books and the kernel.
TRUTH = r"""
    #define _GNU_SOURCE
    #include <malloc.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/prctl.h>
    #include <unistd.h>
    #include <tidemark/tidemark.h>
    #define MUST(x) if (!(x)) { printf("line %d: not so: %s\n", __LINE__, #x); exit(1); }
    enum { BLOCKS = 20000, LARGES = 40 };
    static char *blocks[BLOCKS + LARGES];
    static tm_stats now(void) {
      tm_stats s; tm_stats_init(&s); tm_stats_read(tm_heap_default(), &s); return s;
    }
    static size_t resident(void) {
      static char text[4096]; FILE *f = fopen("/proc/self/statm", "r");
      unsigned long whole, pages; setvbuf(f, text, _IOFBF, sizeof text);
      MUST(fscanf(f, "%lu %lu", &whole, &pages) == 2);
      fclose(f); return pages * sysconf(_SC_PAGESIZE);
    }
    static unsigned long long number(const char *text, const char *word) {
      const char *at = strstr(text, word);
      MUST(at); return strtoull(at + strlen(word), 0, 10);
    }
    static void compare(void) {
      static char text[4096];
      FILE *f = fmemopen(text, sizeof text, "w");
      setvbuf(f, 0, _IONBF, 0);
      tm_stats s = now(); struct mallinfo2 m = mallinfo2(); struct mallinfo old = mallinfo();
      MUST(malloc_info(0, f) == 0);
      MUST(m.uordblks == s.live_bytes && m.arena == s.committed_bytes);
      MUST(m.fordblks == s.free_bytes + s.dirty_bytes && m.keepcost == s.dirty_bytes);
      MUST(old.uordblks == (int)m.uordblks && old.arena == (int)m.arena);
      fclose(f);
      MUST(number(text, "type=\"live\" count=\"") == s.live_blocks);
      MUST(number(strstr(text, "type=\"live\""), "size=\"") == s.live_bytes);
      MUST(number(text, "type=\"free\" size=\"") == s.free_bytes);
      MUST(number(text, "type=\"dirty\" size=\"") == s.dirty_bytes);
      MUST(number(text, "type=\"current\" size=\"") == s.committed_bytes);
      MUST(m.uordblks + m.fordblks <= m.arena);
    }
    int main(void) {
      prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
      compare(); (void)resident(); malloc_trim(0);
      size_t before = resident(), live = now().live_bytes, usable = 0;
      for (int i = 0; i < BLOCKS + LARGES; i++) {
        size_t n = i < BLOCKS ? 16 + i % 4000 : 1000000;
        blocks[i] = malloc(n); memset(blocks[i], 1, n); usable += malloc_usable_size(blocks[i]);
      }
      compare();
      MUST(mallinfo2().uordblks == live + usable);
      size_t full = resident();
      MUST(full - before >= usable / 100 * 90);
      /* what is committed is what the kernel backs, but for pages begun and not yet touched */
      size_t committed = now().committed_bytes;
      MUST(committed >= usable && committed <= usable + usable / 4 + (24 << 20));
      for (int i = 0; i < BLOCKS + LARGES; i++) free(blocks[i]);
      compare();
      size_t freed_resident = resident(), released = now().os_released_bytes_total;
      MUST(malloc_trim(0) == 1);
      MUST(mallinfo2().keepcost == 0 && malloc_trim(0) == 0); /* before stdio allocates again */
      size_t fell = freed_resident - resident();
      compare();
      MUST(fell >= usable / 100 * 95);
      MUST(now().os_released_bytes_total - released >= fell / 100 * 95);
      /* one block in fifty stays */
      for (int i = 0; i < BLOCKS; i++) { blocks[i] = malloc(200); memset(blocks[i], 1, 200); }
      for (int i = 0; i < BLOCKS; i++) if (i % 50) free(blocks[i]);
      freed_resident = resident();
      MUST(malloc_trim(0) == 1);
      fell = freed_resident - resident();
      MUST(fell >= 1 << 20);
      compare();
      puts("ok");
      return 0;
    }"""


class Behaviour(ShimCase):
    def test_the_c_library_allocates_here(self):
        self.prints(self.compile("makers", LIBC_MAKERS, "-fno-builtin"), "ok\n")

    def test_the_questions_are_answered_truly(self):
        program = self.compile("truth", TRUTH, "-fno-builtin", "-I", INCLUDE, PRELOAD)
        self.prints(program, "ok\n")

    def test_every_form_of_new_and_delete_by_its_name(self):
        """The forms that no compiler of this machine may call by itself, too."""
        declared = "".join(f"extern void *{name}();\n" for name in NEW)
        declared += "".join(f"extern void {name}();\n" for name in DELETE)
        program = self.compile("forms", OWNS + r"""
            #include <malloc.h>
            #include <stdint.h>
            #include <stdio.h>
            #include <string.h>
            """ + declared + r"""
            typedef void *(*new_fn)(size_t, size_t, size_t);
            typedef void (*delete_fn)(void *, size_t, size_t);
            int main(void) {
              new_fn news[] = {""" + ", ".join(f"(new_fn){n}" for n in NEW) + r"""};
              delete_fn deletes[] = {""" + ", ".join(f"(delete_fn){n}" for n in DELETE) + r"""};
              static const char *new_names[] = {""" + ", ".join(f'"{n}"' for n in NEW) + r"""};
              size_t before = mallinfo2().uordblks;
              for (int i = 0; i < 8; i++)
                for (int k = 0; k < 12; k++)
                  for (size_t n = 0; n < 300000; n = n * 7 + 64) {
                    int aligned = strstr(new_names[i], "align") != 0;
                    char *p = news[i](n, 64, 64); /* the tag is not looked at */
                    if (!p || !tm_owns(p) || malloc_usable_size(p) < n) return 1;
                    if (aligned && (uintptr_t)p % 64) return 2;
                    memset(p, 1, n);
                    deletes[k](p, 64, 64);
                    deletes[k](0, 64, 64);
                    if (mallinfo2().uordblks != before) return 3;
                  }
              puts("ok");
              return 0;
            }""", "-fno-builtin", PRELOAD)
        self.prints(program, "ok\n")


if __name__ == "__main__":
    main()
