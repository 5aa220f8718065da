"""The frames and stacks that a file's DEFS blocks define, decoded all at once.

``profiler.blocks`` reads the same with the standard library alone, a block at a time. Stacks are
most of what is defined, so here their columns are only cut out of each block; a file in which
they are not as a recorder writes them (blocks are lost or damaged) is left to that reader.
"""

from __future__ import annotations

import struct
from array import array

import numpy as np

from flamespan.aggregator.blocks import Planes
from flamespan.aggregator.stacktree import Ints
from flamespan.profiler import columns
from flamespan.profiler.blocks import unpack_definitions
from flamespan.profiler.columns import MAX_ROWS, Column
from flamespan.profiler.model import Definitions, Tables

_HEAD, _FIRST = struct.Struct("<BBI"), struct.Struct("<q")
_FRAME_FUNCTION, _FRAME_LINE, _STACK_PARENT, _STACK_FRAME = range(12, 16)
_DELTAS = {_FRAME_FUNCTION: True, _FRAME_LINE: False, _STACK_PARENT: True, _STACK_FRAME: False}
_DELTA_CODING = 0x50
_WIDTHS = (1, 2, 4)
_MOST_ROWS = 1 << 24
"""A few bytes may claim millions of rows: no more than this are decoded at once."""


class UnusualError(ValueError):
    """Definitions that are to be read a block at a time."""


class DefinitionBlocks:
    """Takes a file's DEFS blocks; what they say of frames and stacks is told by ``add_to``.

    Raises UnusualError for what it does not read.
    """

    def __init__(self) -> None:
        self._columns = {column: _Numbers(deltas=d) for column, d in _DELTAS.items()}
        self._functions, self._frames, self._stacks = [1], [1], [1]

    def take(self, payload: bytes, strings: dict[int, str]) -> Definitions:
        """The block's definitions without its frames and stacks."""
        found: dict[int, Column] = {}
        at, view = 0, memoryview(payload)
        counts = dict.fromkeys(_DELTAS, 0)
        while at < len(payload):
            if payload[at] in _DELTAS:
                column = payload[at]
                if counts[column]:
                    raise UnusualError("a column that is told twice")
                counts[column], at = self._columns[column].take(payload, at)
            else:
                name, values, at = columns.unpack_one(view, at)
                found[name] = values
        defined = unpack_definitions(found, strings)
        self._count(defined, counts, told=8 in found)
        defined.first_frame = defined.first_stack = 1
        return defined

    def _count(self, defined: Definitions, counts: dict[int, int], *, told: bool) -> None:
        frames, stacks = counts[_FRAME_FUNCTION], counts[_STACK_PARENT]
        firsts = (defined.first_function, defined.first_frame, defined.first_stack)
        known = (self._functions[-1], self._frames[-1], self._stacks[-1])
        if frames != counts[_FRAME_LINE] or stacks != counts[_STACK_FRAME]:
            raise UnusualError("columns of different length")
        if (told and firsts != known) or (not told and (frames or stacks)):
            raise UnusualError("definitions are missing or told twice")
        self._functions.append(known[0] + len(defined.functions))
        self._frames.append(known[1] + frames)
        self._stacks.append(known[2] + stacks)

    def add_to(self, tables: Tables) -> None:
        """Set the frames and stacks of ``tables``, which has all that ``take`` gave."""
        values = {column: numbers.values() for column, numbers in self._columns.items()}
        frames, stacks = np.diff(self._frames), np.diff(self._stacks)
        own = np.arange(1, self._stacks[-1])
        for column, bound in (
            (_FRAME_FUNCTION, np.repeat(self._functions[1:], frames)),
            (_FRAME_LINE, np.int64(1 << 32)),
            (_STACK_PARENT, own),
            (_STACK_FRAME, np.repeat(self._frames[1:], stacks)),
        ):
            if (values[column] < 0).any() or (values[column] >= bound).any():
                raise UnusualError("ids of what was never defined")
        tables.frame_function.extend(_ids(values[_FRAME_FUNCTION]))
        tables.frame_line.extend(_ids(values[_FRAME_LINE]))
        tables.stacks.parent.extend(_ids(values[_STACK_PARENT]))
        tables.stacks.frame.extend(_ids(values[_STACK_FRAME]))


class _Numbers:
    """A column of several blocks, each block's numbers as they are or as differences."""

    def __init__(self, *, deltas: bool) -> None:
        self._deltas = deltas
        self._planes = Planes()
        self._firsts: list[int] = []
        self._counts: list[int] = []

    def take(self, payload: bytes, at: int) -> tuple[int, int]:
        """Take in the column that begins there; its rows, and where it ends."""
        if at + _HEAD.size > len(payload):
            raise UnusualError("a column's head is cut short")
        _, coding, count = _HEAD.unpack_from(payload, at)
        at, rows, first = at + _HEAD.size, count, 0
        width = coding & 0x0F
        usual = (width | _DELTA_CODING) if self._deltas else width
        if not count and not coding:
            return 0, at
        if not 0 < count <= MAX_ROWS or (coding and (coding != usual or width not in _WIDTHS)):
            raise UnusualError("an unknown coding")
        if self._deltas:
            rows -= 1
            if coding and at + _FIRST.size <= len(payload):
                first = _FIRST.unpack_from(payload, at)[0]
                at += _FIRST.size
        end = at + rows * width
        if self._planes.rows > _MOST_ROWS:
            raise UnusualError("more rows than are decoded at once")
        if end > len(payload) or abs(first) >= 1 << 32:
            raise UnusualError("a column is cut short")
        self._planes.add((payload, at, rows, width))
        self._firsts.append(first)
        self._counts.append(count)
        return count, end

    def values(self) -> Ints:
        """All numbers."""
        numbers = self._planes.values(signed=self._deltas).astype(np.int64)
        if not self._deltas:
            return numbers
        counts = np.array(self._counts, np.int64)
        starts = np.cumsum(counts) - counts
        steps = np.zeros(int(counts.sum()), np.int64)
        follows = np.ones(len(steps), bool)
        follows[starts] = False
        steps[follows] = numbers
        summed = np.cumsum(steps)
        before = np.array(self._firsts, np.int64) - summed[starts]
        values: Ints = summed + np.repeat(before, counts)
        return values


def _ids(values: Ints) -> array[int]:
    ids = array("I")
    ids.frombytes(values.astype(np.uintc).tobytes())
    return ids
