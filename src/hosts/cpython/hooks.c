/*
 * hooks.c - what the engine can ask of Python's collector, and how often Python asks itself.
 *
 * A minor run is gc.collect(0), every fourth one gc.collect(1): what is merely young ages through
 * the middle generation and does not fill the old one with garbage that only a full run finds. A
 * full run is gc.collect(2). All of them go through the functions of the gc module, so callbacks,
 * debug flags and statistics are the program's own.
 *
 * Left to itself, CPython collects whenever 700 containers more were made than died, and walks
 * everything whenever that happened often enough, whatever the bytes are. With the engine at work
 * that is only a safety net for cycles of few bytes, so it is stretched: young collections after
 * 2,000 containers, every 25th with the middle generation, and no full ones. A program that sets
 * its own thresholds has the last word. Why not 10,000, which would do as well for the bytes? What
 * a young collection walks was made just now: 2,000 containers are still in the CPU's cache, and
 * each is walked once either way. The middle ones are not any more, and what dies by itself
 * meanwhile is not walked at all: hence 25. Never, and trees of small cycles would fill the heap.
 */
#include "base/atomics.h"
#include "hosts/cpython/inside.h"
#include "hosts/cpython/pyapi.h"

enum {
  GENERATIONS = 3,
  AGING = 4,             /* every AGINGth minor run takes the middle generation along */
  NET_CONTAINERS = 2000, /* and CPython's own tests expect a collection within 10,000 */
  NET_MIDDLE = 25,       /* young collections by the count until the middle one comes along */
  NET_FULL = 1000000,    /* as good as never, and still an int when a program multiplies it */
};

/* Functions of the gc module; NULL until the first safe point. Under the GIL. */
static struct {
  PyObject *collect, *isenabled, *get_threshold, *set_threshold;
} gc;

static unsigned minor_runs;

/* ---- Hooks ---------------------------------------------------------------------------------- */

static bool gc_is_enabled(void)
{
  if (PyGC_IsEnabled)
    return PyGC_IsEnabled() != 0;
  PyObject *answer = PyObject_CallFunction(gc.isenabled, NULL);
  bool enabled = answer && PyObject_IsTrue(answer) == 1;
  Py_DecRef(answer);
  return enabled;
}

/* gc.collect(generation). It reports errors of finalizers itself; what it raises, we drop. */
static int collect(int generation)
{
  if (!gc.collect || !gc_is_enabled())
    return TM_HOOK_BUSY; /* the program said gc.disable(): it wins */
  PyObject *found = PyObject_CallFunction(gc.collect, "i", generation);
  if (!found) {
    PyErr_Clear();
    return TM_HOOK_ERROR;
  }
  Py_DecRef(found);
  return TM_HOOK_DONE;
}

static int collect_minor(void *ctx, const tm_event *event)
{
  (void)ctx, (void)event;
  return collect(++minor_runs % AGING == 0 ? 1 : 0);
}

static int collect_full(void *ctx, const tm_event *event)
{
  (void)ctx, (void)event;
  return collect(GENERATIONS - 1);
}

void tm__cpython_hooks_add(void)
{
  tm_heap *heap = tm_heap_default();
  (void)tm_hook_add(heap, TM_COLLECT_MINOR, collect_minor, NULL, NULL);
  (void)tm_hook_add(heap, TM_COLLECT, collect_full, NULL, NULL);
  (void)tm_notify_set(heap, tm__cpython_notify, NULL);
}

/* ---- The gc module -------------------------------------------------------------------------- */

/* A module that the program did not import stays out of its sys.modules. */
static PyObject *import_gc(void)
{
  PyObject *modules = PyImport_GetModuleDict();
  bool was_there = modules && PyDict_GetItemString(modules, "gc");
  PyObject *module = PyImport_ImportModule("gc");
  if (module && !was_there && PyDict_DelItemString(modules, "gc") != 0)
    PyErr_Clear();
  return module;
}

bool tm__cpython_hooks_prepare(void)
{
  if (gc.collect)
    return true;
  PyObject *module = import_gc();
  if (module) {
    gc.isenabled = PyObject_GetAttrString(module, "isenabled");
    gc.get_threshold = PyObject_GetAttrString(module, "get_threshold");
    gc.set_threshold = PyObject_GetAttrString(module, "set_threshold");
    gc.collect = PyObject_GetAttrString(module, "collect");
    Py_DecRef(module);
  }
  if (gc.isenabled && gc.get_threshold && gc.set_threshold && gc.collect && tm__cpython_bind_end())
    return true;
  PyErr_Clear();
  tm__cpython_hooks_drop();
  return false;
}

/* ---- Thresholds ----------------------------------------------------------------------------- */

static bool assists; /* the engine assists Python's own trigger, which stays as it is */

static struct {
  enum { UNTOUCHED, STRETCHED, THEIRS } owner;
  long before[GENERATIONS], ours[GENERATIONS];
} thresholds;

static bool thresholds_read(long out[GENERATIONS])
{
  PyObject *tuple = PyObject_CallFunction(gc.get_threshold, NULL);
  bool known = tuple && PyTuple_Size(tuple) == GENERATIONS;
  for (int i = 0; known && i < GENERATIONS; i++)
    out[i] = PyLong_AsLong(PyTuple_GetItem(tuple, i));
  Py_DecRef(tuple);
  return known;
}

static void thresholds_write(const long value[GENERATIONS])
{
  Py_DecRef(PyObject_CallFunction(gc.set_threshold, "lll", value[0], value[1], value[2]));
}

static bool thresholds_equal(const long a[GENERATIONS], const long b[GENERATIONS])
{
  return a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
}

/* Does the engine collect by itself? Where only limits act, Python's own schedule stays. */
static bool engine_has_a_schedule(void)
{
  tm_policy policy;
  tm_policy_init(&policy);
  const unsigned trips = ~(unsigned)(TM_POLICY_PRESSURE | TM_POLICY_YIELD);
  return tm_policy_get(tm_heap_default(), &policy) == 0 && (policy.kinds & trips);
}

void tm__cpython_thresholds_keep(bool displaced)
{
  long now[GENERATIONS];
  if (thresholds.owner == THEIRS || !thresholds_read(now)) {
    PyErr_Clear();
    return;
  }
  if (thresholds.owner == STRETCHED) {
    if (!thresholds_equal(now, thresholds.ours))
      thresholds.owner = THEIRS;
    else if (displaced) {
      thresholds_write(thresholds.before);
      thresholds.owner = THEIRS;
    }
  } else if (!displaced && !assists && engine_has_a_schedule() && now[0] > 0 &&
             now[0] <= NET_CONTAINERS) {
    /* Before any line of the program: what stands there is the interpreter's own default. */
    const long ours[GENERATIONS] = {NET_CONTAINERS, NET_MIDDLE, NET_FULL};
    for (int i = 0; i < GENERATIONS; i++) {
      thresholds.before[i] = now[i];
      thresholds.ours[i] = ours[i];
    }
    thresholds_write(ours);
    thresholds.owner = STRETCHED;
  }
  PyErr_Clear();
}

/* The take-over came later: what is no interpreter's default was set by the program. */
void tm__cpython_thresholds_found(void)
{
  static const long defaults[][GENERATIONS] = {{700, 10, 10}, {2000, 10, 10}, {2000, 10, 0}};
  long now[GENERATIONS];
  bool known = thresholds_read(now), is_default = false;
  for (size_t i = 0; known && i < sizeof defaults / sizeof defaults[0]; i++)
    is_default = is_default || thresholds_equal(now, defaults[i]);
  if (!is_default)
    thresholds.owner = THEIRS;
  PyErr_Clear();
}

/* Back to what the interpreter had; or, with the next safe point, stretched again, unless the
 * program set its own meanwhile. */
void tm__cpython_assist_set(bool on)
{
  long now[GENERATIONS];
  bool changes = assists != on && gc.get_threshold && thresholds.owner != THEIRS;
  assists = on;
  if (!changes || !thresholds_read(now))
    return;
  if (on && thresholds.owner == STRETCHED) {
    if (thresholds_equal(now, thresholds.ours))
      thresholds_write(thresholds.before);
    thresholds.owner = UNTOUCHED;
  } else if (!on && thresholds.before[0] && !thresholds_equal(now, thresholds.before)) {
    thresholds.owner = THEIRS;
  }
  PyErr_Clear();
}

bool tm__cpython_assists(void)
{
  return assists;
}

void tm__cpython_hooks_drop(void)
{
  Py_DecRef(gc.collect);
  Py_DecRef(gc.isenabled);
  Py_DecRef(gc.get_threshold);
  Py_DecRef(gc.set_threshold);
  gc.collect = gc.isenabled = gc.get_threshold = gc.set_threshold = NULL;
  thresholds.owner = UNTOUCHED;
}
