/*
 * frames.c - Python's own frames in the stacks of the heap profile.
 *
 * A sample is taken inside an allocation, where Python's documented way to a frame may not be used:
 * PyEval_GetFrame makes an object. So the interpreter's frames are read as they lie in memory. That
 * layout is known for 3.11 only, and is not believed: at the first safe point what it says of the
 * running function must be what the documented functions say. Anything else, and stacks stay
 * native.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "base/atomics.h"
#include "hosts/cpython/host.h"
#include "hosts/cpython/inside.h"
#include "hosts/cpython/pyapi.h"
#include "profile/stack.h"
#include "profile/tables.h"

/* Where things stand in 3.11. */
enum {
  THREAD_CFRAME = 56,
  CFRAME_CURRENT = 8,
  FRAME_CODE = 32,
  FRAME_PREVIOUS = 48,
  FRAME_INSTRUCTION = 56,
  CODE_FIRST_LINE = 72,
  CODE_FILE = 112,
  CODE_QUALNAME = 128,
  CODE_INSTRUCTIONS = 184
};

static void (*at_end)(void);
static bool wanted, registered, prepared; /* the last two in this interpreter */
static uintptr_t eval_begin, eval_end;    /* the function that runs Python's instructions */

static void *word_at(const void *base, size_t offset)
{
  void *word;
  memcpy(&word, (const char *)base + offset, sizeof word);
  return word;
}

static int int_at(const void *base, size_t offset)
{
  int value;
  memcpy(&value, (const char *)base + offset, sizeof value);
  return value;
}

/* The innermost frame of the calling thread, or NULL: there is none, or another thread has the
 * GIL. */
static void *current_frame(void)
{
  void *thread = PyGILState_GetThisThreadState();
  if (!thread || thread != _PyThreadState_UncheckedGet())
    return NULL;
  void *cframe = word_at(thread, THREAD_CFRAME);
  return cframe ? word_at(cframe, CFRAME_CURRENT) : NULL;
}

static int line_of(const void *frame)
{
  void *code = word_at(frame, FRAME_CODE);
  const char *at = word_at(frame, FRAME_INSTRUCTION);
  return PyCode_Addr2Line(code, (int)(at - ((const char *)code + CODE_INSTRUCTIONS)));
}

/* ---- Functions by their code ---------------------------------------------------------------- */

/* UTF-8 of a str, cut. Reading a character at a time makes no object. */
static void copy_text(void *text, char *to, size_t capacity)
{
  size_t length = 0;
  ssize_t count = text ? PyUnicode_GetLength(text) : 0;
  for (ssize_t i = 0; i < count && length + 5 < capacity; i++) {
    uint32_t c = PyUnicode_ReadChar(text, i);
    if (c < 0x80) {
      to[length++] = (char)(c ? c : '?');
    } else if (c < 0x800) {
      to[length++] = (char)(0xc0 | c >> 6);
      to[length++] = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
      to[length++] = (char)(0xe0 | c >> 12);
      to[length++] = (char)(0x80 | (c >> 6 & 63));
      to[length++] = (char)(0x80 | (c & 63));
    } else {
      to[length++] = (char)(0xf0 | c >> 18);
      to[length++] = (char)(0x80 | (c >> 12 & 63));
      to[length++] = (char)(0x80 | (c >> 6 & 63));
      to[length++] = (char)(0x80 | (c & 63));
    }
  }
  to[length] = 0;
}

/* What was found for a code object; another one may stand at its address later, so more than that
 * is compared. Guarded by the GIL. */
typedef struct known {
  const void *code, *name, *file;
  int first_line;
  uint32_t function;
  uint64_t profile; /* number of the profile that `function` is of */
} known;
enum { KNOWN = 1024 };
static known memo[KNOWN];

static int64_t function_of(void *code)
{
  known *slot = &memo[((uintptr_t)code >> 4) * 0x9e3779b1u % KNOWN];
  known now = {.code = code,
               .name = word_at(code, CODE_QUALNAME),
               .file = word_at(code, CODE_FILE),
               .first_line = int_at(code, CODE_FIRST_LINE),
               .profile = tm__tables_number()};
  if (slot->code == now.code && slot->name == now.name && slot->file == now.file &&
      slot->first_line == now.first_line && slot->profile == now.profile)
    return slot->function;
  char name[256], file[1024];
  copy_text((void *)(uintptr_t)now.name, name, sizeof name);
  copy_text((void *)(uintptr_t)now.file, file, sizeof file);
  int64_t function = tm__tables_function(name, file);
  if (function < 0)
    return -1;
  now.function = (uint32_t)function;
  *slot = now;
  return function;
}

/* ---- Stacks --------------------------------------------------------------------------------- */

/* The interpreter's own frames, from the innermost one that runs Python, make room for Python's. */
static void cut_interpreter(tm__stack *stack)
{
  for (uint32_t i = 0; i < stack->depth; i++)
    if (stack->frames[i] - eval_begin < eval_end - eval_begin) {
      stack->depth = i;
      stack->cut = false;
      return;
    }
}

static void add_frames(tm__stack *stack)
{
  if (!tm__cpython_ready())
    return;
  void *frame = current_frame();
  if (frame)
    cut_interpreter(stack);
  for (; frame && !stack->cut; frame = word_at(frame, FRAME_PREVIOUS)) {
    void *code = word_at(frame, FRAME_CODE);
    int64_t function = code ? function_of(code) : -1;
    if (function >= 0) {
      int line = line_of(frame);
      tm__stack_push(stack, tm__frame_of((uint32_t)function, line > 0 ? (uint32_t)line : 0));
    }
  }
}

/* ---- Is it as we think? --------------------------------------------------------------------- */

static bool has_api(void)
{
  return &Py_Version && Py_Version >> 16 == 0x030b && PyGILState_GetThisThreadState &&
         _PyThreadState_UncheckedGet && PyCode_Addr2Line && PyUnicode_GetLength &&
         PyUnicode_ReadChar && PyEval_GetFrame && PyFrame_GetCode && PyFrame_GetLineNumber;
}

/* true iff the object's attribute is this very object. */
static bool is_attribute(PyObject *object, const char *name, const void *expected)
{
  PyObject *attribute = PyObject_GetAttrString(object, name);
  Py_DecRef(attribute);
  return attribute && attribute == expected;
}

static bool layout_is_known(void)
{
  PyObject *object = PyEval_GetFrame(); /* borrowed */
  void *frame = current_frame();
  if (!object || !frame)
    return false;
  PyObject *code = PyFrame_GetCode(object);
  bool same = code == word_at(frame, FRAME_CODE) &&
              is_attribute(code, "co_filename", word_at(code, CODE_FILE)) &&
              is_attribute(code, "co_qualname", word_at(code, CODE_QUALNAME)) &&
              line_of(frame) == PyFrame_GetLineNumber(object);
  Py_DecRef(code);
  return same;
}

static void find_eval(void)
{
  Dl_info info;
  const ElfW(Sym) *symbol = NULL;
  void *eval = dlsym(RTLD_DEFAULT, "_PyEval_EvalFrameDefault");
  if (!eval || !dladdr1(eval, &info, (void **)(void *)&symbol, RTLD_DL_SYMENT) || !symbol)
    return;
  eval_begin = (uintptr_t)eval;
  eval_end = eval_begin + symbol->st_size;
}

/* ---- The start and the end of the program ---------------------------------------------------- */

/* An atexit function, so that a profile shows what the program held and not what is left of it. */
static PyObject *write_at_end(PyObject *self, PyObject *arguments)
{
  (void)self, (void)arguments;
  at_end();
  return Py_BuildValue(""); /* None */
}

static void register_end(void)
{
  static PyMethodDef method = {"tidemark_profile", write_at_end, METH_NOARGS, NULL};
  PyObject *module = PyImport_ImportModule("atexit");
  PyObject *add = module ? PyObject_GetAttrString(module, "register") : NULL;
  PyObject *fn = add && PyCFunction_NewEx ? PyCFunction_NewEx(&method, NULL, NULL) : NULL;
  if (fn)
    Py_DecRef(PyObject_CallFunction(add, "O", fn));
  Py_DecRef(fn);
  Py_DecRef(add);
  Py_DecRef(module);
}

void tm__cpython_frames_prepare(void)
{
  if (!wanted || prepared)
    return;
  if (!registered)
    register_end();
  registered = true;
  /* The collector's thread comes by as well, and runs no Python function. */
  if (has_api() && !PyEval_GetFrame())
    return;
  prepared = true;
  if (has_api() && layout_is_known()) {
    find_eval();
    tm__stack_host_set(add_frames);
  }
  PyErr_Clear();
}

void tm__cpython_frames_forget(void)
{
  prepared = registered = false;
}

void tm__cpython_profile(void (*fn)(void))
{
  wanted = true;
  at_end = fn;
}
