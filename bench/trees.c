/*
 * trees.c - binary trees built, walked and dropped; one long-lived tree stays.
 *
 * Stands for: syntax trees, DOMs, search trees, the heap of a small interpreter: many nodes of one
 * size, linked, freed in the order of a walk.
 */
#include "bench.h"

typedef struct node {
  struct node *left, *right;
  uint64_t value;
} node;

static node *new_tree(unsigned depth)
{
  node *tree = bench_malloc(sizeof *tree);
  tree->value = depth;
  tree->left = depth > 0 ? new_tree(depth - 1) : NULL;
  tree->right = depth > 0 ? new_tree(depth - 1) : NULL;
  return tree;
}

static uint64_t sum_tree(const node *tree)
{
  if (tree == NULL) {
    return 0;
  }
  return tree->value + sum_tree(tree->left) + sum_tree(tree->right);
}

static void drop_tree(node *tree)
{
  if (tree != NULL) {
    drop_tree(tree->left);
    drop_tree(tree->right);
    free(tree);
  }
}

int main(int argc, char **argv)
{
  bench_option options[] = {{"depth", 18, 4, 26, NULL}, {"rounds", 24, 1, UINT64_MAX, NULL}};
  bench_begin(argc, argv, options, 2);
  unsigned deepest = (unsigned)options[0].value;
  uint64_t sum = 0;
  node *long_lived = new_tree(deepest);
  for (uint64_t round = 0; round < options[1].value; round++) {
    for (unsigned depth = 4; depth < deepest; depth += 2) {
      for (unsigned i = 0; i < 1U << (deepest - depth); i++) {
        node *tree = new_tree(depth);
        sum += sum_tree(tree);
        drop_tree(tree);
      }
    }
  }
  sum += sum_tree(long_lived);
  drop_tree(long_lived);
  return sum == 0 ? BENCH_EXIT_FAILED : 0;
}
