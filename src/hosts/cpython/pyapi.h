/*
 * pyapi.h - the part of Python's C API that the host calls, declared by ourselves.
 *
 * Nothing of Python is needed to build, and one binary serves every interpreter: the names are
 * weak, so the dynamic linker binds them to the interpreter that the process runs and leaves them
 * NULL in a process without one. No look-up at run time, no table, no allocation.
 *
 * Only names of the stable ABI, or of the documented API with an unchanged meaning from 3.8 to
 * 3.13, stand here; those that came or went are compared with NULL before each use.
 */
#ifndef TM_HOSTS_CPYTHON_PYAPI_H
#define TM_HOSTS_CPYTHON_PYAPI_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TM_WEAK __attribute__((weak))

typedef struct tm__py_object PyObject; /* opaque here: only ever passed on */

/* As PyMemAllocatorDomain and PyMemAllocatorEx of Include/cpython/pymem.h, since 3.5. */
typedef enum { PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ } PyMemAllocatorDomain;
typedef struct PyMemAllocatorEx {
  void *ctx;
  void *(*malloc)(void *ctx, size_t size);
  void *(*calloc)(void *ctx, size_t count, size_t size);
  void *(*realloc)(void *ctx, void *p, size_t size);
  void (*free)(void *ctx, void *p);
} PyMemAllocatorEx;

TM_WEAK extern void PyMem_GetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx *out);
TM_WEAK extern void PyMem_SetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx *in);
TM_WEAK extern void *PyMem_Malloc(size_t size);
TM_WEAK extern void PyMem_Free(void *p);
TM_WEAK extern void *PyObject_Malloc(size_t size);
TM_WEAK extern void PyObject_Free(void *p);

TM_WEAK extern int Py_IsInitialized(void);
TM_WEAK extern int Py_AddPendingCall(int (*fn)(void *), void *arg);
TM_WEAK extern int PyGILState_Ensure(void);
TM_WEAK extern void PyGILState_Release(int state);
TM_WEAK extern int PyGILState_Check(void);

typedef struct tm__py_interpreter PyInterpreterState;
TM_WEAK extern PyInterpreterState *PyInterpreterState_Main(void);
TM_WEAK extern PyObject *PyInterpreterState_GetDict(PyInterpreterState *interpreter); /* borrowed */

TM_WEAK extern void PyErr_Fetch(PyObject **type, PyObject **value, PyObject **traceback);
TM_WEAK extern void PyErr_Restore(PyObject *type, PyObject *value, PyObject *traceback);
TM_WEAK extern void PyErr_Clear(void);

TM_WEAK extern void Py_DecRef(PyObject *object); /* NULL does nothing */
TM_WEAK extern PyObject *PyImport_ImportModule(const char *name);
TM_WEAK extern PyObject *PyImport_GetModuleDict(void); /* borrowed */
TM_WEAK extern PyObject *PyObject_GetAttrString(PyObject *object, const char *name);
TM_WEAK extern PyObject *PyObject_CallFunction(PyObject *callable, const char *format, ...);
TM_WEAK extern int PyObject_IsTrue(PyObject *object);
TM_WEAK extern long PyLong_AsLong(PyObject *object);
TM_WEAK extern ssize_t PyTuple_Size(PyObject *tuple);
TM_WEAK extern PyObject *PyTuple_GetItem(PyObject *tuple, ssize_t index);       /* borrowed */
TM_WEAK extern PyObject *PyDict_GetItemString(PyObject *dict, const char *key); /* borrowed */
TM_WEAK extern int PyDict_SetItemString(PyObject *dict, const char *key, PyObject *item);
TM_WEAK extern int PyDict_DelItemString(PyObject *dict, const char *key);
TM_WEAK extern PyObject *PyCapsule_New(void *pointer, const char *name, void (*end)(PyObject *));

TM_WEAK extern PyInterpreterState *PyInterpreterState_Get(void);  /* since 3.9 */
TM_WEAK extern PyInterpreterState *_PyInterpreterState_Get(void); /* 3.8 */

/* As PyMethodDef of Include/methodobject.h. */
enum { METH_VARARGS = 1, METH_NOARGS = 4 };
typedef struct PyMethodDef {
  const char *name;
  PyObject *(*function)(PyObject *self, PyObject *arguments);
  int flags;
  const char *doc;
} PyMethodDef;
TM_WEAK extern PyObject *PyCFunction_NewEx(PyMethodDef *method, PyObject *self, PyObject *module);
TM_WEAK extern PyObject *PyModule_New(const char *name);
TM_WEAK extern int PyObject_SetAttrString(PyObject *object, const char *name, PyObject *value);
TM_WEAK extern PyObject *PyObject_CallMethod(PyObject *object, const char *name, const char *format,
                                             ...);
TM_WEAK extern PyObject *PySys_GetObject(const char *name); /* borrowed */
TM_WEAK extern int PyList_Append(PyObject *list, PyObject *item);
TM_WEAK extern int PyUnicode_CompareWithASCIIString(PyObject *text, const char *ascii);
TM_WEAK extern PyObject *Py_BuildValue(const char *format, ...);

/* For frames.c, which looks at the version first. */
TM_WEAK extern const unsigned long Py_Version; /* since 3.11 */
TM_WEAK extern void *PyGILState_GetThisThreadState(void);
TM_WEAK extern void *_PyThreadState_UncheckedGet(void);
TM_WEAK extern int PyCode_Addr2Line(PyObject *code, int offset);
TM_WEAK extern PyObject *PyEval_GetFrame(void); /* borrowed */
TM_WEAK extern PyObject *PyFrame_GetCode(PyObject *frame);
TM_WEAK extern int PyFrame_GetLineNumber(PyObject *frame);
TM_WEAK extern ssize_t PyUnicode_GetLength(PyObject *text);
TM_WEAK extern uint32_t PyUnicode_ReadChar(PyObject *text, ssize_t index);

TM_WEAK extern int PyGC_IsEnabled(void);          /* since 3.10 */
TM_WEAK extern void _Py_DecRefShared(PyObject *); /* only where there is no GIL */

#endif
