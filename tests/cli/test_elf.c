/* test_elf.c - what kind of program a file is, on files made by hand and damaged on purpose. */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/elf.h"

static const char loader[] = "/lib64/ld-test.so.1";

/* A header, two program headers and the loader's name: the least that a dynamic program has. */
typedef struct image {
  Elf64_Ehdr file;
  Elf64_Phdr load, interp;
  char loader[sizeof loader];
} image;

/* The machine that the tests run on, from our own executable. */
static Elf64_Ehdr own_header(void)
{
  Elf64_Ehdr header;
  int fd = open("/proc/self/exe", O_RDONLY);
  assert_true(fd >= 0);
  assert_int_equal(read(fd, &header, sizeof header), sizeof header);
  (void)close(fd);
  return header;
}

static image new_image(void)
{
  image i;
  memset(&i, 0, sizeof i);
  i.file = own_header();
  i.file.e_type = ET_DYN;
  i.file.e_phoff = offsetof(image, load);
  i.file.e_phentsize = sizeof(Elf64_Phdr);
  i.file.e_phnum = 2;
  i.load.p_type = PT_LOAD;
  i.interp.p_type = PT_INTERP;
  i.interp.p_offset = offsetof(image, loader);
  i.interp.p_filesz = sizeof loader;
  memcpy(i.loader, loader, sizeof loader);
  return i;
}

static tm__elf read_bytes(const void *bytes, size_t length)
{
  tm__elf elf;
  int fd = memfd_create("elf", 0);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, bytes, length), (ssize_t)length);
  assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
  tm__elf_read(fd, &elf);
  assert_int_equal(lseek(fd, 0, SEEK_CUR), 3); /* the offset stays */
  (void)close(fd);
  return elf;
}

static tm__elf read_image(const image *i)
{
  return read_bytes(i, sizeof *i);
}

static void a_dynamic_program_names_its_loader(void **state)
{
  (void)state;
  image i = new_image();
  assert_int_equal(read_image(&i).kind, TM_ELF_DYNAMIC);
  assert_string_equal(read_image(&i).loader, loader);
  i.file.e_type = ET_EXEC;
  assert_int_equal(read_image(&i).kind, TM_ELF_DYNAMIC);
}

static void without_a_loader_it_is_static(void **state)
{
  (void)state;
  image i = new_image();
  i.interp.p_type = PT_NOTE;
  assert_int_equal(read_image(&i).kind, TM_ELF_STATIC);
}

static void other_machines_are_named(void **state)
{
  (void)state;
  image i = new_image();
  i.file.e_machine = EM_MIPS;
  assert_int_equal(read_image(&i).kind, TM_ELF_FOREIGN);
  assert_string_equal(read_image(&i).machine, "MIPS");
  i.file.e_machine = EM_386;
  i.file.e_ident[EI_CLASS] = ELFCLASS32;
  assert_int_equal(read_image(&i).kind, TM_ELF_FOREIGN);
  assert_string_equal(read_image(&i).machine, "32-bit x86");
  i.file.e_machine = 0xfedc;
  i.file.e_ident[EI_CLASS] = ELFCLASS64;
  assert_string_equal(read_image(&i).machine, "an unknown machine");
  i = new_image();
  i.file.e_ident[EI_DATA] = i.file.e_ident[EI_DATA] == ELFDATA2LSB ? ELFDATA2MSB : ELFDATA2LSB;
  assert_int_equal(read_image(&i).kind, TM_ELF_FOREIGN);
}

static void what_is_no_elf_file(void **state)
{
  (void)state;
  assert_int_equal(read_bytes("", 0).kind, TM_ELF_NONE);
  assert_int_equal(read_bytes("#!/bin/sh\nexit 0\n", 17).kind, TM_ELF_NONE);
  assert_int_equal(read_bytes("\177ELF", 4).kind, TM_ELF_NONE);
}

static void damage_is_seen(void **state)
{
  (void)state;
  image i = new_image();
  i.file.e_type = ET_REL;
  assert_int_equal(read_image(&i).kind, TM_ELF_BROKEN);
  i = new_image();
  i.file.e_phnum = 0;
  assert_int_equal(read_image(&i).kind, TM_ELF_BROKEN);
  i = new_image();
  i.file.e_phentsize = 1;
  assert_int_equal(read_image(&i).kind, TM_ELF_BROKEN);
  i = new_image();
  i.file.e_phoff = UINT64_MAX - 8;
  assert_int_equal(read_image(&i).kind, TM_ELF_BROKEN);
  i = new_image();
  i.interp.p_filesz = 5000;
  assert_int_equal(read_image(&i).kind, TM_ELF_BROKEN);
  i = new_image();
  i.interp.p_offset = UINT64_MAX;
  assert_int_equal(read_image(&i).kind, TM_ELF_BROKEN);
  i = new_image();
  i.loader[sizeof loader - 1] = 'x'; /* a name without an end */
  assert_int_equal(read_image(&i).kind, TM_ELF_BROKEN);
}

static void every_cut_and_every_bit_is_survived(void **state)
{
  (void)state;
  image i = new_image();
  for (size_t length = EI_NIDENT; length < offsetof(image, loader) + sizeof loader; length++) {
    tm__elf elf = read_bytes(&i, length);
    assert_int_equal(elf.kind, TM_ELF_BROKEN);
  }
  for (size_t bit = 0; bit < 8 * sizeof i; bit++) {
    image damaged = i;
    ((unsigned char *)&damaged)[bit / 8] ^= (unsigned char)(1u << (bit % 8));
    tm__elf elf = read_image(&damaged);
    if (elf.kind == TM_ELF_DYNAMIC)
      assert_non_null(memchr(elf.loader, 0, sizeof elf.loader));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_dynamic_program_names_its_loader),
      cmocka_unit_test(without_a_loader_it_is_static),
      cmocka_unit_test(other_machines_are_named),
      cmocka_unit_test(what_is_no_elf_file),
      cmocka_unit_test(damage_is_seen),
      cmocka_unit_test(every_cut_and_every_bit_is_survived),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
