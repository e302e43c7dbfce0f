/*
 * probe.c - prints the file that malloc comes from in this process, and the file that free comes
 * from: proof that a preload took effect.
 */
#include "bench.h"

static const char *file_of(const char *name)
{
  Dl_info info;
  void *symbol = dlsym(RTLD_DEFAULT, name);
  return symbol != NULL && dladdr(symbol, &info) != 0 ? info.dli_fname : "?";
}

int main(void)
{
  void *p = bench_malloc(100);
  free(p);
  (void)printf("%s %s\n", file_of("malloc"), file_of("free"));
  return 0;
}
