/* safepoint.h - the one place where heap and gc meet. */
#ifndef TM_HEAP_SAFEPOINT_H
#define TM_HEAP_SAFEPOINT_H

#include "heap/types.h"

/* Connects heap's engine: port, limits of the config. */
TM_HIDDEN int tm__safepoint_init(tm_heap *heap, const tm_heap_config *config);

/* Asks for `bytes` more on behalf of malloc (may_run: the heap may run hooks here if it is
 * synchronous) or of realloc (never). Draws credit; tells the engine of a crossing; runs hooks
 * before the block is carved; the emergency round. true: charged to the wire. */
TM_HIDDEN bool tm__safepoint_charge(tm__shard *shard, uint64_t bytes, bool may_run);

/* As tm__engine_environment_set; what threads hold on an older limit is called back. */
TM_HIDDEN bool tm__safepoint_environment(tm_heap *heap, uint64_t soft_bytes, uint64_t hard_bytes);

/* The footprint moved by other means than a request (inform, a lowered limit). */
TM_HIDDEN void tm__safepoint_look(tm_heap *heap);

#endif
