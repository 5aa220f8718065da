"""What is inside the blocks of a sample file: model objects to columns and back.

Column numbers are part of the format: FORMAT.md lists them, and they are never used again for
something else.
"""

from __future__ import annotations

import itertools
import operator
from array import array
from collections.abc import Callable, Iterator
from typing import Any

from flamespan.profiler import columns
from flamespan.profiler.columns import Column
from flamespan.profiler.model import (
    LOST,
    MAX_THREADS,
    Definitions,
    Function,
    Samples,
    SpanEnd,
    SpanEvents,
    SpanMeasurement,
    SpanStart,
    SpanTag,
    Thread,
)
from flamespan.profiler.spancolumns import SpanColumns

_SAMPLE_COLUMNS = {
    2: "pass_ticks",
    3: "pass_samples",
    4: "pass_unobserved",
    5: "pass_missed",
    16: "thread",
    17: "stack",
    18: "span",
    19: "wall_extra",
    20: "cpu_ticks",
    21: "state",
    22: "flags",
}
_PASS_COLUMNS = range(2, 6)
_Pack = Callable[[int, Any], bytes]
_ASLEEP = 6  # left out where the sampler never slept


class StringIds:
    """The file's string table while it is written: text → id."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._new: list[str] = []

    def id(self, text: str) -> int:
        """The text's id; a text seen for the first time goes into the next ``pack_new``."""
        known = self._ids.get(text)
        if known is None:
            known = self._ids[text] = len(self._ids)
            self._new.append(text)
        return known

    def pack(self, column: int, texts: list[str]) -> bytes:
        """A column of the ids of many texts, which are mostly known."""
        packed = columns.pack_ids(column, self._ids, texts)
        if packed is None:
            # A few of many are new.
            numbers = {text: self.id(text) for text in dict.fromkeys(texts)}
            packed = columns.pack_ids(column, self._ids, texts)
        if packed is None:
            packed = columns.pack_unsigned(column, [numbers[text] for text in texts])
        return packed

    def pack_new(self) -> bytes:
        """Columns of the strings that were not packed yet (b"" if there are none)."""
        if not self._new:
            return b""
        first = len(self._ids) - len(self._new)
        packed = columns.pack_unsigned(1, [first]) + columns.pack_strings(2, self._new)
        self._new = []
        return packed


def pack_definitions(d: Definitions, strings: StringIds) -> bytes:
    """Functions, frames, stacks and threads as columns (strings apart: ``StringIds``)."""
    pack = columns.pack_unsigned
    text = strings.id
    parts = [pack(8, [d.first_function, d.first_frame, d.first_stack])]
    if d.functions:
        parts += [
            pack(9, [text(f.name) for f in d.functions]),
            pack(10, [text(f.file) for f in d.functions]),
            pack(11, [f.first_line for f in d.functions]),
        ]
    if d.frame_function:
        parts += [columns.pack_deltas(12, d.frame_function), pack(13, d.frame_line)]
    if d.stack_parent:
        parts += [columns.pack_deltas(14, d.stack_parent), pack(15, d.stack_frame)]
    if d.threads:
        parts += [
            pack(16, [t.index for t in d.threads]),
            pack(17, [t.ident for t in d.threads]),
            pack(18, [t.native_id for t in d.threads]),
            pack(19, [text(t.name) for t in d.threads]),
            pack(20, [t.is_main for t in d.threads]),
        ]
    return b"".join(parts)


def pack_samples(s: Samples) -> bytes:
    """Passes and samples as columns."""
    parts = [columns.pack_unsigned(1, [s.tick_ns, s.start_ticks])]
    for column, name in _SAMPLE_COLUMNS.items():
        pack = columns.pack_signed if name == "wall_extra" else columns.pack_unsigned
        parts.append(pack(column, getattr(s, name)))
    if any(s.pass_asleep):
        parts.append(columns.pack_unsigned(_ASLEEP, s.pass_asleep))
    return b"".join(parts)


def pack_spans(e: SpanColumns, strings: StringIds) -> bytes:
    """Span events as columns; tables without rows are left out."""
    deltas: _Pack = columns.pack_deltas
    plain: _Pack = columns.pack_unsigned
    texts: _Pack = strings.pack
    started = (deltas, deltas, plain, texts, texts, texts, deltas)
    parts: list[bytes] = []
    for first, packers, table in (
        (1, started, e.started),
        (16, (deltas, deltas, texts), e.ended),
        (24, (deltas, texts, texts), e.tags),
        (32, (deltas, texts, columns.pack_floats, texts), e.measurements),
    ):
        if len(table[0]):
            parts += [pack(first + i, table[i]) for i, pack in enumerate(packers)]
    return b"".join(parts)


class _Texts:
    """Looks up strings; one that was in a lost block reads ``<lost>``."""

    def __init__(self, strings: dict[int, str]) -> None:
        self._strings = strings

    def __call__(self, index: int) -> str:
        return self._strings.get(index, LOST.name)


def unpack_definitions(c: dict[int, Column], strings: dict[int, str]) -> Definitions:
    """A DEFS block; its strings are added to ``strings``, where lost ones are missing."""
    text = _Texts(strings)
    if 2 in c:
        first = _ints(c, 1)[0]
        strings.update(enumerate(_texts(c, 2), first))
    d = Definitions()
    if 8 in c:
        d.first_function, d.first_frame, d.first_stack = _ints(c, 8)
        d.functions = [
            Function(text(name), text(file), line) for name, file, line in _rows(c, 9, 10, 11)
        ]
        d.frame_function, d.frame_line = _ids(c, 12), _ids(c, 13)
        d.stack_parent, d.stack_frame = _ids(c, 14), _ids(c, 15)
        _check_definitions(d)
    if 16 in c:
        d.threads = [
            Thread(index, ident, native, text(name), bool(main))
            for index, ident, native, name, main in _rows(c, 16, 17, 18, 19, 20)
        ]
        if any(thread.index >= MAX_THREADS for thread in d.threads):
            raise ValueError("a thread's index is beyond any bound")
    return d


def unpack_spans(c: dict[int, Column], strings: dict[int, str]) -> SpanEvents:
    """A SPANS block."""
    text = _Texts(strings)
    return SpanEvents(
        started=[
            SpanStart(i, parent, thread, text(name), text(op), text(description), start)
            for i, parent, thread, name, op, description, start in _rows(c, *range(1, 8))
        ],
        ended=[SpanEnd(i, end, text(status)) for i, end, status in _rows(c, 16, 17, 18)],
        tags=[SpanTag(i, text(key), text(value)) for i, key, value in _rows(c, 24, 25, 26)],
        measurements=[
            SpanMeasurement(i, text(name), float(value), text(unit))
            for i, name, value, unit in _rows(c, 32, 33, 34, 35)
        ],
    )


def unpack_samples(c: dict[int, Column]) -> Samples:
    """A SAMPLES block; ValueError where its columns do not fit together."""
    tick_ns, start_ticks = _ints(c, 1)
    s = Samples(tick_ns=tick_ns, start_ticks=start_ticks)
    passes = len(_ints(c, 2))
    samples = len(_ints(c, 17))
    for column, name in _SAMPLE_COLUMNS.items():
        values = _ints(c, column)
        if len(values) != (passes if column in _PASS_COLUMNS else samples):
            raise ValueError(f"column {name} has {len(values)} rows")
        setattr(s, name, values)
    if _ASLEEP in c:
        s.pass_asleep = array("q", _ints(c, _ASLEEP))
        if len(s.pass_asleep) != passes:
            raise ValueError(f"column pass_asleep has {len(s.pass_asleep)} rows")
    if sum(s.pass_samples) != samples:
        raise ValueError("passes and samples do not add up")
    if not 0 < tick_ns <= 1_000_000_000:
        raise ValueError(f"a tick of {tick_ns} ns")
    return s


def _ints(c: dict[int, Column], column: int) -> array[int]:
    values = c[column]
    if isinstance(values, list):
        raise ValueError(f"column {column} holds text, not numbers")
    return values


def _ids(c: dict[int, Column], column: int) -> array[int]:
    """A column as array("I"), the type of every id in memory; empty where it was left out."""
    return array("I", _ints(c, column)) if column in c else array("I")


def _texts(c: dict[int, Column], column: int) -> list[str]:
    values = c[column]
    if not isinstance(values, list):
        raise ValueError(f"column {column} holds numbers, not text")
    return values


def _rows(c: dict[int, Column], *wanted: int) -> Iterator[tuple[Any, ...]]:
    """Rows of a table of columns; none where the table was left out."""
    if wanted[0] not in c:
        return iter(())
    return zip(*(_ints(c, column) for column in wanted), strict=True)


def _check_definitions(d: Definitions) -> None:
    """Hold the invariants that readers build on: known ids only, parents first."""
    if len(d.frame_function) != len(d.frame_line) or len(d.stack_parent) != len(d.stack_frame):
        raise ValueError("tables with columns of different length")
    if min(d.first_function, d.first_frame, d.first_stack) < 1:
        raise ValueError("row 0 of a table cannot be defined")
    if max(d.first_function, d.first_frame, d.first_stack) >= 1 << 31:
        raise ValueError("ids beyond any bound")
    functions = d.first_function + len(d.functions)
    frames = d.first_frame + len(d.frame_function)
    if max(d.frame_function, default=-1) >= functions or max(d.stack_frame, default=-1) >= frames:
        raise ValueError("ids of what was never defined")
    if any(map(operator.ge, d.stack_parent, itertools.count(d.first_stack))):
        raise ValueError("a stack before its parent")
