#!/usr/bin/env python3
"""C++ under the shim: every form, and programs that bring their own."""
# ctest: timeout=120
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from command import main

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from shim import OWNS, ShimCase


class Cxx(ShimCase):
    def test_new_and_delete_in_all_forms(self):
        program = self.compile_cxx("forms", OWNS.replace("extern", 'extern "C"') + r"""
            #include <cstdio>
            #include <cstdint>
            #include <malloc.h>
            #include <new>
            #include <string>
            #include <map>
            struct alignas(256) Wide { char c[300]; };
            static volatile size_t impossible = PTRDIFF_MAX;
            static void *volatile sink;
            static int calls;
            static void give_reserve() {
              calls++;
              if (calls == 3) std::set_new_handler(nullptr);
            }
            static void throw_up() { throw std::bad_alloc(); }
            #define CHECK(x) if (!(x)) { std::printf("not so: %s\n", #x); return 1; }
            template <class F> static bool throws(F f) {
              try { f(); } catch (const std::bad_alloc &) { return true; }
              return false;
            }
            int main() {
              size_t before = mallinfo2().uordblks;
              auto one = new int(7); auto many = new int[1000];
              auto wide = new Wide; auto wides = new Wide[3];
              auto quiet = new (std::nothrow) int[5]; auto quiet_wide = new (std::nothrow) Wide[2];
              for (void *p : {(void *)one, (void *)many, (void *)wide, (void *)wides,
                              (void *)quiet, (void *)quiet_wide})
                CHECK(tm_owns(p));
              for (void *p : {(void *)wide, (void *)wides, (void *)quiet_wide})
                CHECK((uintptr_t)p % 256 == 0);
              delete one; delete[] many; delete wide; delete[] wides; delete[] quiet;
              delete[] quiet_wide;
              operator delete(operator new(100), size_t(100));
              operator delete[](operator new[](100), size_t(100));
              operator delete(operator new(100, std::align_val_t(64)), 100, std::align_val_t(64));
              operator delete(operator new(10, std::nothrow), std::nothrow);
              operator delete[](operator new[](10, std::align_val_t(32), std::nothrow),
                                std::align_val_t(32), std::nothrow);
              CHECK(mallinfo2().uordblks == before);
              CHECK(throws([] { sink = operator new(impossible); }));
              CHECK(throws([] { sink = operator new[](impossible); }));
              CHECK(throws([] { sink = operator new(impossible, std::align_val_t(64)); }));
              CHECK(throws([] { sink = operator new(64, std::align_val_t(24)); }));
              CHECK(throws([] { sink = operator new(64, std::align_val_t(size_t(1) << 50)); }));
              CHECK(!operator new(impossible, std::nothrow));
              CHECK(!operator new[](impossible, std::nothrow));
              CHECK(!operator new[](impossible, std::align_val_t(64), std::nothrow));
              std::set_new_handler(give_reserve);
              CHECK(throws([] { sink = operator new(impossible); }));
              CHECK(calls == 3);
              calls = 0;
              std::set_new_handler(give_reserve);
              CHECK(!operator new(impossible, std::nothrow));
              CHECK(calls == 3);
              std::set_new_handler(throw_up);
              CHECK(!operator new[](impossible, std::nothrow));
              CHECK(throws([] { std::string(impossible / 2, 'x'); }));
              std::map<std::string, std::string> map;
              for (int i = 0; i < 5000; i++) map[std::to_string(i)] = std::string(i % 100, 'y');
              map.clear();
              std::puts("ok");
            }""")
        self.prints(program, "ok\n")

    def test_a_program_with_its_own_new_gets_all_forms_from_it(self):
        """Regression: sized delete and new[] were ours when new was the program's."""
        program = self.compile_cxx("own", r"""
            #include <cstdio>
            #include <cstdlib>
            #include <new>
            static char space[1 << 16]; static size_t used; static int news, deletes;
            void *operator new(size_t n) {
              if (n > sizeof space) throw std::bad_alloc();
              news++; void *p = space + used; used += (n + 31) & ~size_t(15); return p;
            }
            void operator delete(void *p) noexcept { if (p) deletes++; }
            struct Big { long a[10]; ~Big() {} };
            volatile size_t impossible = 1 << 20;
            int main() {
              delete new Big;
              delete[] new Big[3];
              auto p = new (std::nothrow) int; operator delete(p, std::nothrow);
              auto q = new (std::nothrow) int[4]; operator delete[](q, std::nothrow);
              if (operator new(impossible, std::nothrow)) return 1;
              std::printf("%d %d\n", news, deletes);
            }""")
        self.prints(program, "4 4\n")

    def test_bad_alloc_of_a_plugin_in_a_c_program(self):
        """Regression: libstdc++ was out of dlsym's reach, and the plugin's program aborted."""
        self.compile_cxx("plugin.so", r"""
            #include <cstddef>
            #include <new>
            #include <vector>
            extern "C" int grow(std::size_t n) {
              try { std::vector<char> v(n); return 1; } catch (const std::bad_alloc &) { return 2; }
            }""", "-shared", "-fPIC")
        program = self.compile("host", r"""
            #include <dlfcn.h>
            #include <stdint.h>
            #include <stdio.h>
            int main(void) {
              void *h = dlopen("./plugin.so", RTLD_NOW | RTLD_LOCAL);
              int (*grow)(size_t) = (int (*)(size_t))dlsym(h, "grow");
              int small = grow(1000), large = grow(PTRDIFF_MAX / 2);
              printf("%d %d\n", small, large);
              return 0;
            }""")
        self.prints(program, "1 2\n")

if __name__ == "__main__":
    main()
