/* gzip.c - RFC 1952 around stored blocks of RFC 1951. */
#include "profile/render.h"

enum { STORED_MOST = 65535 };

/* Four bits at a time: 64 bytes of table. */
static uint32_t crc32_of(const char *bytes, size_t count)
{
  static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                     0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                     0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                     0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  uint32_t crc = UINT32_MAX;
  for (size_t i = 0; i < count; i++) {
    crc ^= (unsigned char)bytes[i];
    crc = crc >> 4 ^ table[crc & 15];
    crc = crc >> 4 ^ table[crc & 15];
  }
  return ~crc;
}

static void emit_little(tm__emit *e, uint32_t value, unsigned bytes)
{
  for (unsigned i = 0; i < bytes; i++)
    tm__emit_char(e, (char)(value >> (8 * i) & 255));
}

void tm__gzip_emit(tm__emit *e, const char *bytes, size_t count)
{
  static const char head[] = {0x1f, (char)0x8b, 8, 0, 0, 0, 0, 0, 0, (char)0xff};
  size_t at = 0;
  tm__emit_bytes(e, head, sizeof head);
  do {
    size_t some = count - at < STORED_MOST ? count - at : STORED_MOST;
    tm__emit_char(e, at + some == count); /* the last one? */
    emit_little(e, (uint32_t)some, 2);
    emit_little(e, (uint32_t)~some, 2);
    tm__emit_bytes(e, bytes + at, some);
    at += some;
  } while (at < count);
  emit_little(e, crc32_of(bytes, count), 4);
  emit_little(e, (uint32_t)count, 4);
}
