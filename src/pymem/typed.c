/*
 * typed.c - the functions behind the manual's macros PyMem_New, PyMem_Resize and PyMem_Del, and the
 * old names.
 */
#include <tidemark/pymem.h>

/* n * size, or a number that no heap grants and that it counts as an overflow. */
static size_t product(size_t n, size_t size)
{
  size_t bytes;
  return __builtin_mul_overflow(n, size, &bytes) ? SIZE_MAX : bytes;
}

void *(PyMem_New)(size_t n, size_t size)
{
  return PyMem_Malloc(product(n, size));
}

void *(PyMem_Resize)(void *p, size_t n, size_t size)
{
  return PyMem_Realloc(p, product(n, size));
}

void PyMem_Del(void *p)
{
  PyMem_Free(p);
}

void *PyMem_MALLOC(size_t n)
{
  return PyMem_Malloc(n);
}

void *PyMem_REALLOC(void *p, size_t n)
{
  return PyMem_Realloc(p, n);
}

void PyMem_FREE(void *p)
{
  PyMem_Free(p);
}

void *(PyMem_NEW)(size_t n, size_t size)
{
  return PyMem_Malloc(product(n, size));
}

void *(PyMem_RESIZE)(void *p, size_t n, size_t size)
{
  return PyMem_Realloc(p, product(n, size));
}

void PyMem_DEL(void *p)
{
  PyMem_Free(p);
}
