/* What cc1 compiles: some hundred functions by macros, with loops, switches and structures. */
typedef struct item { struct item *next; unsigned long key, value; } item;
typedef unsigned long word;

#define MIX(a, b, n) (((a) ^ ((b) >> (n))) * 0x9E3779B97F4A7C15UL + ((a) << (n)))

#define FUNCTION(n)                                                                                \
  static word fold_##n(const item *list, word seed)                                                \
  {                                                                                                \
    word sum = seed;                                                                               \
    for (const item *at = list; at != 0; at = at->next) {                                          \
      switch ((at->key + n) % 7) {                                                                 \
        case 0: sum = MIX(sum, at->value, 3 + n % 5); break;                                       \
        case 1: sum += at->value * (n + 1); break;                                                 \
        case 2: sum ^= MIX(at->key, sum, 7); break;                                                \
        case 3: sum = sum > at->key ? sum - at->key : at->key - sum; break;                        \
        case 4: for (word k = 0; k < at->key % 16; k++) sum = MIX(sum, k, 5); break;               \
        default: sum = (sum << 1) | (sum >> 63); break;                                            \
      }                                                                                            \
    }                                                                                              \
    return sum;                                                                                    \
  }                                                                                                \
  word sort_##n(word *keys, word count)                                                            \
  {                                                                                                \
    word swaps = 0;                                                                                \
    for (word i = 1; i < count; i++) {                                                             \
      word key = MIX(keys[i], i, 3), k = i;                                                        \
      for (; k > 0 && MIX(keys[k - 1], n, 9) > key; k--, swaps++) keys[k] = keys[k - 1];           \
      keys[k] = key;                                                                               \
    }                                                                                              \
    item chain[4] = {{chain + 1, swaps, n}, {chain + 2, count, 2}, {chain + 3, 3, 3}, {0, 1, n}};  \
    return fold_##n(chain, swaps);                                                                 \
  }

#define TEN(n)                                                                                     \
  FUNCTION(n##0) FUNCTION(n##1) FUNCTION(n##2) FUNCTION(n##3) FUNCTION(n##4)                       \
  FUNCTION(n##5) FUNCTION(n##6) FUNCTION(n##7) FUNCTION(n##8) FUNCTION(n##9)

TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7) TEN(8) TEN(9) TEN(10) TEN(11) TEN(12)
