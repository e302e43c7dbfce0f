"""A heap that knows its footprint to the byte, under this interpreter.

Importing this package changes nothing. Two ways put the heap under Python:

    tidemark run -- python3 app.py         from the start, malloc included; or
    tidemark.install()                     from here on, in a program that runs

After that Python collects when the bytes call for it, and these functions say where to stay
(limit, budget, policy), what is going on (stats, footprint, log, on_event, monitor), and what the
heap cannot see (inform). docs/python.md is the guide, docs/cpython.md tells how it works.

Types are in the stub beside this file: importing `typing` would cost more than the rest.
"""
from . import _tidemark

__all__ = [
    "budget", "footprint", "inform", "install", "installed", "limit", "log", "monitor",
    "monitor_stop", "on_event", "policy", "poll", "record", "reset_peak", "stats", "take_numpy",
    "trim",
]
__version__ = _tidemark.version


def _loads(text):
    import json  # not before it is needed: a service has it, a script may not
    return json.loads(text)


def _bytes(size):
    """A number of bytes, or a text such as "512M" or "75%"."""
    if isinstance(size, str):
        return _tidemark.size(size)
    if isinstance(size, bool) or not hasattr(size, "__index__"):
        raise TypeError(f"a size is an int or a text such as '512M', not {type(size).__name__}")
    return size.__index__()


def _need_install():
    if not _tidemark.installed():
        raise RuntimeError("the heap is not under this interpreter: call tidemark.install() first, "
                           "or start the program with `tidemark run`")


# ---- The take-over --------------------------------------------------------------------------

def install():
    """Put the heap under this interpreter, from now on and for good.

    What was allocated before is recognised by its address and goes back to where it came from.
    Does nothing where that is done already, as under `tidemark run`. Raises RuntimeError, with the
    reason, and changes nothing, where it would not be safe: while tracemalloc traces, with debug
    hooks (PYTHONMALLOC=debug, -X dev) and in a sub-interpreter.
    """
    _tidemark.install()


def installed():
    """Return whether Python's blocks come from the heap now."""
    return _tidemark.installed()


# ---- Where to stay --------------------------------------------------------------------------

def limit(*, soft=None, hard=None):
    """Set limits of the footprint and return those in force, as (soft, hard) in bytes.

    A size is a number of bytes or a text such as "512M", "1.5G" or "75%" (of the machine's memory
    or the control group's, whatever is less). None leaves a limit as it is, 0 removes it. Above
    the soft limit the heap acts; no request is granted above the hard one: MemoryError. What is due
    by the new limits is done before this returns.
    """
    if soft is not None or hard is not None:
        _need_install()
        before = _tidemark.limit_get()
        soft = None if soft is None else _bytes(soft)
        hard = None if hard is None else _bytes(hard)
        try:
            if hard is not None:
                _tidemark.limit_set(True, hard)
            if soft is not None:
                _tidemark.limit_set(False, soft)
        except ValueError:
            _tidemark.limit_set(True, before[1])
            _tidemark.limit_set(False, before[0])
            raise ValueError("a limit is not below 0, and soft is not above hard: "
                             f"soft={soft}, hard={hard}, before {before}") from None
        _tidemark.poll()
    return _tidemark.limit_get()


class budget:
    """Keep to a soft limit inside a with statement:

        with tidemark.budget("256M"):
            rebuild_index()

    size is a limit of the whole footprint, as in limit(); extra is one above the footprint at the
    start of the block. A tighter limit that is in force stays. It is the process's limit: other
    threads share it meanwhile. What was in force before comes back at the end, unless somebody set
    another limit inside.
    """

    def __init__(self, size=None, *, extra=None):
        if (size is None) == (extra is None):
            raise TypeError("budget() takes a size or extra=, and not both")
        self._size = None if size is None else _bytes(size)
        self._extra = None if extra is None else _bytes(extra)
        self._outer = []

    def __enter__(self):
        _need_install()
        wanted = self._size if self._extra is None else footprint() + self._extra
        if wanted <= 0:
            raise ValueError("a budget is above 0")
        soft, hard = limit()
        for other in (soft, hard):
            if other:
                wanted = min(wanted, other)
        self._outer.append((soft, wanted))
        limit(soft=wanted)
        return self

    def __exit__(self, kind, value, traceback):
        before, mine = self._outer.pop()
        soft, hard = limit()
        if soft == mine:
            limit(soft=min(before, hard) if hard else before)
        return False


def policy(text=None, *, mode=None):
    """Set when the heap acts without a limit, and return what is in force, as (text, mode).

    text is what `tidemark run --policy` takes: "growth=100", "fixed=256M", "debt=16M", "sqrt=5",
    "shared" or "off". mode "bytes" lets the heap decide when to collect and stretches Python's
    count of containers into a safety net; "assist" leaves that count as it is and collects on bytes
    besides. None leaves either as it is.
    """
    if mode not in (None, "bytes", "assist"):
        raise ValueError(f"a mode is 'bytes' or 'assist', not {mode!r}")
    if text is not None or mode is not None:
        _need_install()
        if text is not None:
            _tidemark.policy_set(text)
        if mode is not None:
            _tidemark.assist_set(mode == "assist")
        _tidemark.poll()
    return _tidemark.policy_get(), "assist" if _tidemark.assist_get() else "bytes"


def poll():
    """Do what is due, here and now. Between two bytecodes that happens by itself."""
    _tidemark.poll()


def trim():
    """Give free memory back to the system and return how many bytes it really got."""
    return _tidemark.trim()


# ---- What is going on -----------------------------------------------------------------------

def footprint():
    """Return the bytes of all blocks in use, plus what inform() told of."""
    return _tidemark.footprint()


def stats():
    """Return the books as a dict: one key for each counter, and pools, tags and actions.

    The names and their meaning are those of tidemark/fields.def, /stats.json and the report.
    """
    return _loads(_tidemark.stats_json())


def reset_peak():
    """Start footprint_peak_bytes again at the present footprint."""
    _tidemark.peak_reset()


def inform(tag, delta):
    """Tell of memory that the heap cannot see, such as a GPU's or an mmap: delta bytes more.

    They are part of the footprint under tag and weigh like bytes of Python's own; a negative delta
    takes them off again.
    """
    _tidemark.inform(tag, delta)


def take_numpy(on=True):
    """Let the data of numpy's new arrays come from the heap; False undoes it.

    For a program that was taken over by install(): under `tidemark run` numpy's malloc is in the
    books anyway. It holds in the current context, as numpy has it: a new thread calls it too. Each
    array is freed by what made it, whatever is set by then. Needs numpy 1.22.
    """
    _need_install()
    try:
        from numpy._core._multiarray_umath import _ARRAY_API
    except ImportError:
        from numpy.core._multiarray_umath import _ARRAY_API  # before numpy 2
    _tidemark.numpy_take(_ARRAY_API, on)


def log():
    """Return the last decisions, up to 256, oldest first: what was done, or why it was not."""
    return [_loads(line) for line in _tidemark.log_json()]


def on_event(callable):
    """Call callable(event) with each record that the log gets from now on; None ends it.

    event is a dict as in log(). It is called at safe points, between two bytecodes and never inside
    an allocation, in the order of the log and one at a time: mostly in the main thread, but in the
    heap's own thread while the main thread waits. What it raises goes to sys.unraisablehook. There
    is one; a second call takes its place. A forked child keeps it.
    """
    if callable is not None and not hasattr(callable, "__call__"):
        raise TypeError("on_event() takes a callable or None")
    if callable is not None:
        _need_install()
        import json
        _tidemark.on_event(callable, json.loads)
    else:
        _tidemark.on_event(None, None)


def record(path):
    """Write what the heap sees and does into a file, for `tidemark replay`; None ends it."""
    if path is None:
        _tidemark.record_stop()
    else:
        _need_install()
        _tidemark.record_start(path)


# ---- Watching from outside ------------------------------------------------------------------

def monitor(*, port=0):
    """Serve /, /metrics, /stats.json and /log.json on 127.0.0.1 and return the URL.

    A thread without Python does that, until monitor_stop() or the end. Port 0 lets the system
    choose. Where it runs already its URL is returned, unless another port is asked for: OSError. A
    forked child has none and may start its own.
    """
    running = _tidemark.monitor_port()
    if not running or port not in (0, running):
        running = _tidemark.monitor_start(port)
    return f"http://127.0.0.1:{running}/"


def monitor_stop():
    """End what monitor() began."""
    _tidemark.monitor_stop()
