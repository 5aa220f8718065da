"""What a loaded recording consists of: shared tables, sample columns, spans, processes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from flamespan.aggregator.stacktree import Bools, Ids, Ints, StackTree, stable_order
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import End, Header, Loss, State, Stats

Bytes = npt.NDArray[np.uint8]
_SURROGATES = re.compile("[\ud800-\udfff]")


def no_outages() -> Ints:
    """See ``Process.outages``."""
    return np.zeros((0, 3), np.int64)


SYSTEM = "<system>"
"""Stands for a stack without any application frame in the application view."""

APPLICATION = "<application>"
"""Stands for a stack without any system frame in the system view."""

HIDDEN = "<hidden>"
"""Stands for a stack of which every frame is hidden."""


class Origin(IntEnum):
    """Whose code a function is."""

    APPLICATION = 0
    LIBRARY = 1
    STDLIB = 2
    RUNTIME = 3

    @property
    def label(self) -> str:
        """The word tables show: application, library, stdlib, runtime."""
        return self.name.lower()


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """Samples as columns of equal length, ordered by process and time.

    A row stands for the time ``(time_ns - wall_ns, time_ns]`` of one thread; ``time_ns`` is unix
    time. ``stack`` is a node of ``Tables.tree``, ``span`` a row of ``Tables.spans`` (-1: none),
    ``thread`` a row of ``Tables.threads``, ``state`` a ``model.State``, ``flags`` a ``model.Flag``.
    ``summed`` is None, or in a large recording how many samples each row is the sum of (see
    ``summing``): its time is then that of the last of them, ``waited`` the sum of their waits.
    """

    time_ns: Ints
    wall_ns: Ints
    cpu_ns: Ints
    stack: Ids
    span: Ids
    thread: Ids
    state: Bytes
    flags: Bytes
    summed: Ints | None = None
    waited: Ints | None = None

    def __len__(self) -> int:
        return len(self.stack)

    @property
    def suspended(self) -> Bools:
        """Rows of tasks that did not run: not what their loop's thread did, and they overlap."""
        return self.in_states(State.AWAITING, State.LOOP_WAIT)

    def in_states(self, *states: int) -> Bools:
        """Rows in one of these states."""
        wanted = np.zeros(256, bool)
        wanted[list(states)] = True
        return wanted[self.state]

    @property
    def samples(self) -> Ints:
        """How many samples each row stands for."""
        return np.ones(len(self), np.int64) if self.summed is None else self.summed

    @property
    def wait_ns(self) -> Ints:
        """Wall time without CPU time, of each sample apart."""
        if self.waited is not None:
            return self.waited
        wait: Ints = np.maximum(self.wall_ns - self.cpu_ns, 0)
        return wait

    def single(self) -> Rows:
        """These rows, each a sample. UsageError where they were summed as they were read."""
        if self.summed is not None:
            raise UsageError(
                f"this needs every sample with its time, but the recording is large "
                f"({int(self.summed.sum())} samples) and was summed by span, thread and stack as "
                "it was read: have them kept with --keep-samples (load(…, keep_samples=True))"
            )
        return self

    def by_thread(self) -> Ints:
        """The places of the rows by thread, then time."""
        if (self.time_ns[1:] < self.time_ns[:-1]).any():  # several processes
            return np.lexsort((self.time_ns, self.thread))
        return stable_order(self.thread)

    def pick(self, mask: Bools) -> Rows:
        """The rows where ``mask`` holds."""
        return self if mask.all() else self.take(np.flatnonzero(mask))

    def on(self, stack: Ids) -> Rows:
        """The same rows with other stacks."""
        return replace(self, stack=stack)

    def take(self, index: Ints) -> Rows:
        """The rows at these places, as often as they are named."""
        columns: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        taken: dict[str, Any] = {n: c if c is None else c.take(index) for n, c in columns.items()}
        return Rows(**taken)

    def since(self, start_ns: Ints | int) -> Rows:
        """The same rows, each charged only with what lies after ``start_ns`` (one or per row)."""
        return self.within(start_ns, None)

    def within(self, start_ns: Ints | int, end_ns: int | None) -> Rows:
        """The same rows, each charged only with its part of ``(start_ns, end_ns]``.

        CPU time is cut to what fits into the remaining wall time: it cannot be told where in
        the interval it was used.
        """
        begin = self.time_ns - self.wall_ns
        astride = begin < start_ns
        if end_ns is not None:
            astride |= self.time_ns > end_ns
        if self.summed is not None:  # only the first samples of a span may begin before it
            astride &= self.summed <= 1
        at = np.flatnonzero(astride)
        at = at[self.wall_ns[at] > 0]
        if not len(at):
            return self
        start = start_ns[at] if isinstance(start_ns, np.ndarray) else start_ns
        end = self.time_ns[at] if end_ns is None else np.minimum(self.time_ns[at], end_ns)
        wall = np.minimum(np.maximum(end - np.maximum(begin[at], start), 0), self.wall_ns[at])
        cpu = np.minimum(self.cpu_ns[at], wall)
        cut: dict[str, Any] = {"time_ns": end, "wall_ns": wall, "cpu_ns": cpu}
        if self.waited is not None:
            cut["waited"] = np.maximum(wall - cpu, 0)
        changed: dict[str, Any] = {n: _with(getattr(self, n), at, cut[n]) for n in cut}
        return replace(self, **changed)


def _with(column: Ints, at: Ints, values: Ints) -> Ints:
    changed = column.copy()
    changed[at] = values
    return changed


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """A thread of a process; ``process`` is an index into ``Tables.processes``."""

    name: str
    ident: int
    native_id: int
    is_main: bool
    process: int


@dataclass(frozen=True, eq=False, slots=True)
class Spans:
    """Transactions and spans as columns; a row's number is its identity everywhere else.

    ``parent`` is a row or -1 (a transaction), ``transaction`` the row of its root. ``id`` is
    the number the process gave it. Times are unix nanoseconds; a span that was never closed is
    ``open`` and ends when its process was last seen.
    """

    id: Ints
    parent: Ids
    transaction: Ids
    process: Ids
    thread: Ids
    start_ns: Ints
    end_ns: Ints
    open: Bools
    name: list[str]
    op: list[str]
    description: list[str]
    status: list[str]
    tags: list[dict[str, str]]
    measurements: list[dict[str, tuple[float, str]]]

    def __len__(self) -> int:
        return len(self.id)

    @property
    def duration_ns(self) -> Ints:
        """End minus start of each row."""
        return self.end_ns - self.start_ns

    @property
    def is_transaction(self) -> Bools:
        """Which rows have no parent."""
        return self.parent < 0


@dataclass(slots=True)
class Process:
    """One recorded process: its files, what it says of itself, how good the recording is.

    ``outages`` are the times that no pass can tell of, in order, as (begin, nanoseconds, of these
    the first in which the sampler slept since no transaction was open): else the process did not
    run.
    ``left_out`` names files beside its own that could not be read at all (of a folder that was
    loaded); ``notes`` is what else a reader should know.
    """

    paths: list[str] = field(default_factory=list)
    header: Header = field(default_factory=Header)
    stats: Stats = field(default_factory=Stats)
    end: End | None = None
    loss: Loss = field(default_factory=Loss)
    passes: int = 0
    late: int = 0
    missed: int = 0
    unobserved_ns: int = 0
    asleep_ns: int = 0
    outages: Ints = field(default_factory=no_outages)
    first_ns: int = 0
    last_ns: int = 0
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Tables:
    """What samples refer to. Shared by every view of a profile and never changed after load.

    ``tree`` holds the stacks as recorded; its keys are frames. The last two functions and frames
    are the stand-ins ``<system>`` and ``<application>`` that views need.
    ``function_beyond_self_ns`` is what a recording without stacks (cProfile's) adds to self times
    to give total times; None where every recording has stacks.
    """

    function_name: list[str]
    function_file: list[str]
    function_module: list[str]
    function_line: Ids
    function_origin: Bytes
    frame_function: Ids
    frame_line: Ids
    tree: StackTree
    threads: list[ThreadRow]
    processes: list[Process]
    spans: Spans
    function_beyond_self_ns: Ints | None = None

    @property
    def system_frame(self) -> int:
        """The frame of the function ``<system>``."""
        return len(self.frame_function) - 2

    @property
    def application_frame(self) -> int:
        """The frame of the function ``<application>``."""
        return len(self.frame_function) - 1

    def with_hidden(self) -> tuple[Tables, int]:
        """The same with the function ``<hidden>`` before the other stand-ins, and its frame."""
        at = len(self.function_name) - 3
        if at >= 0 and self.function_name[at] == HIDDEN and not self.function_file[at]:
            return self, len(self.frame_function) - 3

        def with_one(values: list[str], new: str) -> list[str]:
            return [*values[:-2], new, *values[-2:]]

        function = at + 1
        frames = np.r_[self.frame_function[:-2], function, self.frame_function[-2:] + 1]
        beyond = self.function_beyond_self_ns
        tables = replace(
            self,
            function_name=with_one(self.function_name, HIDDEN),
            function_file=with_one(self.function_file, ""),
            function_module=with_one(self.function_module, ""),
            function_line=np.insert(self.function_line, function, 0),
            function_origin=np.insert(self.function_origin, function, Origin.RUNTIME),
            function_beyond_self_ns=None if beyond is None else np.insert(beyond, function, 0),
            frame_function=frames.astype(self.frame_function.dtype),
            frame_line=np.insert(self.frame_line, len(self.frame_line) - 2, 0),
        )
        return tables, tables.system_frame - 1

    def label(self, function: int) -> str:
        """``name (file:first line)``; line and file are left out where they are not known."""
        name, file = self.function_name[function], self.function_file[function]
        line = self.function_line[function]
        place = f"{file}:{line}" if line else file
        return f"{name} ({place})" if file else name

    def labels(self) -> list[str]:
        """The label of every function."""
        return [self.label(function) for function in range(len(self.function_name))]


def encodable(text: str) -> str:
    """``text`` with lone surrogates (names may hold them) replaced by the mark for no character.

    pandas keeps text in pyarrow where that is installed, which takes Unicode only.
    """
    return text if text.isascii() else _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def no_spans() -> Spans:
    """An empty span table."""
    ids, ints = np.zeros(0, np.int32), np.zeros(0, np.int64)
    return Spans(ints, ids, ids, ids, ids, ints, ints, np.zeros(0, bool), [], [], [], [], [], [])
