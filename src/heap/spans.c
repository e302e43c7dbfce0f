/* spans.c - see spans.h. */
#include "heap/spans.h"

#include "base/assert.h"

/* ---- Nodes ---------------------------------------------------------------------------------- */

/* The longest run of ones: each step joins a run with its neighbours to the left. */
static uint32_t longest_run(uint64_t word)
{
  uint32_t n = 0;
  for (; word; n++)
    word &= word << 1;
  return n;
}

static tm__spans_node node_of_word(uint64_t word)
{
  if (word == UINT64_MAX)
    return (tm__spans_node){64, 64, 64};
  if (word == 0)
    return (tm__spans_node){0, 0, 0};
  uint32_t lead = (uint32_t)__builtin_ctzl(~word), tail = (uint32_t)__builtin_clzl(~word);
  return (tm__spans_node){lead, longest_run(word), tail};
}

/* Slices under one node of a level. */
static uint32_t span_of(unsigned level)
{
  return 64u << (4 * level);
}

/* [ lead ... best ... tail ] of 16 children in a row. */
static tm__spans_node merge(const tm__spans_node *child, uint32_t children, uint32_t span)
{
  tm__spans_node all = {0, 0, 0};
  bool unbroken = true;
  for (uint32_t i = 0; i < children; i++) {
    uint32_t joined = all.tail + child[i].lead;
    if (unbroken)
      all.lead += child[i].lead;
    unbroken = unbroken && child[i].lead == span;
    all.best = joined > all.best ? joined : all.best;
    all.best = child[i].best > all.best ? child[i].best : all.best;
    all.tail = child[i].tail == span ? all.tail + span : child[i].tail;
  }
  return all;
}

size_t tm__spans_bytes(uint32_t slices)
{
  size_t nodes = ((size_t)slices + 63) / 64, bytes = nodes * sizeof(uint64_t);
  for (unsigned level = 0; level < TM_SPANS_LEVELS; level++) {
    bytes += nodes * sizeof(tm__spans_node);
    if (nodes == 1)
      break;
    nodes = (nodes + TM_SPANS_FAN - 1) / TM_SPANS_FAN;
  }
  return (bytes + 63) & ~(size_t)63; /* several sets stand in a row */
}

void tm__spans_init(tm__spans *spans, void *memory, uint32_t slices)
{
  uint32_t nodes = (slices + 63) / 64;
  char *at = memory;
  spans->words = memory;
  at += nodes * sizeof(uint64_t);
  spans->levels = 0;
  spans->count = 0;
  for (unsigned level = 0; level < TM_SPANS_LEVELS; level++) {
    spans->level[level] = (tm__spans_node *)(void *)at;
    spans->nodes[level] = nodes;
    spans->levels = level + 1;
    at += nodes * sizeof(tm__spans_node);
    if (nodes == 1)
      break;
    nodes = (nodes + TM_SPANS_FAN - 1) / TM_SPANS_FAN;
  }
  tm_assert(spans->nodes[spans->levels - 1] == 1);
}

static bool same_node(tm__spans_node a, tm__spans_node b)
{
  return a.lead == b.lead && a.best == b.best && a.tail == b.tail;
}

/* Makes the nodes above words [first, last] true again; stops where nothing changed. */
static void rebuild(tm__spans *spans, uint32_t first, uint32_t last)
{
  bool changed = false;
  for (uint32_t i = first; i <= last; i++) {
    tm__spans_node node = node_of_word(spans->words[i]);
    changed |= !same_node(node, spans->level[0][i]);
    spans->level[0][i] = node;
  }
  for (unsigned level = 1; level < spans->levels && changed; level++) {
    first /= TM_SPANS_FAN;
    last /= TM_SPANS_FAN;
    changed = false;
    for (uint32_t i = first; i <= last; i++) {
      uint32_t base = i * TM_SPANS_FAN, children = spans->nodes[level - 1] - base;
      children = children < TM_SPANS_FAN ? children : TM_SPANS_FAN;
      tm__spans_node node = merge(spans->level[level - 1] + base, children, span_of(level - 1));
      changed |= !same_node(node, spans->level[level][i]);
      spans->level[level][i] = node;
    }
  }
}

/* ---- Bits ----------------------------------------------------------------------------------- */

/* The bits of word i that belong to the run [first, end). */
static uint64_t mask_of(uint32_t i, uint32_t first, uint32_t end)
{
  uint64_t mask = UINT64_MAX;
  if (i == first / 64)
    mask &= UINT64_MAX << (first % 64);
  if (i == (end - 1) / 64)
    mask &= UINT64_MAX >> (63 - (end - 1) % 64);
  return mask;
}

void tm__spans_put(tm__spans *spans, uint32_t first, uint32_t length)
{
  uint32_t end = first + length;
  for (uint32_t i = first / 64; i <= (end - 1) / 64; i++) {
    uint64_t mask = mask_of(i, first, end);
    tm_assert((spans->words[i] & mask) == 0);
    spans->words[i] |= mask;
  }
  spans->count += length;
  rebuild(spans, first / 64, (end - 1) / 64);
}

uint32_t tm__spans_clear(tm__spans *spans, uint32_t first, uint32_t length)
{
  uint32_t end = first + length, cleared = 0;
  for (uint32_t i = first / 64; i <= (end - 1) / 64; i++) {
    uint64_t mask = mask_of(i, first, end);
    cleared += (uint32_t)__builtin_popcountl(spans->words[i] & mask);
    spans->words[i] &= ~mask;
  }
  spans->count -= cleared;
  if (cleared)
    rebuild(spans, first / 64, (end - 1) / 64);
  return cleared;
}

void tm__spans_take(tm__spans *spans, uint32_t first, uint32_t length)
{
  uint32_t cleared = tm__spans_clear(spans, first, length);
  tm_require(cleared == length);
}

uint32_t tm__spans_count(const tm__spans *spans, uint32_t first, uint32_t length)
{
  uint32_t end = first + length, count = 0;
  for (uint32_t i = first / 64; length && i <= (end - 1) / 64; i++)
    count += (uint32_t)__builtin_popcountl(spans->words[i] & mask_of(i, first, end));
  return count;
}

bool tm__spans_has(const tm__spans *spans, uint32_t first, uint32_t length)
{
  uint32_t end = first + length;
  for (uint32_t i = first / 64; length && i <= (end - 1) / 64; i++) {
    uint64_t mask = mask_of(i, first, end);
    if ((spans->words[i] & mask) != mask)
      return false;
  }
  return true;
}

/* ---- Search --------------------------------------------------------------------------------- */

/* The lowest run of `length` <= 64 ones in a word that has one. */
static uint32_t find_in_word(uint64_t word, uint32_t length)
{
  for (uint32_t have = 1; have < length;) {
    uint32_t step = length - have < have ? length - have : have;
    word &= word >> step;
    have += step;
  }
  return (uint32_t)__builtin_ctzl(word);
}

int64_t tm__spans_find(const tm__spans *spans, uint32_t length)
{
  unsigned level = spans->levels - 1;
  if (length == 0 || spans->level[level][0].best < length)
    return TM_SPANS_NONE;
  uint32_t at = 0; /* node of this level that holds the run */
  while (level > 0) {
    const tm__spans_node *child = spans->level[level - 1];
    uint32_t span = span_of(level - 1), first = at * TM_SPANS_FAN, carry = 0, i = first;
    for (;; i++) {
      tm_require(i < spans->nodes[level - 1]);
      if (carry + child[i].lead >= length)
        return (int64_t)i * span - carry; /* it straddles the children before i */
      if (child[i].best >= length)
        break;
      carry = child[i].tail == span ? carry + span : child[i].tail;
    }
    at = i;
    level--;
  }
  return (int64_t)at * 64 + find_in_word(spans->words[at], length);
}

uint32_t tm__spans_before(const tm__spans *spans, uint32_t end)
{
  uint32_t length = 0;
  while (end > 0) {
    uint32_t word = (end - 1) / 64, bits = end - word * 64;
    uint64_t top = spans->words[word] << (64 - bits); /* bit 63 is slice end - 1 */
    uint32_t ones = top == UINT64_MAX ? 64 : (uint32_t)__builtin_clzl(~top);
    ones = ones < bits ? ones : bits;
    length += ones;
    if (ones < bits)
      break;
    end -= ones;
  }
  return length;
}

uint32_t tm__spans_last(const tm__spans *spans, uint32_t end, uint32_t most, uint32_t *first)
{
  while (end > 0) {
    uint32_t word = (end - 1) / 64, bits = end - word * 64;
    uint64_t top = spans->words[word] << (64 - bits);
    if (top == 0) {
      end = word * 64;
      continue;
    }
    end -= (uint32_t)__builtin_clzl(top);
    uint32_t length = tm__spans_before(spans, end);
    length = length < most ? length : most;
    *first = end - length;
    return length;
  }
  return 0;
}
