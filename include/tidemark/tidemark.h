/*
 * tidemark.h - a private heap that knows its footprint to the byte and makes the runtime above it
 * act on it. The five lines of a host:
 *
 *   tm_hook_add(heap, TM_COLLECT, my_collect, vm, NULL);     what can be done about memory
 *   tm_limit_set(heap, TM_SOFT, 512 << 20);                  where to stay
 *   tm_notify_set(heap, my_flag, vm);                        how to be told (deferred delivery)
 *   p = tm_malloc(heap, TM_OBJ, n);                          every byte is counted
 *   tm_poll(heap);                                           at a safe point: runs what is due
 *
 * It includes the subjects that every host needs. pymem.h (the manual's PyMem_* names), monitor.h
 * (libuv) and the ready-made hosts are included by name.
 */
#ifndef TIDEMARK_TIDEMARK_H
#define TIDEMARK_TIDEMARK_H

#include <tidemark/gc.h>
#include <tidemark/heap.h>
#include <tidemark/inform.h>
#include <tidemark/pool.h>
#include <tidemark/stats.h>
#include <tidemark/version.h>

#endif
