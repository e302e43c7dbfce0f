/*
 * remote.h - how a block gets back to the shard whose page it is on.
 *
 * Blocks that a thread frees for another go in batches, so that what both touch is touched once
 * for many blocks: one exchange of a list's head. A thread that allocates what others free takes
 * their batches as they are, without a look at the pages.
 */
#ifndef TM_HEAP_REMOTE_H
#define TM_HEAP_REMOTE_H

#include "heap/types.h"

/* Every block of a list goes home: to its page, or to its owner. O(count). */
TM_HIDDEN void tm__list_home(tm__shard *shard, tm__block *list, uint32_t count);

/* One block of another shard is gathered for it. `tag` is the block's. */
TM_HIDDEN void tm__remote_gather(tm__shard *shard, tm__tag tag, tm__block *block);

/* Where blocks with this tag are gathered. */
TM_INLINE unsigned tm__remote_slot(tm__tag tag)
{
  return (tm__tag_class(tag) + tm__tag_shard(tag) * 5 + tm__tag_pool(tag)) % TM_OUT_SLOTS;
}

/* Sends what was gathered. */
TM_HIDDEN void tm__remote_send(tm__shard *shard);

/* The batches of one class that came back; NULL when none did. */
TM_HIDDEN tm__block *tm__remote_take(tm__shard *shard, tm__row *row, unsigned cls);

/* Takes what came back home to the pages: of one class, of all. */
TM_HIDDEN void tm__remote_home(tm__shard *shard, tm__row *row, unsigned cls);
TM_HIDDEN void tm__remote_all_home(tm__shard *shard);

#endif
