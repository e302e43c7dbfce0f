import os
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Tuple, Type, TypedDict, Union

Size = Union[int, str]

class Pool(TypedDict):
    name: str
    family: str
    live_bytes: int
    live_blocks: int
    allocated_bytes_total: int
    freed_bytes_total: int
    allocs_total: int
    frees_total: int
    reallocs_total: int

class Tag(TypedDict):
    name: str
    informed_bytes: int
    informed_peak_bytes: int

class Action(TypedDict):
    runs_total: int
    results_total: Dict[str, int]
    reclaimed_bytes_total: int
    duration_ns_total: int
    duration_max_ns: int
    suppressed_total: Dict[str, int]
    duration_histogram: List[int]

class SizeRow(TypedDict):
    up_to_bytes: Optional[int]
    allocs_total: int
    allocated_bytes_total: int

class Stats(TypedDict, total=False):
    name: str
    live_bytes: int
    live_blocks: int
    informed_bytes: int
    footprint_bytes: int
    footprint_peak_bytes: int
    free_bytes: int
    waste_bytes: int
    dirty_bytes: int
    meta_bytes: int
    committed_bytes: int
    reserved_bytes: int
    allocated_bytes_total: int
    freed_bytes_total: int
    allocs_total: int
    frees_total: int
    reallocs_total: int
    failures_total: Dict[str, int]
    os_acquired_bytes_total: int
    os_released_bytes_total: int
    slack_bytes: int
    soft_limit_bytes: int
    hard_limit_bytes: int
    trip_bytes: int
    fragmentation_bytes: int
    family_mismatches_total: int
    threads: int
    pages: int
    environment_soft_bytes: int
    environment_hard_bytes: int
    crossings_total: int
    crossings_lost_total: int
    pending_since: int
    pools: List[Pool]
    sizes: List[SizeRow]
    tags: List[Tag]
    actions: Dict[str, Action]
    group: Dict[str, Any]

class Event(TypedDict):
    sequence: int
    lost: int
    time_ns: int
    heap: str
    verdict: str
    reasons: List[str]
    policy: Optional[str]
    kind: Optional[str]
    result: Optional[str]
    pressure: str
    environment: List[str]
    footprint_before_bytes: int
    footprint_after_bytes: int
    committed_before_bytes: int
    committed_after_bytes: int
    live_bytes: int
    allocated_bytes: int
    trip_before_bytes: Optional[int]
    trip_after_bytes: Optional[int]
    soft_limit_bytes: int
    hard_limit_bytes: int
    duration_ns: int
    bucket_fill_percent: int
    yield_bytes_per_ms: int
    returned_bytes: int

__all__: List[str]
__version__: str

def install() -> None: ...
def installed() -> bool: ...
def limit(*, soft: Optional[Size] = None, hard: Optional[Size] = None) -> Tuple[int, int]: ...

class budget:
    def __init__(self, size: Optional[Size] = None, *, extra: Optional[Size] = None) -> None: ...
    def __enter__(self) -> budget: ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> bool: ...

def policy(text: Optional[str] = None, *, mode: Optional[str] = None) -> Tuple[str, str]: ...
def poll() -> None: ...
def trim() -> int: ...
def footprint() -> int: ...
def stats() -> Stats: ...
def reset_peak() -> None: ...
def inform(tag: str, delta: int) -> None: ...
def take_numpy(on: bool = True) -> None: ...
def log() -> List[Event]: ...
def on_event(callable: Optional[Callable[[Event], object]]) -> None: ...
def record(path: Union[None, str, bytes, os.PathLike[str]]) -> None: ...
def monitor(*, port: int = 0) -> str: ...
def monitor_stop() -> None: ...
