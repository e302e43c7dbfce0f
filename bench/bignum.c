/*
 * bignum.c - digits of e by long integers, every intermediate result a block of its own.
 *
 * Stands for: interpreters with boxed numbers, computer algebra, functional style: values are never
 * changed in place, each operation allocates its result and drops its operands, so blocks are
 * small, of a few sizes, and die young.
 */
#include "bench.h"

enum { BASE = 1000000000 };

/* value == sum of digits[i] * BASE^i, length >= 1, no leading zero digit but for 0 itself. */
typedef struct bignum {
  size_t length;
  uint32_t digits[];
} bignum;

static bignum *new_bignum(size_t length)
{
  bignum *n = bench_malloc(sizeof *n + length * sizeof n->digits[0]);
  n->length = length;
  return n;
}

static bignum *trimmed(bignum *n)
{
  while (n->length > 1 && n->digits[n->length - 1] == 0) {
    n->length--;
  }
  return n;
}

/* n * factor + addend; drops n. */
static bignum *scaled(bignum *n, uint32_t factor, uint32_t addend)
{
  bignum *result = new_bignum(n->length + 1);
  uint64_t carry = addend;
  for (size_t i = 0; i < n->length; i++) {
    carry += (uint64_t)n->digits[i] * factor;
    result->digits[i] = (uint32_t)(carry % BASE);
    carry /= BASE;
  }
  result->digits[n->length] = (uint32_t)carry;
  free(n);
  return trimmed(result);
}

/* a + b; drops both. */
static bignum *added(bignum *a, bignum *b)
{
  size_t length = a->length > b->length ? a->length : b->length;
  bignum *result = new_bignum(length + 1);
  uint32_t carry = 0;
  for (size_t i = 0; i < length; i++) {
    carry += (i < a->length ? a->digits[i] : 0) + (i < b->length ? b->digits[i] : 0);
    result->digits[i] = carry % BASE;
    carry /= BASE;
  }
  result->digits[length] = carry;
  free(a);
  free(b);
  return trimmed(result);
}

static bignum *copied(const bignum *n)
{
  bignum *copy = new_bignum(n->length);
  memcpy(copy->digits, n->digits, n->length * sizeof n->digits[0]);
  return copy;
}

static bignum *one(void)
{
  bignum *n = new_bignum(1);
  n->digits[0] = 1;
  return n;
}

/* e = p / q by the sum of 1 / k!, k up to terms: p(k) = k * p(k-1) + 1, q(k) = k * q(k-1). */
static uint64_t sum_of_e(uint32_t terms)
{
  bignum *p = one();
  bignum *q = one();
  for (uint32_t k = 1; k <= terms; k++) {
    p = scaled(p, k, 1);
    q = scaled(q, k, 0);
  }
  bignum *both = added(copied(p), copied(q));
  uint64_t sum = both->length + both->digits[0];
  free(p);
  free(q);
  free(both);
  return sum;
}

int main(int argc, char **argv)
{
  bench_option options[] = {{"terms", 24, 1, 1000, NULL}, {"rounds", 1200000, 1, UINT64_MAX, NULL}};
  bench_begin(argc, argv, options, 2);
  uint64_t sum = 0;
  for (uint64_t round = 0; round < options[1].value; round++) {
    sum += sum_of_e((uint32_t)(options[0].value + round % 16));
  }
  return sum == 0 ? BENCH_EXIT_FAILED : 0;
}
