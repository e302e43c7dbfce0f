/*
 * class.h - size classes: 16-byte steps to 128, then eight per doubling (at most 12.5 % rounding),
 * up to 64 KiB. Larger blocks have no class.
 */
#ifndef TM_HEAP_CLASS_H
#define TM_HEAP_CLASS_H

#include "base/hints.h"

enum {
  TM_CLASSES = 80,
  TM_CLASS_LARGE = 255,
  TM_SMALL_MAX = 8192,  /* found by table */
  TM_BLOCK_MAX = 65536, /* found by arithmetic; above: large */
};

TM_HIDDEN extern const uint32_t tm__class_bytes[TM_CLASSES];
/* ceil(2^32 / bytes): offset * inverse < inverse (mod 2^32) iff bytes divides the offset, for
 * offsets inside a slice.
 * D. Lemire, O. Kaser, N. Kurz, "Faster remainder by direct computation", 2019. */
TM_HIDDEN extern const uint32_t tm__class_inverse[TM_CLASSES];
/* The class of each size up to TM_SMALL_MAX, times the size of a bin: where the bin stands. */
TM_HIDDEN extern const uint16_t tm__small_bin[TM_SMALL_MAX / 16 + 1];

/* The offset in its row of the bin for n bytes, n <= TM_SMALL_MAX. 0 bytes take the smallest. */
TM_INLINE size_t tm__bin_offset(size_t n)
{
  return tm__small_bin[(n + 15) >> 4];
}

/* The class of a block of n bytes, n <= TM_BLOCK_MAX. */
TM_INLINE unsigned tm__class_of(size_t n)
{
  if (n <= 128)
    return n ? (unsigned)((n - 1) >> 4) : 0;
  unsigned k = 63 - (unsigned)__builtin_clzl(n - 1);
  return (k - 7) * 8 + (unsigned)((n - 1) >> (k - 3));
}

TM_INLINE uint32_t tm__inverse_of(uint32_t bytes)
{
  return UINT32_MAX / bytes + 1;
}

/* true iff offset is a multiple of the number whose inverse this is. */
TM_INLINE bool tm__divides(uint32_t inverse, uint16_t offset)
{
  return offset * inverse < inverse;
}

#endif
