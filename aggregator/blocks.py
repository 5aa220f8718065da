"""The samples of a file's blocks as numpy columns: decoded block by block, joined in runs.

``profiler.columns`` reads the same bytes with the standard library alone; here a block's columns
are views of its bytes where they can be, since a long recording has hundreds of thousands of
blocks. FORMAT.md has the codings.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from flamespan.aggregator.stacktree import Ints
from flamespan.profiler import columns
from flamespan.profiler.columns import MAX_ROWS, ColumnError

_HEAD = struct.Struct("<BBI")
_SIGNED, _DELTA, _ZEROS = 0x10, 0x40, 0
_WIDTHS = (1, 2, 4, 8)
HEAD, PASS_TICKS, PASS_SAMPLES, PASS_UNOBSERVED, PASS_MISSED = range(1, 6)
THREAD, STACK, SPAN, WALL_EXTRA, CPU_TICKS, STATE, FLAGS = range(16, 23)
_OF_PASS = (PASS_TICKS, PASS_SAMPLES, PASS_UNOBSERVED, PASS_MISSED)
_OF_SAMPLE = (THREAD, STACK, SPAN, WALL_EXTRA, CPU_TICKS, STATE, FLAGS)
_LONGEST_TICK_NS = 1_000_000_000

Column = npt.NDArray[Any]


class SampleBlocks:
    """The SAMPLES blocks of one file that were not taken yet, in file order."""

    def __init__(self) -> None:
        self.samples = 0
        self.tick_ns: list[int] = []
        self.start_ticks: list[int] = []
        self.passes: list[int] = []
        self._parts: dict[int, list[Column]] = {}
        self._clear()

    def _clear(self) -> None:
        self.samples = 0
        self.tick_ns, self.start_ticks, self.passes = [], [], []
        self._parts = {column: [] for column in (*_OF_PASS, *_OF_SAMPLE)}

    def add(self, payload: bytes) -> None:
        """Take in one block. Raises ValueError where its columns do not fit together."""
        found = _unpack(payload)
        tick_ns, start_ticks = found[HEAD].tolist()
        passes, samples = len(found[PASS_TICKS]), len(found[STACK])
        for wanted, size in ((_OF_PASS, passes), (_OF_SAMPLE, samples)):
            if any(len(found[column]) != size for column in wanted):
                raise ValueError("columns of different length")
        if int(found[PASS_SAMPLES].sum(dtype=np.uint64)) != samples:
            raise ValueError("passes and samples do not add up")
        if not 0 < tick_ns <= _LONGEST_TICK_NS:
            raise ValueError(f"a tick of {tick_ns} ns")
        for column, parts in self._parts.items():
            parts.append(found[column])
        self.tick_ns.append(tick_ns)
        self.start_ticks.append(start_ticks)
        self.passes.append(passes)
        self.samples += samples

    def take(self, column: int, kind: type = np.int64) -> Ints:
        """A column of all blocks."""
        parts = self._parts[column]
        if not parts:
            return np.zeros(0, kind)
        joined: Ints = np.concatenate(parts, dtype=kind, casting="unsafe")
        return joined

    def per_pass(self, values: list[int]) -> Ints:
        """A value per block as one per pass."""
        repeated: Ints = np.repeat(np.array(values, np.int64), self.passes)
        return repeated

    def done(self) -> None:
        """Let go of what was taken."""
        self._clear()


def _unpack(payload: bytes) -> dict[int, Column]:
    """The columns of a payload by id, as ``profiler.columns.unpack`` gives them."""
    found: dict[int, Column] = {}
    at, size = 0, len(payload)
    while at < size:
        if at + 6 > size:
            raise ColumnError(f"a column's head is cut short at byte {at}")
        column, coding, count = _HEAD.unpack_from(payload, at)
        at += 6
        width = coding & 0x0F
        if count > MAX_ROWS:
            raise ColumnError(f"column {column} claims {count} rows")
        if coding == _ZEROS:
            found[column] = np.zeros(count, np.uint8)
        elif width in _WIDTHS and not coding & ~(_SIGNED | 0x0F):
            end = at + count * width
            if end > size:
                raise ColumnError(f"column {column} is cut short: {count} rows of {width} bytes")
            found[column] = _integers(payload, at, count, width, coding & _SIGNED)
            at = end
        else:  # deltas, texts, floats: no column of ours here, but a later version may have some
            return {key: np.asarray(value) for key, value in columns.unpack(payload).items()}
    return found


def _integers(payload: bytes, at: int, count: int, width: int, signed: int) -> Column:
    values: Column = np.frombuffer(payload, np.uint8, count * width, at)
    if width > 1:
        planes = values.reshape(width, count)
        values = np.ascontiguousarray(planes.T).view(f"<u{width}").reshape(count)
    if signed:
        wide = values.astype(np.uint64)
        values = (wide >> np.uint64(1)).astype(np.int64) ^ -(wide & np.uint64(1)).astype(np.int64)
    return values
