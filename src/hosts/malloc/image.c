/* image.c - see image.h. The formats are those of the ELF specification and its GNU hash table. */
#define _GNU_SOURCE
#include "hosts/malloc/image.h"

#include <string.h>

/* ---- Reading an image ------------------------------------------------------------------------ */

/* The loader has added the base to the addresses of most images, but not to those of all. */
static uintptr_t absolute(uintptr_t base, uintptr_t address)
{
  return address < base ? base + address : address;
}

static bool read_image(const struct dl_phdr_info *info, tm__image *out)
{
  *out = (tm__image){
      .base = info->dlpi_addr, .headers = info->dlpi_phdr, .header_count = info->dlpi_phnum};
  const ElfW(Dyn) *entry = NULL;
  for (size_t i = 0; i < out->header_count; i++)
    if (out->headers[i].p_type == PT_DYNAMIC)
      entry = (const ElfW(Dyn) *)(out->base + out->headers[i].p_vaddr);
  for (; entry && entry->d_tag != DT_NULL; entry++) {
    uintptr_t at = absolute(out->base, entry->d_un.d_ptr);
    if (entry->d_tag == DT_SYMTAB)
      out->symbols = (ElfW(Sym) *)at;
    else if (entry->d_tag == DT_STRTAB)
      out->strings = (const char *)at;
    else if (entry->d_tag == DT_GNU_HASH)
      out->hash = (const uint32_t *)at;
  }
  return out->symbols && out->strings && out->hash;
}

static bool contains(const struct dl_phdr_info *info, uintptr_t address)
{
  for (size_t i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    if (header->p_type == PT_LOAD &&
        address - (info->dlpi_addr + header->p_vaddr) < header->p_memsz)
      return true;
  }
  return false;
}

/* ---- Searching ------------------------------------------------------------------------------- */

typedef struct search {
  uintptr_t address;  /* the image with this in it, */
  const char *symbol; /* or the one that defines this */
  tm__image *out;
} search;

static int match(struct dl_phdr_info *info, size_t size, void *context)
{
  (void)size;
  const search *s = context;
  if (s->symbol)
    return read_image(info, s->out) && tm__image_symbol(s->out, s->symbol);
  return contains(info, s->address) && read_image(info, s->out);
}

bool tm__image_at(const void *address, tm__image *out)
{
  search s = {.address = (uintptr_t)address, .out = out};
  return dl_iterate_phdr(match, &s) != 0;
}

bool tm__image_with(const char *symbol, tm__image *out)
{
  search s = {.symbol = symbol, .out = out};
  return dl_iterate_phdr(match, &s) != 0;
}

static uint32_t hash_of(const char *name)
{
  uint32_t h = 5381;
  for (; *name; name++)
    h = h * 33 + (unsigned char)*name;
  return h;
}

/* [ buckets, first hashed symbol, words of the filter, its shift | filter | buckets | chains ] */
ElfW(Sym) * tm__image_symbol(const tm__image *image, const char *name)
{
  uint32_t buckets = image->hash[0], first = image->hash[1];
  const ElfW(Addr) *filter = (const void *)(image->hash + 4);
  const uint32_t *bucket = (const void *)(filter + image->hash[2]), *chain = bucket + buckets;
  uint32_t wanted = hash_of(name), i = buckets ? bucket[wanted % buckets] : 0;
  for (; i >= first && i != 0; i++) {
    uint32_t hash = chain[i - first];
    ElfW(Sym) *symbol = &image->symbols[i];
    if ((hash | 1) == (wanted | 1) && symbol->st_shndx != SHN_UNDEF &&
        strcmp(image->strings + symbol->st_name, name) == 0)
      return symbol;
    if (hash & 1) /* the last of its bucket? */
      break;
  }
  return NULL;
}

void *tm__image_address(const tm__image *image, const ElfW(Sym) * symbol)
{
  return (void *)(image->base + symbol->st_value);
}
