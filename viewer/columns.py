"""Which columns of which table people see, under what heading, and what a narrow terminal drops."""

from __future__ import annotations

_COMMON = (
    *("self_ns", "self_share", "self_error", "total_ns", "total_share", "total_error"),
    *("wall_any_ns", "samples"),
)
_DURATIONS = ("count", "errors", "total_ns", "mean_ns", "p50_ns", "p95_ns", "max_ns")
STATES = (
    "running_ns",
    "gil_wait_ns",
    "idle_ns",
    "gc_ns",
    "awaiting_ns",
    "loop_wait_ns",
    "unknown_ns",
)
WAITING = (
    "recorded_ns",
    "on_cpu_ns",
    "other_ns",
    "gil_wait_ns",
    "blocked_ns",
    "awaiting_ns",
    "loop_wait_ns",
)
_HOLDER = ("holder", "holder_place", "wait_ns", "share")
_HOG = ("wait_ns", "share", "held_ns")

_AROUND = (
    *("total_ns", "total_share", "total_error", "self_ns", "samples"),
    *("origin", "function", "place"),
)

COLUMNS: dict[tuple[str, bool], tuple[str, ...]] = {
    ("function", False): (*_COMMON, "origin", "function", "place"),
    ("line", False): (*_COMMON, "origin", "function", "place"),
    ("module", False): (*_COMMON, "origin", "module"),
    ("file", False): (*_COMMON, "origin", "file"),
    ("path", False): (
        *("self_ns", "self_share", "self_error", "total_ns", "total_share", "total_error"),
        *("samples", "path"),
    ),
    ("callers", False): _AROUND,
    ("callees", False): _AROUND,
    ("per-transaction", False): (
        *("transactions", "transaction_share", "transaction_error", "mean_ns", "p50_ns"),
        *("p75_ns", "p95_ns", "p99_ns", "max_ns", "origin", "function", "place"),
    ),
    ("thread", False): ("thread", "pid", "samples", "wall_ns", "cpu_ns", *STATES),
    ("process", False): (
        *("pid", "service", "host", "threads", "samples", "wall_ns", "cpu_ns", *STATES),
        "program",
    ),
    ("transaction", False): ("transaction", "op", *_DURATIONS, "cpu_ns", "waiting_ns", "samples"),
    ("transaction", True): (
        *("id", "transaction", "status", "thread", "start_ns", "duration_ns"),
        *("cpu_ns", "waiting_ns", "samples", "spans"),
    ),
    ("span", False): ("exclusive_ns", *_DURATIONS, "samples", "op", "description"),
    ("span", True): (
        *("id", "transaction", "status", "start_ns", "duration_ns", "exclusive_ns", "samples"),
        *("op", "description"),
    ),
    ("gap", False): (
        *("duration_ns", "start_ns", "transaction", "samples", "function_ns", "function", "place"),
    ),
    ("waiting", False): ("transaction", "op", "count", *WAITING),
    ("waiting", True): ("id", "transaction", "start_ns", "duration_ns", *WAITING),
    ("waiting-span", False): ("count", *WAITING, "op", "description"),
    ("waiting-span", True): (
        *("id", "transaction", "start_ns", "duration_ns", *WAITING, "op", "description"),
    ),
    ("waiting-function", False): (*WAITING, "function", "place"),
    ("waiting-thread", False): ("thread", "pid", *WAITING),
    ("gil-holders", False): ("function", "place", *_HOLDER),
    ("gil-holders-transaction", False): ("transaction", "op", *_HOLDER),
    ("gil-holders-transaction", True): ("id", "transaction", *_HOLDER),
    ("gil-holders-span", False): ("op", "description", *_HOLDER),
    ("gil-holders-span", True): ("id", "transaction", "op", "description", *_HOLDER),
    ("gil-holders-thread", False): ("thread", "pid", *_HOLDER),
    ("gil-hogs", False): (*_HOG, "function", "place"),
    ("gil-hogs-thread", False): (*_HOG, "thread", "pid"),
    ("gil-hogs-transaction", False): (*_HOG, "transaction", "op"),
    ("op", False): ("share", "share_error", "exclusive_ns", "spans", "op"),
    ("measurement", False): (
        *("transaction", "op", "measurement", "unit", "count", "sum", "mean", "min", "p50"),
        *("p95", "max"),
    ),
    ("measurement", True): ("id", "transaction", "op", "start_ns", "measurement", "value", "unit"),
    ("sample", False): (
        *("time_ns", "thread", "state", "wall_ns", "cpu_ns", "transaction", "flags"),
        *("function", "place"),
    ),
}
"""Columns for people, by question and whether each instance is asked for; CSV has them all."""

TEXTS = (
    *("function", "place", "origin", "module", "op", "description", "transaction", "status"),
    *("holder", "holder_place"),
    *("file", "path", "service", "host", "program", "measurement", "unit", "state", "flags"),
)

DISPENSABLE = (
    *("total_error", "wall_any_ns", "origin", "samples", "errors", "total_share", "self_error"),
    *("p50_ns", "waiting_ns", "spans", "op", "flags", "p75_ns", "transaction_error"),
)
"""Columns that a narrow terminal goes without, the first ones first."""

LAST_TO_GO = ("cpu_ns", "max_ns", "mean_ns", "place", "status", "total_ns")
"""What a very narrow one goes without, too."""

NAMES_WIDTH = 28
LEAST_NAMES_WIDTH = 12

HEADERS = {
    "place": "where",
    "pid": "process",
    "id": "#",
    "start_ns": "at",
    "function_ns": "of it",
    "waiting_ns": "waiting",
    "gil_wait_ns": "waits for GIL",
    "loop_wait_ns": "waits for loop",
    "on_cpu_ns": "on CPU",
    "wait_ns": "waiting",
    "held_ns": "held GIL",
    "holder": "who held it",
    "holder_place": "where held",
    "wall_any_ns": "any thread",
    "time_ns": "at",
    "transaction_share": "of all",
}
