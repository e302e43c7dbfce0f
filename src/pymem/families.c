/*
 * families.c - the twelve functions of the three families: one line each over the default heap.
 */
#include <tidemark/pymem.h>

void *PyMem_RawMalloc(size_t n)
{
  return tm_malloc(tm_heap_default(), TM_RAW, n);
}

void *PyMem_RawCalloc(size_t count, size_t size)
{
  return tm_calloc(tm_heap_default(), TM_RAW, count, size);
}

void *PyMem_RawRealloc(void *p, size_t n)
{
  return tm_realloc(tm_heap_default(), TM_RAW, p, n);
}

void PyMem_RawFree(void *p)
{
  tm_free(tm_heap_default(), TM_RAW, p);
}

void *PyMem_Malloc(size_t n)
{
  return tm_malloc(tm_heap_default(), TM_MEM, n);
}

void *PyMem_Calloc(size_t count, size_t size)
{
  return tm_calloc(tm_heap_default(), TM_MEM, count, size);
}

void *PyMem_Realloc(void *p, size_t n)
{
  return tm_realloc(tm_heap_default(), TM_MEM, p, n);
}

void PyMem_Free(void *p)
{
  tm_free(tm_heap_default(), TM_MEM, p);
}

void *PyObject_Malloc(size_t n)
{
  return tm_malloc(tm_heap_default(), TM_OBJ, n);
}

void *PyObject_Calloc(size_t count, size_t size)
{
  return tm_calloc(tm_heap_default(), TM_OBJ, count, size);
}

void *PyObject_Realloc(void *p, size_t n)
{
  return tm_realloc(tm_heap_default(), TM_OBJ, p, n);
}

void PyObject_Free(void *p)
{
  tm_free(tm_heap_default(), TM_OBJ, p);
}
