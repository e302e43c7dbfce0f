/* elf.h - what kind of program a file is, as far as preloading a library into it goes. */
#ifndef TM_CLI_ELF_H
#define TM_CLI_ELF_H

#include "base/hints.h"

typedef enum {
  TM_ELF_NONE,    /* not an ELF file */
  TM_ELF_BROKEN,  /* starts like one, but its tables are cut or senseless */
  TM_ELF_FOREIGN, /* another machine, word size or byte order than ours */
  TM_ELF_STATIC,  /* no program loader: nothing can be preloaded */
  TM_ELF_DYNAMIC  /* `loader` starts it and heeds LD_PRELOAD */
} tm__elf_kind;

typedef struct tm__elf {
  tm__elf_kind kind;
  char machine[32]; /* FOREIGN: "32-bit x86", "AArch64", ... */
  char loader[256]; /* DYNAMIC: e.g. "/lib64/ld-linux-x86-64.so.2" */
} tm__elf;

/* Reads the head of the file behind fd (by pread, the offset stays). Any content is safe. */
TM_HIDDEN void tm__elf_read(int fd, tm__elf *elf);

#endif
