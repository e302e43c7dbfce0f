/*
 * image.h - a program or library as it lies in memory, read without the loader's help: its symbols
 * are found whatever scope they were loaded into, and nothing is allocated.
 */
#ifndef TM_HOSTS_MALLOC_IMAGE_H
#define TM_HOSTS_MALLOC_IMAGE_H

#include <link.h>

#include "base/hints.h"

typedef struct tm__image {
  uintptr_t base; /* what is added to every address in the file */
  const ElfW(Phdr) * headers;
  size_t header_count;
  ElfW(Sym) * symbols;
  const char *strings;
  const uint32_t *hash; /* DT_GNU_HASH */
} tm__image;

/* The image that `address` is in. false iff there is none, or none with a table of symbols. */
TM_HIDDEN bool tm__image_at(const void *address, tm__image *out);
/* The first image, in the loader's order, that defines `symbol`. false iff none does. */
TM_HIDDEN bool tm__image_with(const char *symbol, tm__image *out);

/* The image's own definition of a function or object, or NULL. */
TM_HIDDEN ElfW(Sym) * tm__image_symbol(const tm__image *image, const char *name);
/* Where a symbol of the image is. */
TM_HIDDEN void *tm__image_address(const tm__image *image, const ElfW(Sym) * symbol);

#endif
