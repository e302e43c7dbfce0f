/*
 * names.h - the C library's own malloc, found by those who do not look where the preload is.
 *
 * A library that was loaded with RTLD_DEEPBIND, and a program that asks the C library's handle
 * (Python's ctypes does), get glibc's free, while glibc's strdup or getline gave them a block of
 * ours: that free ends the program. So these entries in glibc's table of symbols lead to us.
 */
#ifndef TM_HOSTS_MALLOC_NAMES_H
#define TM_HOSTS_MALLOC_NAMES_H

#include "base/hints.h"

/* Once, in the constructor. Where the table cannot be written everything stays as it was. */
TM_HIDDEN void tm__names_take(void);

/* The size of a block that the C library made; 0 for NULL and before tm__names_take. */
TM_HIDDEN size_t tm__names_libc_usable_size(void *p);

#endif
