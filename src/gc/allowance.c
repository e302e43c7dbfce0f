/*
 * allowance.c - a limit of any ancestor is a limit of ours: the kernel looks at all of them when it
 * decides about a page, so the tightest counts, wherever it stands.
 */
#include "gc/allowance.h"

#include "gc/policy.h"

static const uint64_t least_bytes = UINT64_C(1) << 20;

typedef struct layout {
  const char *max, *high;
} layout;

static const layout version2 = {"memory.max", "memory.high"};
static const layout version1 = {"memory.limit_in_bytes", "memory.soft_limit_in_bytes"};

/* Version 1 could be told not to look at ancestors: then a group's limit is its own affair. */
static bool is_flat(const tm__memcg *group)
{
  return group->version == 1 && tm__memcg_number(group, "memory.use_hierarchy") == 0;
}

static void walk(tm__allowance *out)
{
  const layout *files = out->version == 2 ? &version2 : &version1;
  tm__memcg at = out->own;
  do {
    uint64_t max = tm__memcg_number(&at, files->max);
    if (max < out->max_bytes) {
      out->max_bytes = max;
      out->tightest = at;
    }
    out->high_bytes = tm__min(out->high_bytes, tm__memcg_number(&at, files->high));
  } while (!is_flat(&at) && tm__memcg_up(&at));
}

/* Version 1 also says what the kernel found on the whole way up, out of a container's sight too. */
static void ask_kernel(tm__allowance *out)
{
  char text[4096];
  if (out->version != 1 || !tm__memcg_read(&out->own, "memory.stat", text, sizeof text))
    return;
  out->max_bytes = tm__min(out->max_bytes, tm__memcg_value(text, "hierarchical_memory_limit"));
}

bool tm__allowance_read(const char *root, tm__allowance *out)
{
  /* In a mixed set-up the controller is in version 1, and version 2 has no memory files. */
  if (!tm__memcg_find(root, 1, &out->own) && !tm__memcg_find(root, 2, &out->own))
    return false;
  out->version = out->own.version;
  out->max_bytes = out->high_bytes = TM__NO_LIMIT;
  out->tightest = out->own;
  walk(out);
  ask_kernel(out);
  return true;
}

/* Divided first: a product of large numbers would not fit. */
static uint64_t part_of(uint64_t bytes, unsigned percent)
{
  return tm__max(bytes / 100 * percent + bytes % 100 * percent / 100, least_bytes);
}

void tm__allowance_limits(const tm__allowance *allowance, unsigned soft_percent,
                          unsigned hard_percent, uint64_t *soft_bytes, uint64_t *hard_bytes)
{
  uint64_t soft = TM__NO_LIMIT, hard = TM__NO_LIMIT;
  if (allowance->max_bytes != TM__NO_LIMIT) {
    hard = part_of(allowance->max_bytes, hard_percent);
    soft = part_of(allowance->max_bytes, soft_percent);
  }
  if (allowance->high_bytes != TM__NO_LIMIT)
    soft = tm__min(soft, tm__max(allowance->high_bytes, least_bytes));
  soft = tm__min(soft, hard);
  *soft_bytes = soft == TM__NO_LIMIT ? 0 : soft;
  *hard_bytes = hard == TM__NO_LIMIT ? 0 : hard;
}
