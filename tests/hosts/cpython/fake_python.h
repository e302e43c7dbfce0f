/*
 * fake_python.h - an interpreter of 200 lines, so that the host's rules can be tested one by one
 * and its races under ThreadSanitizer: allocator table, GIL, pending calls, the gc module, an end.
 *
 * It defines the functions of pyapi.h, so the host's weak names find it. Include it once per test.
 * Everything about it can be seen and set in `fake`; references are counted.
 */
#ifndef TM_TESTS_FAKE_PYTHON_H
#define TM_TESTS_FAKE_PYTHON_H

#include <pthread.h>
#include <tidemark/tidemark.h>

#include "base/atomics.h"
#include "hosts/cpython/pyapi.h"
#include "support/check.h"

typedef enum {
  FAKE_NUMBER,
  FAKE_TUPLE,
  FAKE_MODULE,
  FAKE_FUNCTION,
  FAKE_DICT,
  FAKE_CAPSULE
} fake_kind;

struct tm__py_object {
  fake_kind kind;
  const char *name; /* of a function */
  long number;
  PyObject *items[3];      /* of a tuple: borrowed */
  void (*end)(PyObject *); /* of a capsule */
};

typedef int (*fake_pending_fn)(void *);
enum { FAKE_PENDING_MAX = 32 };

static struct {
  PyMemAllocatorEx allocators[3];
  _Atomic(int) initialized;

  pthread_mutex_t gil;
  _Atomic(uintptr_t) gil_owner; /* address of a thread-local, 0 = nobody */
  _Atomic(int) gil_waiters;

  fake_pending_fn pending[FAKE_PENDING_MAX];
  int pending_count, pending_max;

  bool gc_enabled, gc_imported, gc_raises;
  long thresholds[3];
  _Atomic(int) collections[3];
  void (*on_collect)(int generation);
  _Atomic(uintptr_t) collected_by; /* thread of the last collection, as gil_owner */

  PyObject *capsule; /* in the interpreter's dictionary */
  PyObject *error;   /* set, or NULL */
  int references;    /* held by callers */
} fake = {.gil = PTHREAD_MUTEX_INITIALIZER,
          .pending_max = FAKE_PENDING_MAX,
          .gc_enabled = true,
          .thresholds = {700, 10, 10}};

static PyObject fake_modules = {.kind = FAKE_DICT}, fake_interpreter_dict = {.kind = FAKE_DICT};
static PyObject fake_gc = {.kind = FAKE_MODULE};
static PyObject fake_functions[] = {
    {.kind = FAKE_FUNCTION, .name = "collect"},
    {.kind = FAKE_FUNCTION, .name = "isenabled"},
    {.kind = FAKE_FUNCTION, .name = "get_threshold"},
    {.kind = FAKE_FUNCTION, .name = "set_threshold"},
};
static PyObject fake_numbers[3] = {
    {.kind = FAKE_NUMBER}, {.kind = FAKE_NUMBER}, {.kind = FAKE_NUMBER}};
static PyObject fake_tuple = {.kind = FAKE_TUPLE,
                              .items = {&fake_numbers[0], &fake_numbers[1], &fake_numbers[2]}};
static PyObject fake_none = {.kind = FAKE_NUMBER};
static _Thread_local char fake_thread;

static inline uintptr_t fake_me(void)
{
  return (uintptr_t)&fake_thread;
}

/* ---- Memory --------------------------------------------------------------------------------- */

static inline void *fake_system_malloc(void *ctx, size_t n)
{
  (void)ctx;
  return malloc(n ? n : 1);
}
static inline void *fake_system_calloc(void *ctx, size_t count, size_t size)
{
  (void)ctx;
  return calloc(count ? count : 1, size ? size : 1);
}
static inline void *fake_system_realloc(void *ctx, void *p, size_t n)
{
  (void)ctx;
  return realloc(p, n ? n : 1);
}
static inline void fake_system_free(void *ctx, void *p)
{
  (void)ctx;
  free(p);
}
static const PyMemAllocatorEx fake_system = {NULL, fake_system_malloc, fake_system_calloc,
                                             fake_system_realloc, fake_system_free};

void PyMem_GetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx *out)
{
  *out = fake.allocators[domain];
}
void PyMem_SetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx *in)
{
  fake.allocators[domain] = *in;
}
static inline void *fake_malloc(PyMemAllocatorDomain domain, size_t n)
{
  return fake.allocators[domain].malloc(fake.allocators[domain].ctx, n);
}
static inline void fake_free(PyMemAllocatorDomain domain, void *p)
{
  fake.allocators[domain].free(fake.allocators[domain].ctx, p);
}
void *PyMem_Malloc(size_t n)
{
  return fake_malloc(PYMEM_DOMAIN_MEM, n);
}
void PyMem_Free(void *p)
{
  fake_free(PYMEM_DOMAIN_MEM, p);
}
void *PyObject_Malloc(size_t n)
{
  return fake_malloc(PYMEM_DOMAIN_OBJ, n);
}
void PyObject_Free(void *p)
{
  fake_free(PYMEM_DOMAIN_OBJ, p);
}

/* ---- Threads -------------------------------------------------------------------------------- */

static inline void fake_gil_take(void)
{
  atomic_fetch_add(&fake.gil_waiters, 1);
  must(pthread_mutex_lock(&fake.gil) == 0);
  atomic_fetch_sub(&fake.gil_waiters, 1);
  atomic_store(&fake.gil_owner, fake_me());
}
static inline void fake_gil_drop(void)
{
  must(PyGILState_Check());
  atomic_store(&fake.gil_owner, 0);
  must(pthread_mutex_unlock(&fake.gil) == 0);
}
int PyGILState_Ensure(void)
{
  fake_gil_take();
  if (!atomic_load(&fake.initialized)) { /* as an interpreter that ends does with such threads */
    fake_gil_drop();
    pthread_exit(NULL);
  }
  return 1;
}
void PyGILState_Release(int state)
{
  must(state == 1);
  fake_gil_drop();
}
int PyGILState_Check(void)
{
  return atomic_load(&fake.gil_owner) == fake_me();
}
int Py_IsInitialized(void)
{
  return atomic_load(&fake.initialized);
}
int Py_AddPendingCall(int (*fn)(void *), void *arg)
{
  must(arg == NULL);
  if (fake.pending_count >= fake.pending_max)
    return -1;
  fake.pending[fake.pending_count++] = fn;
  return 0;
}
/* The main thread comes by: with the GIL, between two bytecodes. */
static inline int fake_run_pending(void)
{
  must(PyGILState_Check());
  int count = fake.pending_count;
  fake.pending_count = 0;
  for (int i = 0; i < count; i++)
    must(fake.pending[i](NULL) == 0);
  return count;
}

/* ---- Objects -------------------------------------------------------------------------------- */

static inline PyObject *fake_new_reference(PyObject *object)
{
  fake.references += object != NULL;
  return object;
}
static inline void fake_capsule_dies(void)
{
  PyObject *capsule = fake.capsule;
  fake.capsule = NULL;
  if (capsule)
    capsule->end(capsule);
  free(capsule);
}
/* For tests that end a life without an end. */
static inline void fake_forget_capsule(void)
{
  free(fake.capsule);
  fake.capsule = NULL;
}
void Py_DecRef(PyObject *object)
{
  fake.references -= object != NULL;
}
PyInterpreterState *PyInterpreterState_Main(void)
{
  return (PyInterpreterState *)(void *)&fake;
}
PyObject *PyInterpreterState_GetDict(PyInterpreterState *interpreter)
{
  (void)interpreter;
  return &fake_interpreter_dict;
}
PyObject *PyCapsule_New(void *pointer, const char *name, void (*end)(PyObject *))
{
  must(pointer && name);
  PyObject *capsule = calloc(1, sizeof *capsule);
  must(capsule != NULL);
  *capsule = (PyObject){.kind = FAKE_CAPSULE, .end = end};
  return fake_new_reference(capsule);
}
PyObject *PyImport_GetModuleDict(void)
{
  return &fake_modules;
}
PyObject *PyImport_ImportModule(const char *name)
{
  if (strcmp(name, "gc") != 0) {
    fake.error = &fake_none;
    return NULL;
  }
  fake.gc_imported = true;
  return fake_new_reference(&fake_gc);
}
PyObject *PyDict_GetItemString(PyObject *dict, const char *key)
{
  return dict == &fake_modules && strcmp(key, "gc") == 0 && fake.gc_imported ? &fake_gc : NULL;
}
int PyDict_SetItemString(PyObject *dict, const char *key, PyObject *item)
{
  must(dict == &fake_interpreter_dict && key && item->kind == FAKE_CAPSULE && !fake.capsule);
  fake.capsule = item;
  return 0;
}
int PyDict_DelItemString(PyObject *dict, const char *key)
{
  must(PyDict_GetItemString(dict, key) != NULL);
  fake.gc_imported = false;
  return 0;
}
PyObject *PyObject_GetAttrString(PyObject *object, const char *name)
{
  must(object == &fake_gc);
  for (size_t i = 0; i < TM_ARRAY_LEN(fake_functions); i++)
    if (strcmp(fake_functions[i].name, name) == 0)
      return fake_new_reference(&fake_functions[i]);
  return NULL;
}
static inline PyObject *fake_collect(int generation)
{
  if (fake.gc_raises) {
    fake.error = &fake_none;
    return NULL;
  }
  atomic_fetch_add(&fake.collections[generation], 1);
  atomic_store(&fake.collected_by, fake_me());
  if (fake.on_collect)
    fake.on_collect(generation);
  return fake_new_reference(&fake_none);
}
PyObject *PyObject_CallFunction(PyObject *callable, const char *format, ...)
{
  must(PyGILState_Check() && !fake.error && callable->kind == FAKE_FUNCTION);
  PyObject *result = NULL;
  va_list arguments;
  va_start(arguments, format);
  if (strcmp(callable->name, "collect") == 0) {
    must(strcmp(format, "i") == 0);
    result = fake_collect(va_arg(arguments, int));
  } else if (strcmp(callable->name, "set_threshold") == 0) {
    must(strcmp(format, "lll") == 0);
    for (int i = 0; i < 3; i++)
      fake.thresholds[i] = va_arg(arguments, long);
    result = fake_new_reference(&fake_none);
  } else if (strcmp(callable->name, "get_threshold") == 0) {
    for (int i = 0; i < 3; i++)
      fake_numbers[i].number = fake.thresholds[i];
    result = fake_new_reference(&fake_tuple);
  } else {
    fake_none.number = fake.gc_enabled;
    result = fake_new_reference(&fake_none);
  }
  va_end(arguments);
  return result;
}
int PyObject_IsTrue(PyObject *object)
{
  return object->number != 0;
}
long PyLong_AsLong(PyObject *object)
{
  must(object->kind == FAKE_NUMBER);
  return object->number;
}
ssize_t PyTuple_Size(PyObject *tuple)
{
  return tuple == &fake_tuple ? 3 : 0;
}
PyObject *PyTuple_GetItem(PyObject *tuple, ssize_t index)
{
  return tuple->items[index];
}
void PyErr_Fetch(PyObject **type, PyObject **value, PyObject **traceback)
{
  *type = *value = *traceback = fake.error;
  fake.error = NULL;
}
void PyErr_Restore(PyObject *type, PyObject *value, PyObject *traceback)
{
  must(type == value && value == traceback);
  fake.error = type;
}
void PyErr_Clear(void)
{
  fake.error = NULL;
}

/* ---- A life --------------------------------------------------------------------------------- */

/* Before the host is installed. */
static inline void fake_prepare(void)
{
  for (int domain = 0; domain < 3; domain++)
    fake.allocators[domain] = fake_system;
}
/* The interpreter starts; the caller, its main thread, holds the GIL. */
static inline void fake_initialize(void)
{
  fake_gil_take();
  atomic_store(&fake.initialized, 1);
}
/* It starts and runs its first lines: one mem block, then a bytecode. */
static inline void fake_begin(void)
{
  fake_initialize();
  PyMem_Free(PyMem_Malloc(8));
  must(fake_run_pending() == 1);
}
/* As Py_FinalizeEx: nothing is called any more, then the dictionary goes. Keeps the GIL. */
static inline void fake_finalize(void)
{
  atomic_store(&fake.initialized, 0);
  fake.pending_count = 0;
  fake_capsule_dies();
}
/* Makes the default heap cross its trip, once the engine may look again: `bytes` of objects. */
static inline void *fake_grow(size_t bytes)
{
  void *p = PyObject_Malloc(bytes);
  must(p != NULL);
  return p;
}

#endif
