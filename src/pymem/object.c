/*
 * object.c - objects with a head, booked by their type.
 *
 * A type object remembers its pool in tp_private[0], and before that, in tp_private[1], the largest
 * object that the pool takes:
 *
 *   NULL --first object--> a tm_pool
 *        \--no pool left-> NO_POOL      objects go to the row "obj" from then on
 *
 * Threads that race into a type's first object each make a pool; the first to enter it wins and the
 * others delete theirs. So there is no lock that a fork could find taken. The words are read and
 * written by compiler builtins because the public header must also compile as C++, which has no
 * _Atomic.
 */
#include <errno.h>
#include <string.h>

#include <tidemark/pymem.h>

#include "base/hints.h"

static char no_pool;
#define NO_POOL ((void *)&no_pool)

enum { FIXED_BLOCK_MAX = 65536, ROW_NAME_MAX = 31 };

/* "package.module.type" where it fits, else "type". */
static const char *row_name(const char *name)
{
  if (!name)
    return "object";
  const char *dot = strrchr(name, '.');
  return strlen(name) > ROW_NAME_MAX && dot && dot[1] ? dot + 1 : name;
}

/* What pool the type asks for. false: tp_pool is not valid. */
static bool describe_pool(const PyTypeObject *type, tm_pool_config *config)
{
  const tm_pool_config *wish = type->tp_pool;
  size_t basic = (size_t)type->tp_basicsize;
  tm_pool_config_init(config);
  if (wish) {
    if (wish->size == 0 || wish->size > sizeof *config)
      return false;
    memcpy(config, wish, wish->size); /* an older caller's struct is shorter */
    config->size = sizeof *config;
  } else if (type->tp_itemsize == 0 && basic <= FIXED_BLOCK_MAX) {
    config->kind = TM_POOL_FIXED;
  }
  if (config->kind != TM_POOL_VARIABLE && config->block_bytes < basic)
    config->block_bytes = basic;
  config->name = row_name(type->tp_name);
  config->family = TM_OBJ;
  return true;
}

/* Enters pool for the type; returns what stands there in the end. A pool that another thread could
 * make after all is better than none. */
static void *enter_pool(PyTypeObject *type, void *pool)
{
  void *there = NULL;
  while (!__atomic_compare_exchange_n(&type->tp_private[0], &there, pool, false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_ACQUIRE)) {
    if (there == NO_POOL && pool != NO_POOL)
      continue;
    if (pool != NO_POOL)
      (void)tm_pool_delete(pool);
    return there;
  }
  return pool;
}

/* The type's first object. NULL: tp_pool is not valid. */
static TM_SLOW void *make_pool(PyTypeObject *type)
{
  tm_pool_config config;
  tm_pool *made = NULL;
  if (!describe_pool(type, &config))
    return NULL;
  int error = tm_pool_new(tm_heap_default(), &config, &made);
  if (error && error != TM_ENOMEM)
    return NULL;
  size_t most = config.kind == TM_POOL_VARIABLE ? SIZE_MAX : config.block_bytes;
  __atomic_store_n(&type->tp_private[1], (void *)most, __ATOMIC_RELAXED);
  return enter_pool(type, error ? NO_POOL : (void *)made);
}

/* Bytes of an object with n elements, or SIZE_MAX. The manual's rounding to whole words is in the
 * heap's rounding to 16. */
static size_t object_bytes(const PyTypeObject *type, Py_ssize_t n)
{
  size_t bytes;
  if (n < 0 || __builtin_mul_overflow((size_t)n, (size_t)type->tp_itemsize, &bytes) ||
      __builtin_add_overflow(bytes, (size_t)type->tp_basicsize, &bytes))
    return SIZE_MAX;
  return bytes;
}

/* A block booked by type, its head filled in. */
static PyObject *new_object(PyTypeObject *type, Py_ssize_t n, size_t head_bytes)
{
  if (!type || type->tp_basicsize < (Py_ssize_t)head_bytes || type->tp_itemsize < 0) {
    errno = EINVAL;
    return NULL;
  }
  void *pool = __atomic_load_n(&type->tp_private[0], __ATOMIC_ACQUIRE);
  if (tm_unlikely(!pool) && !(pool = make_pool(type))) {
    errno = EINVAL;
    return NULL;
  }
  size_t bytes = object_bytes(type, n);
  size_t most = (size_t)__atomic_load_n(&type->tp_private[1], __ATOMIC_RELAXED);
  bool fits = pool != NO_POOL && bytes <= most && bytes != SIZE_MAX;
  PyObject *object = fits ? tm_pool_alloc(pool, bytes) : PyObject_Malloc(bytes);
  if (object) {
    object->ob_refcnt = 1;
    object->ob_type = type;
  }
  return object;
}

PyObject *(PyObject_New)(PyTypeObject *type)
{
  return new_object(type, 0, sizeof(PyObject));
}

PyVarObject *(PyObject_NewVar)(PyTypeObject *type, Py_ssize_t n)
{
  PyVarObject *object = (PyVarObject *)(void *)new_object(type, n, sizeof(PyVarObject));
  if (object)
    object->ob_size = n;
  return object;
}

void PyObject_Del(void *object)
{
  PyObject_Free(object);
}

PyObject *(PyObject_NEW)(PyTypeObject *type)
{
  return (PyObject_New)(type);
}

PyVarObject *(PyObject_NEW_VAR)(PyTypeObject *type, Py_ssize_t n)
{
  return (PyObject_NewVar)(type, n);
}

int tm_type_close(PyTypeObject *type)
{
  if (!type)
    return TM_EINVAL;
  void *pool = __atomic_load_n(&type->tp_private[0], __ATOMIC_ACQUIRE);
  if (pool && pool != NO_POOL) {
    int error = tm_pool_delete(pool);
    if (error)
      return error;
  }
  __atomic_store_n(&type->tp_private[0], NULL, __ATOMIC_RELEASE);
  return 0;
}
