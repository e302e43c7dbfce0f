/*
 * 05_object_pools.c - objects with allocators of their own.
 *
 * Shows: the objects of a PyTypeObject get a pool by themselves, with a row of the statistics under
 * the type's name; a C program makes a pool for its structs by tm_pool_new. Blocks of a pool share
 * their pages with nobody: they lie densely, and freeing one as something else is caught.
 *
 *   cc 05_object_pools.c -o 05_object_pools $(pkg-config --cflags --libs tidemark-pymem)
 */
#include <stdio.h>
#include <string.h>

#include <tidemark/pymem.h>
#include <tidemark/tidemark.h>

typedef struct point {
  PyObject_HEAD double x, y, z;
  int color;
} point;

typedef struct text {
  PyObject_VAR_HEAD char bytes[];
} text;

/* All points have one size: a dense pool of blocks of that size. */
static PyTypeObject point_type = {.tp_name = "demo.point", .tp_basicsize = sizeof(point)};

/* Texts have many sizes: the heap's size classes, but pages of their own. */
static PyTypeObject text_type = {
    .tp_name = "demo.text", .tp_basicsize = sizeof(text), .tp_itemsize = 1};

/* A node of a list that is not a Python object: a pool without a type. */
typedef struct node {
  struct node *next;
  point *value;
} node;

static void print_row(const char *name)
{
  tm_pool_row row;
  for (size_t i = 0; tm_pool_stats_read(tm_heap_default(), i, &row) == 1; i++)
    if (strcmp(row.name, name) == 0)
      printf("  %-10s %4llu blocks, %6llu bytes\n", row.name, (unsigned long long)row.live_blocks,
             (unsigned long long)row.live_bytes);
}

static void print_rows(const char *when)
{
  puts(when);
  print_row("demo.point");
  print_row("demo.text");
  print_row("demo.node");
}

/* Counts pages by pool: no page holds blocks of two. */
static int count_page(void *ctx, const tm_walk_item *item)
{
  if (item->kind == TM_WALK_PAGE && strcmp(item->pool, "demo.point") == 0)
    ++*(int *)ctx;
  return 0;
}

int main(void)
{
  tm_pool_config config;
  tm_pool *nodes;
  tm_pool_config_init(&config);
  config.name = "demo.node";
  config.kind = TM_POOL_CACHED; /* keeps some freed nodes at hand */
  config.block_bytes = sizeof(node);
  if (tm_pool_new(tm_heap_default(), &config, &nodes) != 0)
    return 1;

  node *list = NULL;
  for (int i = 0; i < 1000; i++) {
    point *p = PyObject_New(point, &point_type);
    node *n = tm_pool_alloc(nodes, sizeof *n);
    if (!p || !n)
      return 1;
    p->x = p->y = p->z = i;
    *n = (node){list, p};
    list = n;
  }
  text *hello = PyObject_NewVar(text, &text_type, 100);
  if (!hello)
    return 1;
  strcpy(hello->bytes, "hello");

  printf("a point: count %td, type %s, %zu bytes of which it uses %zu\n",
         list->value->ob_base.ob_refcnt, list->value->ob_base.ob_type->tp_name,
         tm_usable_size(list->value), sizeof(point));
  printf("a text: \"%s\", room for %td, %zu bytes\n", hello->bytes, hello->ob_base.ob_size,
         tm_usable_size(hello));
  print_rows("1000 points in a list, and a text:");
  int pages = 0;
  (void)tm_heap_walk(tm_heap_default(), count_page, &pages);
  printf("  the points fill %d page%s\n", pages, pages == 1 ? "" : "s");

  while (list) {
    node *next = list->next;
    PyObject_Del(list->value);
    tm_pool_free(nodes, list);
    list = next;
  }
  PyObject_Del(hello);
  print_rows("all freed:");
  printf("nobody uses the node pool: it can go (%s)\n",
         tm_pool_delete(nodes) == 0 ? "gone" : "busy");
  return 0;
}
