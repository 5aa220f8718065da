"""The words every part of flamespan uses: samples, stacks, frames, spans, recordings.

Everything here is plain data of the standard library. Columns are ``array.array``; a row is an
index. Ids of functions, frames and stacks count up from 1 within one sample file and never
change their meaning there, so a batch of samples only ever adds definitions. Row 0 is always
there: function 0 and frame 0 stand for a definition that was lost, stack 0 has no frame.

Times on the sampler's path are *ticks* (``Header.tick_ns`` nanoseconds each, 1000 by default):
clocks are floored to whole ticks when they are read, and differences are taken between floored
values, so nothing drifts however long the recording is. Span times are nanoseconds.
"""

from __future__ import annotations

from array import array
from dataclasses import asdict, dataclass, field, fields
from enum import IntEnum, IntFlag
from typing import Any, NamedTuple, TypeVar

EMPTY_STACK = 0
"""Stack id of the stack that has no frame."""

NO_SPAN = 0
"""Span id of a sample that was taken outside every transaction; real spans count up from 1."""


class State(IntEnum):
    """What a thread was doing when it was seen (DESIGN section 3)."""

    UNKNOWN = 0
    RUNNING = 1
    GIL_WAIT = 2
    IDLE = 3
    GC = 4
    AWAITING = 5
    """A suspended task of an open transaction: the stack is its chain of coroutines."""
    LOOP_WAIT = 6
    """Such a task that could go on, and waits for its event loop to come round to it."""


class Flag(IntFlag):
    """What is remarkable about how a sample was taken."""

    LATE = 1
    TORN = 2
    TRUNCATED = 4
    SKEWED = 8
    """Which span was active could not be told for certain: the sample has none."""
    HOLDS_GIL = 16
    """The thread held the GIL when it was seen (the Python engine cannot tell)."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function's identity: the line that runs is not part of it."""

    name: str
    file: str
    first_line: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A function and the line that was running in it; ``function`` is a function id."""

    function: int
    line: int


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread of the recorded process.

    ``index`` is what samples refer to; a later row of the same index replaces the earlier one
    (a thread may be renamed). ``ident`` is Python's, ``native_id`` the system's (0: unknown).
    """

    index: int
    ident: int
    native_id: int
    name: str
    is_main: bool = False


LOST = Function("<lost>", "", 0)
"""Function 0: stands for a definition that was in a damaged part of the file."""


class StackTable:
    """Stacks as a prefix tree: a stack is a node ``(parent stack, frame)``, parents first.

    Node 0 is the empty stack. ``parent[i] < i`` for every other node, so one pass in id order
    (or back) visits parents before (after) their children.
    """

    __slots__ = ("frame", "parent")

    def __init__(self) -> None:
        self.parent = array("I", [0])
        self.frame = array("I", [0])

    def __len__(self) -> int:
        return len(self.parent)

    def frames(self, stack: int) -> list[int]:
        """Frame ids of ``stack``, root first."""
        found = []
        while stack:
            found.append(self.frame[stack])
            stack = self.parent[stack]
        found.reverse()
        return found


def _uints() -> array[int]:
    return array("I")


def _longs() -> array[int]:
    return array("q")


@dataclass(slots=True)
class Definitions:
    """What ids newly mean: rows whose ids count up from ``first_*`` (at least 1).

    ``stack_parent`` and ``stack_frame`` are new nodes of the StackTable. ``threads`` carry
    their own index.
    """

    first_function: int = 1
    functions: list[Function] = field(default_factory=list)
    first_frame: int = 1
    frame_function: array[int] = field(default_factory=_uints)
    frame_line: array[int] = field(default_factory=_uints)
    first_stack: int = 1
    stack_parent: array[int] = field(default_factory=_uints)
    stack_frame: array[int] = field(default_factory=_uints)
    threads: list[Thread] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.functions or self.frame_function or self.stack_parent or self.threads)


MAX_THREADS = 1 << 20
"""Thread indexes of a readable file lie below."""

MAX_HOLE = 1 << 20
"""The most rows that may be missing before a definition; more is damage, not loss."""


class Tables:
    """All definitions of one sample file, by id."""

    __slots__ = ("frame_function", "frame_line", "functions", "stacks", "threads")

    def __init__(self) -> None:
        self.functions: list[Function] = [LOST]
        self.frame_function = array("I", [0])
        self.frame_line = array("I", [0])
        self.stacks = StackTable()
        self.threads: dict[int, Thread] = {}

    def add(self, more: Definitions) -> None:
        """Take in ``more``; ids that were skipped (a lost block) become ``<lost>``.

        Raises ValueError where ids jump further than any loss explains.
        """
        stacks = self.stacks
        known = _skip(len(self.functions), more.first_function)
        self.functions += [LOST] * -known
        self.functions += more.functions[max(known, 0) :]
        known = _skip(len(self.frame_function), more.first_frame)
        _extend(self.frame_function, known, more.frame_function)
        _extend(self.frame_line, known, more.frame_line)
        known = _skip(len(stacks), more.first_stack)
        _extend(stacks.parent, known, more.stack_parent)
        _extend(stacks.frame, known, more.stack_frame)
        self.threads.update((thread.index, thread) for thread in more.threads)


def _skip(have: int, first: int) -> int:
    """How many of the rows from ``first`` on are there already (negative: a hole before them)."""
    if first - have > MAX_HOLE:
        raise ValueError(f"{first - have} definitions are missing")
    return have - first


def _extend(column: array[int], known: int, more: array[int]) -> None:
    if known < 0:
        column.frombytes(bytes(-known * column.itemsize))
    column.extend(more[max(known, 0) :])


@dataclass(slots=True)
class Samples:
    """A run of sampler passes and the samples taken in them, as columns.

    Pass ``i`` happened ``pass_ticks[i]`` after the pass before it, the first one that long after
    ``start_ticks`` (monotonic clock). It took ``pass_samples[i]`` samples, which follow those
    of the pass before in the sample columns. A sample's wall time is

        pass_ticks[i] - pass_unobserved[i] + wall_extra[sample]

    that is: the measured time since the pass before, booked to the stack seen now, unless the
    engine knows better (a thread that had no sample in the pass before). ``pass_unobserved`` is
    time in which the process cannot have run (suspended machine) or the sampler slept since no
    transaction was open: the latter alone is ``pass_asleep`` (empty: none). ``pass_missed`` counts
    the passes that should have happened in between.
    """

    tick_ns: int = 1000
    start_ticks: int = 0
    pass_ticks: array[int] = field(default_factory=_longs)
    pass_samples: array[int] = field(default_factory=_uints)
    pass_unobserved: array[int] = field(default_factory=_longs)
    pass_missed: array[int] = field(default_factory=_uints)
    thread: array[int] = field(default_factory=_uints)
    stack: array[int] = field(default_factory=_uints)
    span: array[int] = field(default_factory=_longs)
    wall_extra: array[int] = field(default_factory=_longs)
    cpu_ticks: array[int] = field(default_factory=_longs)
    state: array[int] = field(default_factory=lambda: array("B"))
    flags: array[int] = field(default_factory=lambda: array("B"))
    pass_asleep: array[int] = field(default_factory=_longs)

    def __len__(self) -> int:
        return len(self.stack)


@dataclass(slots=True)
class Batch:
    """What an engine hands over in one drain: definitions first, then the samples using them."""

    definitions: Definitions
    samples: Samples


class SpanStart(NamedTuple):
    """A transaction (``parent`` is NO_SPAN) or span that was opened.

    ``thread_ident`` is Python's identifier of the thread that opened it. A transaction has a
    ``name`` and an ``op``; a span an ``op`` and a ``description`` (its ``name`` is empty).
    """

    id: int
    parent: int
    thread_ident: int
    name: str
    op: str
    description: str
    start_ns: int


class SpanEnd(NamedTuple):
    """A span that was closed; ``status`` is ``ok``, ``error`` or what the caller set."""

    id: int
    end_ns: int
    status: str


class SpanTag(NamedTuple):
    """A label on a span; a later value of the same key replaces the earlier one."""

    id: int
    key: str
    value: str


class SpanMeasurement(NamedTuple):
    """A number measured in a span, with its unit ("byte", "millisecond", "" for a plain count)."""

    id: int
    name: str
    value: float
    unit: str


@dataclass(slots=True)
class SpanEvents:
    """What happened to spans since the last flush, in order within each list."""

    started: list[SpanStart] = field(default_factory=list)
    ended: list[SpanEnd] = field(default_factory=list)
    tags: list[SpanTag] = field(default_factory=list)
    measurements: list[SpanMeasurement] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.started or self.ended or self.tags or self.measurements)

    def add(self, more: SpanEvents) -> None:
        """Append what happened later."""
        self.started += more.started
        self.ended += more.ended
        self.tags += more.tags
        self.measurements += more.measurements


@dataclass(slots=True)
class Stats:
    """Counters of one recording since its start."""

    passes: int = 0
    late: int = 0
    missed: int = 0
    torn: int = 0
    dropped_samples: int = 0
    dropped_spans: int = 0
    skewed: int = 0
    retries: int = 0
    stretched_passes: int = 0
    interval_ns: int = 0
    sampler_cpu_ns: int = 0
    recorder_cpu_ns: int = 0
    process_cpu_ns: int = 0
    failed_flushes: int = 0
    asleep_ns: int = 0
    most_open_spans: int = 0
    unchosen_transactions: int = 0
    unfollowed_transactions: int = 0
    choice_errors: int = 0
    scrub_errors: int = 0

    def to_json(self) -> dict[str, Any]:
        """The counters as a JSON object; ``from_json`` gives them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Stats:
        """Counters from a JSON object; keys that this version does not know are left out."""
        return _from_json(cls, value)


_Json = TypeVar("_Json", "Header", "Stats")


def _from_json(kind: type[_Json], value: dict[str, Any]) -> _Json:
    """Keep the known keys whose values have the default's type; hostile ones are left out."""
    blank = kind()
    known = {
        f.name: value[f.name]
        for f in fields(kind)
        if f.name in value and type(value[f.name]) is type(getattr(blank, f.name))
    }
    return kind(**known)


@dataclass(slots=True)
class Header:
    """What a sample file says of itself (its META block); see FORMAT.md for each key.

    ``paths`` holds what decides whether a frame is application, library or standard library:
    ``stdlib``, ``platstdlib``, ``purelib``, ``platlib`` and ``scripts`` (folders or ""),
    ``site_packages`` and ``sys_path`` (lists), ``prefix``, ``base_prefix``, ``cwd``, ``main``,
    ``flamespan`` (our own folder, so that our frames are never taken for the application's).
    ``mode`` is "continuous" or "transactions" (the sampler sleeps while none is open).
    ``transaction_sample_rate`` is the share of transactions that were recorded, where
    ``transaction_sampler`` does not name the function that chose them.
    ``engine`` holds ``name``, ``reason`` (why not a better one), ``span_rule``, ``state_rule``.
    """

    session_id: str = ""
    part: int = 0
    pid: int = 0
    parent_pid: int = 0
    host: str = ""
    service: str = ""
    environment: str = ""
    release: str = ""
    program: str = ""
    start_wall_ns: int = 0
    start_monotonic_ns: int = 0
    interval_ns: int = 0
    tick_ns: int = 1000
    max_depth: int = 0
    mode: str = "continuous"
    transaction_sample_rate: float = 1.0
    transaction_sampler: str = ""
    flamespan: str = ""
    engine: dict[str, Any] = field(default_factory=dict)
    python: dict[str, Any] = field(default_factory=dict)
    os: dict[str, Any] = field(default_factory=dict)
    device: dict[str, Any] = field(default_factory=dict)
    paths: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The header as a JSON object; ``from_json`` gives it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Header:
        """A header from a JSON object; keys that this version does not know are left out."""
        return _from_json(cls, value)


@dataclass(slots=True)
class Loss:
    """What a reader could not give back, and why.

    ``blocks`` is the number of whole blocks known to be missing (from their sequence numbers),
    ``skipped_bytes`` what lay between readable blocks, ``tail_bytes`` what followed the last
    readable block (a write cut short, or one still going on). ``reasons`` are for people.
    """

    blocks: int = 0
    skipped_bytes: int = 0
    tail_bytes: int = 0
    reasons: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.blocks or self.skipped_bytes or self.tail_bytes)


@dataclass(frozen=True, slots=True)
class End:
    """A clean close: why ("stop", "exit", "rotate") and when (monotonic clock)."""

    reason: str
    time_ns: int


Block = Header | Definitions | Samples | SpanEvents | Stats | End
"""What a sample file consists of, in file order."""


@dataclass(slots=True)
class Recording:
    """A whole sample file in memory."""

    header: Header
    tables: Tables = field(default_factory=Tables)
    samples: list[Samples] = field(default_factory=list)
    spans: SpanEvents = field(default_factory=SpanEvents)
    stats: Stats = field(default_factory=Stats)
    end: End | None = None
    loss: Loss = field(default_factory=Loss)
