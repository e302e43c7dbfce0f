/*
 * displaced.c - noticing that something undid the take-over, and saying so once.
 *
 * PYTHONMALLOC and -X dev make the interpreter put its own allocators in our place while it starts.
 * A function on top of ours need not mean that: tracemalloc and the debug hooks wrap what they find
 * and still call it. So when ours is not on top, one block decides: either it shows in our books or
 * it does not.
 */
#include <unistd.h>

#include "base/assert.h"
#include "base/atomics.h"
#include "base/os.h"
#include "hosts/cpython/inside.h"
#include "hosts/cpython/pyapi.h"

static bool found_displaced; /* under the GIL */
static _Atomic(bool) said;

static void say_once(void)
{
  if (atomic_exchange(&said, true))
    return;
  const char *malloc_mode = tm__os_env("PYTHONMALLOC");
  if (malloc_mode && *malloc_mode)
    tm__report("PYTHONMALLOC=%s put Python's own allocators back: its objects are not in the books "
               "and collections do not follow them. Unset PYTHONMALLOC.",
               malloc_mode);
  else
    tm__report("something put other allocators under Python's objects (-X dev does): they are not "
               "in the books and collections do not follow them.");
}

static uint64_t allocs_of(tm_family family)
{
  tm_pool_row row;
  return tm_pool_stats_read(tm_heap_default(), (size_t)family, &row) == 1 ? row.allocs_total : 0;
}

static bool mem_block_shows(void)
{
  uint64_t before = allocs_of(TM_MEM);
  PyMem_Free(PyMem_Malloc(1));
  return allocs_of(TM_MEM) != before;
}

static bool obj_block_shows(void)
{
  uint64_t before = allocs_of(TM_OBJ);
  PyObject_Free(PyObject_Malloc(1));
  return allocs_of(TM_OBJ) != before;
}

bool tm__cpython_displaced(void)
{
  if (!found_displaced && !tm__cpython_on_top() &&
      !(mem_block_shows() && (!tm__cpython_takes_obj() || obj_block_shows()))) {
    found_displaced = true;
    say_once();
  }
  return found_displaced;
}

void tm__cpython_displaced_forget(void)
{
  atomic_store(&said, true);
}

/* A program that is over before its first safe point hears of it at its end. The GIL may be gone
 * then, so nothing is allocated: that we never arrived in an interpreter decides. */
__attribute__((destructor)) static void say_at_exit(void)
{
  if (tm__cpython_installed() && !tm__cpython_was_ready() && !tm__cpython_on_top())
    say_once();
}
