/* elf.c - the ELF header and the one program header that matters to us. */
#define _GNU_SOURCE
#include "cli/elf.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
enum { OUR_MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { OUR_MACHINE = EM_AARCH64 };
#elif defined(__riscv)
enum { OUR_MACHINE = EM_RISCV };
#elif defined(__powerpc64__)
enum { OUR_MACHINE = EM_PPC64 };
#elif defined(__s390x__)
enum { OUR_MACHINE = EM_S390 };
#else
#error "name this machine's ELF number"
#endif

static const unsigned char our_order =
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

static const struct {
  unsigned number;
  const char *name;
} machines[] = {
    {EM_386, "x86"},      {EM_X86_64, "x86-64"}, {EM_ARM, "ARM"},    {EM_AARCH64, "AArch64"},
    {EM_RISCV, "RISC-V"}, {EM_PPC64, "PowerPC"}, {EM_S390, "S/390"}, {EM_MIPS, "MIPS"},
};

static bool read_at(int fd, void *buffer, size_t bytes, uint64_t offset)
{
  if (offset > INT64_MAX - bytes)
    return false;
  return pread(fd, buffer, bytes, (off_t)offset) == (ssize_t)bytes;
}

static void describe_machine(tm__elf *elf, const unsigned char *ident, unsigned machine)
{
  const char *name = "an unknown machine";
  for (size_t i = 0; i < TM_ARRAY_LEN(machines); i++)
    if (machines[i].number == machine)
      name = machines[i].name;
  (void)snprintf(elf->machine, sizeof elf->machine, "%s%s",
                 ident[EI_CLASS] == ELFCLASS32 ? "32-bit " : "", name);
}

/* The loader's path of one PT_INTERP header. */
static tm__elf_kind read_loader(int fd, const Elf64_Phdr *header, tm__elf *elf)
{
  if (header->p_filesz < 2 || header->p_filesz > sizeof elf->loader)
    return TM_ELF_BROKEN;
  if (!read_at(fd, elf->loader, (size_t)header->p_filesz, header->p_offset))
    return TM_ELF_BROKEN;
  if (elf->loader[header->p_filesz - 1] != 0)
    return TM_ELF_BROKEN;
  return TM_ELF_DYNAMIC;
}

static tm__elf_kind read_headers(int fd, const Elf64_Ehdr *file, tm__elf *elf)
{
  if (file->e_type != ET_EXEC && file->e_type != ET_DYN)
    return TM_ELF_BROKEN;
  if (file->e_phentsize != sizeof(Elf64_Phdr) || file->e_phnum == 0)
    return TM_ELF_BROKEN;
  for (uint64_t i = 0; i < file->e_phnum; i++) {
    Elf64_Phdr header;
    if (file->e_phoff > INT64_MAX - i * sizeof header ||
        !read_at(fd, &header, sizeof header, file->e_phoff + i * sizeof header))
      return TM_ELF_BROKEN;
    if (header.p_type == PT_INTERP)
      return read_loader(fd, &header, elf);
  }
  return TM_ELF_STATIC;
}

void tm__elf_read(int fd, tm__elf *elf)
{
  memset(elf, 0, sizeof *elf);
  unsigned char ident[EI_NIDENT];
  if (!read_at(fd, ident, sizeof ident, 0) || memcmp(ident, ELFMAG, SELFMAG) != 0) {
    elf->kind = TM_ELF_NONE;
    return;
  }
  /* e_machine stands at the same place in both word sizes, in the file's own byte order */
  unsigned char machine[2];
  if (!read_at(fd, machine, sizeof machine, offsetof(Elf64_Ehdr, e_machine))) {
    elf->kind = TM_ELF_BROKEN;
    return;
  }
  bool big = ident[EI_DATA] == ELFDATA2MSB;
  unsigned number = big ? machine[0] * 256u + machine[1] : machine[1] * 256u + machine[0];
  if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != our_order || number != OUR_MACHINE) {
    elf->kind = TM_ELF_FOREIGN;
    describe_machine(elf, ident, number);
    return;
  }
  Elf64_Ehdr file;
  elf->kind = read_at(fd, &file, sizeof file, 0) ? read_headers(fd, &file, elf) : TM_ELF_BROKEN;
}
