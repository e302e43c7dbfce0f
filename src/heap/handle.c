/* handle.c - blocks named by handles: the heap may move them while they are unlocked. */
#include <string.h>

#include "heap/arena.h"
#include "heap/compact.h"
#include "heap/heap.h"

enum { FIRST_CHUNK = 256 };

/* ---- The table: chunks that double, so that an entry never moves ----------------------------- */

static size_t chunk_entries(unsigned chunk)
{
  return (size_t)FIRST_CHUNK << chunk;
}

static unsigned chunk_of(uint32_t index)
{
  return 31 - (unsigned)__builtin_clz(index / FIRST_CHUNK + 1);
}

static tm__handle_entry *entry_at(tm_heap *heap, uint32_t index)
{
  unsigned chunk = chunk_of(index);
  return &heap->handle_chunks[chunk][index - FIRST_CHUNK * ((1u << chunk) - 1)];
}

static size_t chunk_bytes(unsigned chunk)
{
  return (chunk_entries(chunk) * sizeof(tm__handle_entry) + TM_OS_PAGE - 1) &
         ~(size_t)(TM_OS_PAGE - 1);
}

static bool chunk_map(tm_heap *heap, unsigned chunk)
{
  heap->handle_chunks[chunk] = tm__os_map(chunk_bytes(chunk));
  if (!heap->handle_chunks[chunk])
    return false;
  tm__meta_book((int64_t)chunk_bytes(chunk)); /* first: no heap has more than all */
  tm__shared_add(&heap->meta_bytes, chunk_bytes(chunk));
  return true;
}

static void chunk_unmap(tm_heap *heap, unsigned chunk)
{
  (void)tm__os_unreserve(heap->handle_chunks[chunk], chunk_bytes(chunk));
  heap->handle_chunks[chunk] = NULL;
  tm__shared_add(&heap->meta_bytes, 0 - (uint64_t)chunk_bytes(chunk));
  tm__meta_book(-(int64_t)chunk_bytes(chunk));
}

/* The index of a fresh entry, or -1 iff there is no memory. Lock held. */
static int64_t entry_new(tm_heap *heap)
{
  if (heap->handle_free) {
    uint32_t index = heap->handle_free - 1;
    heap->handle_free = entry_at(heap, index)->next;
    return index;
  }
  uint32_t index = heap->handle_count;
  unsigned chunk = chunk_of(index);
  if (chunk >= TM_HANDLE_CHUNKS || (!heap->handle_chunks[chunk] && !chunk_map(heap, chunk)))
    return -1;
  heap->handle_count++;
  return index;
}

static void entry_free(tm_heap *heap, uint32_t index)
{
  tm__handle_entry *entry = entry_at(heap, index);
  *entry = (tm__handle_entry){.generation = entry->generation + 1, .next = heap->handle_free};
  heap->handle_free = index + 1;
}

/* An entry that was not used after all: the table is as it was. Lock held. */
static void entry_undo(tm_heap *heap, uint32_t index)
{
  if (index + 1 != heap->handle_count) {
    entry_free(heap, index);
    return;
  }
  heap->handle_count--;
  if (index == 0 || chunk_of(index) != chunk_of(index - 1))
    chunk_unmap(heap, chunk_of(index));
}

/* The live entry of a handle, or NULL. Lock held. */
static tm__handle_entry *find(tm_heap *heap, tm_handle handle)
{
  uint32_t index = (uint32_t)handle.id - 1;
  if (!heap || (uint32_t)handle.id == 0 || index >= heap->handle_count)
    return NULL;
  tm__handle_entry *entry = entry_at(heap, index);
  return entry->block && entry->generation == handle.id >> 32 ? entry : NULL;
}

void tm__handles_close(tm_heap *heap)
{
  for (unsigned chunk = 0; chunk < TM_HANDLE_CHUNKS; chunk++)
    if (heap->handle_chunks[chunk])
      chunk_unmap(heap, chunk);
}

/* ---- Public ---------------------------------------------------------------------------------- */

/* The entry comes first: a block that finds no entry would leave its trace in the books. */
int tm_handle_new(tm_heap *heap, size_t n, tm_handle *out)
{
  if (!heap || !out)
    return TM_EINVAL;
  tm__lock_acquire(&heap->handles_lock);
  int64_t index = entry_new(heap);
  tm__lock_release(&heap->handles_lock);
  if (index < 0) {
    (void)tm__heap_fail(heap, TM_FAIL_OS);
    return TM_ENOMEM;
  }
  void *block = tm_malloc(heap, TM_OBJ, n);
  tm__lock_acquire(&heap->handles_lock);
  if (block) {
    tm__handle_entry *entry = entry_at(heap, (uint32_t)index);
    entry->block = block;
    entry->bytes = n;
    entry->locks = 0;
    tm__shared_add(&heap->handle_bytes, n);
    out->id = (uint64_t)entry->generation << 32 | (uint32_t)(index + 1);
  } else {
    entry_undo(heap, (uint32_t)index);
  }
  tm__lock_release(&heap->handles_lock);
  return block ? 0 : TM_ENOMEM;
}

void *tm_handle_lock(tm_heap *heap, tm_handle handle)
{
  if (!heap)
    return NULL;
  tm__lock_acquire(&heap->handles_lock);
  tm__handle_entry *entry = find(heap, handle);
  void *block = entry ? entry->block : NULL;
  if (entry)
    entry->locks++;
  tm__lock_release(&heap->handles_lock);
  return block;
}

int tm_handle_unlock(tm_heap *heap, tm_handle handle)
{
  if (!heap)
    return TM_EINVAL;
  tm__lock_acquire(&heap->handles_lock);
  tm__handle_entry *entry = find(heap, handle);
  bool locked = entry && entry->locks > 0;
  if (locked)
    entry->locks--;
  tm__lock_release(&heap->handles_lock);
  return locked ? 0 : TM_EINVAL;
}

int tm_handle_free(tm_heap *heap, tm_handle handle)
{
  if (!heap)
    return TM_EINVAL;
  void *block = NULL;
  int error = TM_EINVAL;
  tm__lock_acquire(&heap->handles_lock);
  tm__handle_entry *entry = find(heap, handle);
  if (entry && entry->locks > 0)
    error = TM_EBUSY;
  if (entry && entry->locks == 0) {
    block = entry->block;
    tm__shared_add(&heap->handle_bytes, 0 - (uint64_t)entry->bytes);
    entry_free(heap, (uint32_t)handle.id - 1);
    error = 0;
  }
  tm__lock_release(&heap->handles_lock);
  tm_free(heap, TM_OBJ, block);
  return error;
}

/* Moves one entry's block if that helps; returns its bytes. The lock is held only to pin and to
 * publish: allocating may run a host's hooks, and they may use handles. */
static uint64_t move_one(tm_heap *heap, uint32_t index)
{
  tm__lock_acquire(&heap->handles_lock);
  tm__handle_entry *entry = entry_at(heap, index);
  void *old = entry->block;
  bool movable = old && entry->locks == 0 && tm_should_move(old);
  size_t bytes = entry->bytes;
  if (movable)
    entry->locks++;
  tm__lock_release(&heap->handles_lock);
  if (!movable)
    return 0;

  void *new = tm_malloc(heap, TM_OBJ, bytes);
  tm__lock_acquire(&heap->handles_lock);
  entry->locks--;
  bool alone = new && entry->locks == 0; /* nobody took its address meanwhile */
  if (alone) {
    memcpy(new, old, bytes);
    entry->block = new;
  }
  tm__lock_release(&heap->handles_lock);
  tm_free(heap, TM_OBJ, alone ? old : new);
  return alone ? bytes : 0;
}

uint64_t tm_handles_compact(tm_heap *heap)
{
  uint64_t moved = 0;
  uint32_t count = 0;
  if (heap) {
    tm__lock_acquire(&heap->handles_lock);
    count = heap->handle_count;
    tm__lock_release(&heap->handles_lock);
  }
  for (uint32_t index = 0; index < count; index++)
    moved += move_one(heap, index);
  return moved;
}
