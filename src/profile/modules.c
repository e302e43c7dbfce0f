/* modules.c - see modules.h. Files are not trusted: each offset is looked at before it is used. */
#include "profile/modules.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/os.h"

/* ---- The maps ------------------------------------------------------------------------------- */

static uint64_t read_hex(const char **at)
{
  uint64_t value = 0;
  for (;; (*at)++) {
    char c = **at;
    if (c >= '0' && c <= '9')
      value = value << 4 | (uint64_t)(c - '0');
    else if (c >= 'a' && c <= 'f')
      value = value << 4 | (uint64_t)(c - 'a' + 10);
    else
      return value;
  }
}

/* "begin-end perms offset device inode   path": an executable part, or nothing. */
static bool parse_line(const char *line, tm__module *module)
{
  const char *at = line;
  *module = (tm__module){.path = ""};
  module->begin = read_hex(&at);
  if (*at++ != '-')
    return false;
  module->end = read_hex(&at);
  if (strlen(at) < 6 || at[3] != 'x')
    return false;
  at += 6;
  module->offset = read_hex(&at);
  const char *path = strpbrk(at, "/[");
  if (path)
    module->path = path;
  return module->end > module->begin;
}

void tm__modules_parse(tm__modules *modules, size_t length)
{
  modules->text[length] = 0;
  modules->count = 0;
  for (char *line = modules->text; *line && modules->count < TM__MODULES;) {
    char *end = strchr(line, '\n');
    if (!end)
      return; /* cut off */
    *end = 0;
    if (parse_line(line, &modules->list[modules->count]))
      modules->count++;
    line = end + 1;
  }
}

void tm__modules_read(tm__modules *modules)
{
  size_t length = 0;
  ssize_t n = 1;
  int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  while (fd >= 0 && n > 0 && length < TM__MAPS_BYTES - 1) {
    n = read(fd, modules->text + length, TM__MAPS_BYTES - 1 - length);
    length += n > 0 ? (size_t)n : 0;
  }
  if (fd >= 0)
    (void)close(fd);
  tm__modules_parse(modules, length);
}

/* They are in the order of their addresses. */
tm__module *tm__modules_find(tm__modules *modules, uint64_t address)
{
  size_t low = 0, high = modules->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (modules->list[middle].end <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return low < modules->count && modules->list[low].begin <= address ? &modules->list[low] : NULL;
}

/* ---- Files ---------------------------------------------------------------------------------- */

/* `bytes` of the file from `offset` on, or NULL. What is there may stand at any address. */
static const void *part(const tm__module *m, uint64_t offset, uint64_t bytes)
{
  return offset <= m->file_bytes && bytes <= m->file_bytes - offset ? m->file + offset : NULL;
}

static bool read_header(const tm__module *m, Elf64_Ehdr *header)
{
  const void *at = part(m, 0, sizeof *header);
  if (!at)
    return false;
  memcpy(header, at, sizeof *header);
  return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == ELFCLASS64 &&
         header->e_phentsize == sizeof(Elf64_Phdr);
}

static bool read_segment(const tm__module *m, const Elf64_Ehdr *header, unsigned i, Elf64_Phdr *out)
{
  const void *at = part(m, header->e_phoff + (uint64_t)i * sizeof *out, sizeof *out);
  if (at)
    memcpy(out, at, sizeof *out);
  return at != NULL;
}

static bool read_section(const tm__module *m, const Elf64_Ehdr *header, uint64_t i, Elf64_Shdr *out)
{
  const void *at = part(m, header->e_shoff + i * sizeof *out, sizeof *out);
  if (at && header->e_shentsize == sizeof *out)
    memcpy(out, at, sizeof *out);
  return at != NULL && header->e_shentsize == sizeof *out;
}

static void write_build_id(tm__module *m, const unsigned char *id, size_t bytes)
{
  static const char digits[] = "0123456789abcdef";
  bytes = bytes < TM__BUILD_ID / 2 ? bytes : TM__BUILD_ID / 2;
  for (size_t i = 0; i < bytes; i++) {
    m->build_id[2 * i] = digits[id[i] >> 4];
    m->build_id[2 * i + 1] = digits[id[i] & 15];
  }
  m->build_id[2 * bytes] = 0;
}

static void find_build_id(tm__module *m, uint64_t offset, uint64_t bytes)
{
  Elf64_Nhdr note;
  while (bytes >= sizeof note) {
    const unsigned char *at = part(m, offset, bytes);
    if (!at)
      return;
    memcpy(&note, at, sizeof note);
    uint64_t name = ((uint64_t)note.n_namesz + 3) & ~(uint64_t)3;
    uint64_t whole = sizeof note + name + (((uint64_t)note.n_descsz + 3) & ~(uint64_t)3);
    if (whole > bytes)
      return;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
        memcmp(at + sizeof note, "GNU", 4) == 0) {
      write_build_id(m, at + sizeof note + name, note.n_descsz);
      return;
    }
    offset += whole;
    bytes -= whole;
  }
}

void tm__module_open(tm__module *m)
{
  struct stat st;
  Elf64_Ehdr header;
  if (m->file || *m->path != '/')
    return;
  int fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return;
  if (tm__os_fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
    void *file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    m->file = file == MAP_FAILED ? NULL : file;
    m->file_bytes = m->file ? (size_t)st.st_size : 0;
  }
  (void)close(fd);
  if (!m->file || !read_header(m, &header))
    return;
  Elf64_Phdr segment;
  for (unsigned i = 0; i < header.e_phnum && read_segment(m, &header, i, &segment); i++)
    if (segment.p_type == PT_NOTE && !*m->build_id)
      find_build_id(m, segment.p_offset, segment.p_filesz);
}

void tm__modules_close(tm__modules *modules)
{
  for (size_t i = 0; i < modules->count; i++) {
    tm__module *m = &modules->list[i];
    if (m->file)
      (void)munmap((void *)(uintptr_t)m->file, m->file_bytes);
    m->file = NULL;
  }
}

/* ---- Names ---------------------------------------------------------------------------------- */

/* What is added to an address of the file's own to get ours. */
static bool find_bias(const tm__module *m, const Elf64_Ehdr *header, uint64_t *bias)
{
  Elf64_Phdr s;
  for (unsigned i = 0; i < header->e_phnum && read_segment(m, header, i, &s); i++)
    if (s.p_type == PT_LOAD && (s.p_flags & PF_X) && m->offset < s.p_offset + s.p_filesz &&
        m->offset + (m->end - m->begin) > s.p_offset) {
      *bias = m->begin - m->offset - (s.p_vaddr - s.p_offset);
      return true;
    }
  return false;
}

/* The table of all symbols, or, in a stripped file, of those that the loader needs. */
static bool find_table(const tm__module *m, const Elf64_Ehdr *header, Elf64_Shdr *table)
{
  Elf64_Shdr section;
  bool found = false;
  for (unsigned i = 0; i < header->e_shnum && read_section(m, header, i, &section); i++) {
    bool all = section.sh_type == SHT_SYMTAB;
    if (!all && (section.sh_type != SHT_DYNSYM || found))
      continue;
    *table = section;
    found = true;
    if (all)
      break;
  }
  return found;
}

void tm__module_symbols(const tm__module *m, tm__symbol_fn fn, void *ctx)
{
  Elf64_Ehdr header;
  Elf64_Shdr table, names;
  Elf64_Sym symbol;
  uint64_t bias;
  if (!m->file || !read_header(m, &header) || !find_bias(m, &header, &bias) ||
      !find_table(m, &header, &table) || !read_section(m, &header, table.sh_link, &names))
    return;
  const unsigned char *at = part(m, table.sh_offset, table.sh_size);
  const char *text = part(m, names.sh_offset, names.sh_size);
  if (!at || !text || !names.sh_size || text[names.sh_size - 1])
    return;
  for (uint64_t i = 0; i < table.sh_size / sizeof symbol; i++) {
    memcpy(&symbol, at + i * sizeof symbol, sizeof symbol);
    unsigned type = ELF64_ST_TYPE(symbol.st_info);
    if ((type == STT_FUNC || type == STT_GNU_IFUNC) && symbol.st_shndx != SHN_UNDEF &&
        symbol.st_size && symbol.st_name < names.sh_size)
      fn(ctx, bias + symbol.st_value, bias + symbol.st_value + symbol.st_size,
         text + symbol.st_name);
  }
}
