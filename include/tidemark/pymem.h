/*
 * pymem.h - the memory interface of the Python/C API manual over the default heap of the process,
 * for programs that do not contain CPython. Link with libtidemark-pymem.
 *
 * Inside a process that contains CPython these names belong to the interpreter: do not include this
 * file next to Python.h, use <tidemark/tidemark.h> there (`tidemark run` puts CPython's own names
 * on the heap).
 *
 * What holds for every function here:
 *   - any thread may call it at any time, with or without an interpreter or a lock of the host;
 *     not from a signal handler;
 *   - a block is 16-aligned, belongs to tm_heap_default() and to one of three families: raw
 *     (PyMem_Raw*), mem (PyMem_*), obj (PyObject_*). The family that allocated a block resizes and
 *     frees it. A mix is reported by name; tm_mismatch_set says what happens then;
 *   - NULL iff the size is above PTRDIFF_MAX, the heap's hard limit would be exceeded, or the
 *     operating system has no memory. errno is then ENOMEM, one counter of failures_total went up
 *     and no other counter of the books changed;
 *   - a request for zero bytes gives a distinct block, not NULL, that must be freed.
 *
 * Every name is also a function of the library, so that a debugger, dlsym or a table of function
 * pointers finds it; the macros only add the casts. Write (PyMem_New)(n, size) for the function.
 */
#ifndef TIDEMARK_PYMEM_H
#define TIDEMARK_PYMEM_H

#ifdef Py_PYTHON_H
#error "Python.h has its own PyMem_*: include <tidemark/tidemark.h> instead of <tidemark/pymem.h>"
#else

#include <stddef.h>
#include <stdint.h>

#include <tidemark/heap.h>
#include <tidemark/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Blocks of bytes ------------------------------------------------------------------------ */

/* A block of at least n bytes, content undefined. */
TM_API void *PyMem_RawMalloc(size_t n);
TM_API void *PyMem_Malloc(size_t n);
TM_API void *PyObject_Malloc(size_t n);

/* A block for count elements of size bytes, all zero; NULL also iff the product is too large. */
TM_API void *PyMem_RawCalloc(size_t count, size_t size);
TM_API void *PyMem_Calloc(size_t count, size_t size);
TM_API void *PyObject_Calloc(size_t count, size_t size);

/*
 * Resizes p to at least n bytes and keeps min(old, new) bytes of content; may move it. p == NULL is
 * the family's Malloc(n). n == 0 does not free: the result is a small live block. After NULL, p is
 * still valid and unchanged.
 */
TM_API void *PyMem_RawRealloc(void *p, size_t n);
TM_API void *PyMem_Realloc(void *p, size_t n);
TM_API void *PyObject_Realloc(void *p, size_t n);

/* Ends p; NULL does nothing. Keeps errno. */
TM_API void PyMem_RawFree(void *p);
TM_API void PyMem_Free(void *p);
TM_API void PyObject_Free(void *p);

/* ---- Blocks of a type ----------------------------------------------------------------------- */

/*
 * PyMem_New(TYPE, n): a TYPE * to n elements of family mem, content undefined. NULL also iff
 * n * sizeof(TYPE) is too large or n is negative; that counts as one failure by overflow.
 * PyMem_Resize(p, TYPE, n): resizes p to n elements and assigns the result to p, ALSO when it is
 * NULL: keep a copy of p, the old block is still yours then. p is evaluated twice.
 * PyMem_Del(p) is PyMem_Free(p).
 */
TM_API void *PyMem_New(size_t n, size_t size);
TM_API void *PyMem_Resize(void *p, size_t n, size_t size);
TM_API void PyMem_Del(void *p);

/* The old names of the same, deprecated by the manual, kept for old sources. */
TM_API void *PyMem_MALLOC(size_t n);
TM_API void *PyMem_REALLOC(void *p, size_t n);
TM_API void PyMem_FREE(void *p);
TM_API void *PyMem_NEW(size_t n, size_t size);
TM_API void *PyMem_RESIZE(void *p, size_t n, size_t size);
TM_API void PyMem_DEL(void *p);

/* ---- Objects -------------------------------------------------------------------------------- */

typedef ptrdiff_t Py_ssize_t;

typedef struct tm__python_type PyTypeObject;

/* Every object starts with one of these two. */
typedef struct tm__python_object {
  Py_ssize_t ob_refcnt;
  PyTypeObject *ob_type;
} PyObject;

typedef struct tm__python_var_object {
  PyObject ob_base;
  Py_ssize_t ob_size; /* number of elements */
} PyVarObject;

#define PyObject_HEAD PyObject ob_base;
#define PyObject_VAR_HEAD PyVarObject ob_base;

/*
 * A type of objects. All of it that is not named here is zero: static storage and designated
 * initialisers see to that. It must not change or move once an object of it was made, and it must
 * live as long as its objects.
 *
 *   static PyTypeObject point_type = {.tp_name = "point", .tp_basicsize = sizeof(point)};
 *
 * Objects are booked by type: the first one makes a pool of the default heap, named tp_name, and
 * the statistics get a row of that name. (A name of more than 31 bytes is shown without what stands
 * before its last dot, then cut.) When the heap has no pool left, 250 in all, the objects of later
 * types are booked in the row "obj".
 */
struct tm__python_type {
  const char *tp_name;
  Py_ssize_t tp_basicsize; /* bytes of an object without elements, its head included */
  Py_ssize_t tp_itemsize;  /* bytes of one element; 0: all objects have the same size */
  /* How the pool works. NULL: FIXED of tp_basicsize where tp_itemsize is 0, else VARIABLE. Only
   * kind, block_bytes (raised to tp_basicsize) and cache_blocks are used: name and family follow
   * from the type. An object larger than the pool's block is booked in the row "obj". */
  const tm_pool_config *tp_pool;
  void *tp_private[2]; /* the library's own */
};

/*
 * PyObject_New(TYPE, type): a TYPE * to a new object with reference count 1 and the type set; all
 * else is undefined. PyObject_NewVar(TYPE, type, n): the same with room for n elements and ob_size
 * n. NULL also iff n is negative or the size overflows (one failure by overflow), and, with errno
 * EINVAL, iff tp_basicsize has no room for the head, tp_itemsize is negative or tp_pool is not
 * valid. Objects are freed by PyObject_Del, which is PyObject_Free; PyObject_Realloc resizes one
 * within its type's row while its pool's block size allows, otherwise into the row "obj".
 */
TM_API PyObject *PyObject_New(PyTypeObject *type);
TM_API PyVarObject *PyObject_NewVar(PyTypeObject *type, Py_ssize_t n);
TM_API void PyObject_Del(void *object);

/* The old names of the same. */
TM_API PyObject *PyObject_NEW(PyTypeObject *type);
TM_API PyVarObject *PyObject_NEW_VAR(PyTypeObject *type, Py_ssize_t n);

/*
 * For a type that ends before the process does (one made at run time, or in a library that is about
 * to be unloaded): gives its pool back. 0, also when it never had an object; TM_EINVAL iff type is
 * NULL; TM_EBUSY while objects of it live. No other thread may use the type meanwhile.
 */
TM_API int tm_type_close(PyTypeObject *type);

#ifdef __cplusplus
}
#endif

#define PyMem_New(TYPE, n) ((TYPE *)(PyMem_New)((size_t)(n), sizeof(TYPE)))
#define PyMem_Resize(p, TYPE, n) ((p) = (TYPE *)(PyMem_Resize)((p), (size_t)(n), sizeof(TYPE)))
#define PyMem_NEW(TYPE, n) PyMem_New(TYPE, n)
#define PyMem_RESIZE(p, TYPE, n) PyMem_Resize(p, TYPE, n)
#define PyObject_New(TYPE, type) ((TYPE *)(void *)(PyObject_New)(type))
#define PyObject_NewVar(TYPE, type, n) ((TYPE *)(void *)(PyObject_NewVar)((type), (n)))
#define PyObject_NEW(TYPE, type) PyObject_New(TYPE, type)
#define PyObject_NEW_VAR(TYPE, type, n) PyObject_NewVar(TYPE, type, n)

/* Python.h after this file: its first declaration runs into this sentence. */
#ifndef PyAPI_FUNC
#ifdef __cplusplus
#define PyAPI_FUNC(TYPE)                                                                           \
  static_assert(false, "Python.h has its own PyMem_*: include <tidemark/tidemark.h> instead of "   \
                       "<tidemark/pymem.h>");                                                      \
  extern TYPE
#else
#define PyAPI_FUNC(TYPE)                                                                           \
  _Static_assert(0, "Python.h has its own PyMem_*: include <tidemark/tidemark.h> instead of "      \
                    "<tidemark/pymem.h>");                                                         \
  extern TYPE
#endif
#endif

#endif /* Py_PYTHON_H */
#endif
