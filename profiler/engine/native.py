"""The engine in C: a sampler thread that never takes the GIL. ``native/`` holds the C code.

What is left to Python is what needs the GIL anyway: the names of threads, and turning columns
of bytes into arrays once a second.
"""

from __future__ import annotations

import contextlib
import math
import os
import struct
import threading
import time
from array import array
from collections.abc import Callable
from typing import Any

from flamespan.profiler import active, launch, systhreads
from flamespan.profiler.engine import CONTEXT_RULE, Helper, _native, awaits
from flamespan.profiler.engine.ccalls import CallNames
from flamespan.profiler.engine.threads import native_id
from flamespan.profiler.model import Batch, Definitions, Function, Samples, Stats, Thread
from flamespan.profiler.spanlog import SpanLog

TICK_NS = 1000
MAX_SAMPLES = 200_000
"""Samples between two drains; more are dropped and counted."""

MAX_PASSES = 50_000
MAX_STACKS = 200_000
"""Stacks in one file; the recorder is then asked for a new one."""

NAMES_EVERY_S = 0.02
"""New threads are given their names at most this often: it takes the GIL."""

NAMELESS = "thread "
NAMING_TRIES = 25

STARTERS = tuple(
    os.path.join(os.path.dirname(launch.OURS), name)
    for name in ("launch.py", "cli.py", "__main__.py")
)
"""Files of ``flamespan run``: their frames at the root of a stack are not the program's."""

_WORD = struct.Struct("=I")
_LINE = struct.Struct("=i")


class NativeEngine:
    """The engine contract on the C core. See ``engine.Engine``.

    Raises RuntimeError with the reason where the C core cannot work.
    """

    name = "native"
    span_rule = CONTEXT_RULE
    state_rule = "gil+kernel"
    tick_ns = TICK_NS
    min_interval_ns = 100_000

    def __init__(
        self,
        max_depth: tuple[int, int],
        budget: float = 0.0,
        max_samples: int = MAX_SAMPLES,
        max_stacks: int = MAX_STACKS,
        *,
        may_drop_files: bool = True,
        c_calls: bool = False,
    ) -> None:
        self._core = _native.Sampler(
            max_depth[0],
            max_depth[1],
            max_samples,
            MAX_PASSES,
            budget,
            "\n".join(STARTERS),
            "\n".join(launch.MACHINERY),
            active.ACTIVE,
            may_drop_files,
        )
        self._calls = CallNames(self._core.note_c_call) if c_calls else None
        self._max_stacks = max_stacks
        self._rows: dict[int, Thread] = {}
        self._new_rows: list[Thread] = []
        self._unnamed: dict[int, int] = {}
        self._lock = systhreads.allocate_lock()  # rows and new rows
        self._life = systhreads.allocate_lock()  # start and stop
        self._naming: Helper | None = None
        self._cpu_at_start_ns = 0
        self._await_types: awaits.AwaitTypes | None = None

    @property
    def wants_restart(self) -> bool:
        """More stacks are numbered than one file should hold."""
        return self._core.stats()["stacks"] > self._max_stacks

    def call_regularly(
        self, function: Callable[[], float | None], first_s: float, name: str
    ) -> Helper:
        """Call ``function`` in a thread that Python sees only while it does."""
        return _native.Helper(self._core, function, name, first_s)

    def sleep_between(self, log: SpanLog) -> None:
        """Sleep while no transaction of ``log`` is open."""
        self._core.sleep_between(log)

    def start(self, interval_ns: int) -> None:
        """Begin to sample every ``interval_ns``, a little more or less."""
        with self._life:
            if self._naming is None:
                self._start(interval_ns)

    def _start(self, interval_ns: int) -> None:
        if not self._cpu_at_start_ns:
            self._cpu_at_start_ns = time.process_time_ns()
        self._learn()
        _native.use_task_names(self._note_task)
        self._core.start(interval_ns)
        if self._calls is not None:
            self._calls.start()
        first_s = self._name_threads()  # of those that are there; the helper begins with later ones
        try:
            self._naming = _native.Helper(
                self._core,
                self._name_threads,
                "flamespan-names",
                math.nan if first_s is None else first_s,
                NAMES_EVERY_S,
            )
        except RuntimeError:
            self._stop()
            raise

    def stop(self) -> None:
        """End the sampler thread; returns when it is gone."""
        with self._life:
            naming, self._naming = self._naming, None
            if naming is not None:
                self._stop()
                naming.stop(5)

    def _stop(self) -> None:
        if self._calls is not None:
            self._calls.stop()
        self._core.stop()
        _native.use_task_names(awaits.name_task)  # spans may outlive this engine

    def drain(self, *, restart: bool = False) -> Batch:
        """Samples and definitions since the last drain; see ``engine.Engine``."""
        self._learn()
        # Asked before: a thread that ends right after the restart is in the next file's samples.
        alive = set(self._core.alive()) if restart else set()
        told, columns = self._core.drain(restart)
        with self._lock:
            self._name_new()
            rows, self._new_rows = self._renamed() + self._new_rows, []
            if restart:
                alive |= {row.index for row in rows}
                self._rows = {i: row for i, row in self._rows.items() if i in alive}
                self._new_rows = list(self._rows.values())
        return Batch(_definitions(told, rows), _samples(columns))

    def stats(self) -> Stats:
        """Counters since the first start."""
        known = self._core.stats()
        used_ns = time.process_time_ns() - self._cpu_at_start_ns if self._cpu_at_start_ns else 0
        return Stats(
            process_cpu_ns=used_ns,
            **{name: known[name] for name in known if name not in ("stacks", "memory")},
        )

    def _note_task(self, span: Any) -> None:
        """A transaction is entered in a task: the first one's waiting is to be followed, too."""
        awaits.name_task(span)
        if awaits.has_news():
            self._learn()

    def _learn(self) -> None:
        """Tell the core how tasks wait, once what makes them is loaded."""
        found = awaits.known()
        if found != self._await_types:
            self._await_types = found  # and what it names lives as long as the core looks for it
            _native.set_await_types(self._core, *found)

    def _name_threads(self) -> float | None:
        """Give new threads their names while they live; when to be called again, None: for new."""
        with self._lock:
            self._name_again()
            self._name_new()
        return NAMES_EVERY_S if self._unnamed else None

    def _name_new(self) -> None:
        for index, ident, number, interpreter in self._core.births():
            row = self._rows[index] = _row(index, ident, number, interpreter)
            self._new_rows.append(row)
            if row.name.startswith(NAMELESS) and not interpreter:
                self._unnamed[index] = 0

    def _name_again(self) -> None:
        """A thread may be seen before ``threading`` knows it: ask once more, a few times."""
        for index, times in list(self._unnamed.items()):
            old = self._rows.get(index)
            row = None if old is None else _row(index, old.ident, old.native_id, 0)
            if row is not None and not row.name.startswith(NAMELESS):
                self._rows[index] = row
                self._new_rows.append(row)
            elif times < NAMING_TRIES and row is not None:
                self._unnamed[index] = times + 1
                continue
            del self._unnamed[index]

    def _renamed(self) -> list[Thread]:
        """Rows of threads that have another name than they were told with."""
        found = []
        for index, row in self._rows.items():
            name = _name(row.ident, row.native_id)
            if name not in ("", row.name) and "(interpreter " not in row.name:
                found.append(Thread(index, row.ident, row.native_id, name, row.is_main))
        for row in found:
            self._rows[row.index] = row
        return found


def _row(index: int, ident: int, number: int, interpreter: int) -> Thread:
    is_main = systhreads.is_main(ident, number) and not interpreter
    unnamed = "MainThread" if is_main else f"{NAMELESS}{ident}"
    name = _name(ident, number) or unnamed
    if interpreter:
        name = f"{name} (interpreter {interpreter})"
    return Thread(index, ident, number, name, is_main)


def _name(ident: int, number: int) -> str:
    """The name of the thread that has this ident and the system's number; "" if there is none."""
    thread = threading._active.get(ident)  # type: ignore[attr-defined]
    with contextlib.suppress(Exception):  # a thread class may do anything with its attributes
        if thread is not None and native_id(thread) in (0, number):
            return str(thread.name)
    return ""


def _definitions(
    told: tuple[int, int, int, int, bytes, bytes, bytes, bytes, bytes], rows: list[Thread]
) -> Definitions:
    first_function, first_frame, first_stack, count, packed, *columns = told
    frame_function, frame_line, stack_parent, stack_frame = (_array("I", c) for c in columns)
    return Definitions(
        first_function,
        _functions(packed, count),
        first_frame,
        frame_function,
        frame_line,
        first_stack,
        stack_parent,
        stack_frame,
        rows,
    )


def _functions(packed: bytes, count: int) -> list[Function]:
    found, at = [], 0
    for _ in range(count):
        texts = []
        for _ in range(2):
            (length,) = _WORD.unpack_from(packed, at)
            at += _WORD.size
            texts.append(packed[at : at + length].decode("utf-8", "surrogatepass"))
            at += length
        (line,) = _LINE.unpack_from(packed, at)
        at += _LINE.size
        found.append(Function(texts[0], texts[1], max(0, line)))
    return found


def _samples(columns: tuple[int, *tuple[bytes, ...]]) -> Samples:
    start, *data = columns
    kinds = "qIqIIIqqqBBq"
    return Samples(TICK_NS, start, *map(_array, kinds, data))


def _array(kind: str, data: bytes) -> array[int]:
    made = array(kind)
    made.frombytes(data)
    return made
