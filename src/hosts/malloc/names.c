/* names.c - see names.h. */
#define _GNU_SOURCE
#include "hosts/malloc/names.h"

#include <sys/mman.h>

#include "base/os.h"
#include "hosts/malloc/image.h"

/* What takes a block or makes one; not __libc_free and its like, which we call ourselves. */
static const char names[][20] = {
    "malloc",         "calloc", "realloc",      "free",    "memalign", "aligned_alloc",
    "posix_memalign", "valloc", "reallocarray", "pvalloc", "cfree",    "malloc_usable_size",
};
enum { NAMES = TM_ARRAY_LEN(names) };

extern void __libc_free(void *p);

typedef size_t (*usable_size_fn)(void *p);
static usable_size_fn libc_usable_size;

/* The pages of glibc's table that hold these symbols. */
typedef struct span {
  uintptr_t first, end;
} span;

static span pages_of(ElfW(Sym) *const theirs[NAMES])
{
  span s = {UINTPTR_MAX, 0};
  for (size_t i = 0; i < NAMES; i++) {
    uintptr_t first = (uintptr_t)theirs[i], end = (uintptr_t)(theirs[i] + 1);
    if (!theirs[i])
      continue;
    s.first = first < s.first ? first : s.first;
    s.end = end > s.end ? end : s.end;
  }
  s.first &= ~(uintptr_t)(TM_OS_PAGE - 1);
  s.end = (s.end + TM_OS_PAGE - 1) & ~(uintptr_t)(TM_OS_PAGE - 1);
  return s;
}

/* How the pages are mapped, or -1 when that is not one segment. */
static int protection_of(const tm__image *image, span pages)
{
  for (size_t i = 0; i < image->header_count; i++) {
    const ElfW(Phdr) *h = &image->headers[i];
    uintptr_t first = (image->base + h->p_vaddr) & ~(uintptr_t)(TM_OS_PAGE - 1);
    uintptr_t end = image->base + h->p_vaddr + h->p_memsz;
    end = (end + TM_OS_PAGE - 1) & ~(uintptr_t)(TM_OS_PAGE - 1);
    if (h->p_type == PT_LOAD && first <= pages.first && pages.end <= end)
      return (h->p_flags & PF_R ? PROT_READ : 0) | (h->p_flags & PF_X ? PROT_EXEC : 0) |
             (h->p_flags & PF_W ? PROT_WRITE : 0);
  }
  return -1;
}

static void redirect(const tm__image *libc, const tm__image *ours, ElfW(Sym) *const theirs[NAMES])
{
  span pages = pages_of(theirs);
  int protection = pages.first < pages.end ? protection_of(libc, pages) : -1;
  void *at = (void *)pages.first;
  size_t bytes = pages.end - pages.first;
  if (protection < 0 || mprotect(at, bytes, protection | PROT_WRITE) != 0)
    return;
  for (size_t i = 0; i < NAMES; i++) {
    const ElfW(Sym) *mine = tm__image_symbol(ours, names[i]);
    if (theirs[i] && mine) /* an address counts from its own image's base; the sum may wrap */
      theirs[i]->st_value = (uintptr_t)tm__image_address(ours, mine) - libc->base;
  }
  (void)mprotect(at, bytes, protection);
}

void tm__names_take(void)
{
  tm__image libc, ours;
  void (*libc_free)(void *) = __libc_free;
  if (!tm__image_at(*(void **)&libc_free, &libc) || !tm__image_at(names, &ours) ||
      libc.base == ours.base)
    return;
  ElfW(Sym) * theirs[NAMES];
  for (size_t i = 0; i < NAMES; i++)
    theirs[i] = tm__image_symbol(&libc, names[i]);
  ElfW(Sym) *usable = theirs[NAMES - 1];
  if (usable)
    *(void **)&libc_usable_size = tm__image_address(&libc, usable);
  redirect(&libc, &ours, theirs);
}

size_t tm__names_libc_usable_size(void *p)
{
  return p && libc_usable_size ? libc_usable_size(p) : 0;
}
