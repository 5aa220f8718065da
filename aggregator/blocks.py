"""The samples of a file's blocks as numpy columns, a run of blocks at a time.

``profiler.columns`` reads the same bytes with the standard library alone, a block at a time. A
long recording has hundreds of thousands of blocks, so here a block is only cut into its byte
planes; those of a whole run are put together and become numbers at once. FORMAT.md has the
codings.
"""

from __future__ import annotations

import struct

import numpy as np

from flamespan.aggregator.stacktree import Ints
from flamespan.profiler import columns
from flamespan.profiler.columns import MAX_ROWS, ColumnError

_HEAD = struct.Struct("<BBI")
_SIGNED = 0x10
_WIDTHS = (0, 1, 2, 4, 8)
HEAD, PASS_TICKS, PASS_SAMPLES, PASS_UNOBSERVED, PASS_MISSED, PASS_ASLEEP = range(1, 7)
THREAD, STACK, SPAN, WALL_EXTRA, CPU_TICKS, STATE, FLAGS = range(16, 23)
_OF_PASS = (PASS_TICKS, PASS_SAMPLES, PASS_UNOBSERVED, PASS_MISSED, PASS_ASLEEP)
_OF_SAMPLE = (THREAD, STACK, SPAN, WALL_EXTRA, CPU_TICKS, STATE, FLAGS)
_ALL = (*_OF_PASS, *_OF_SAMPLE)
_LONGEST_TICK_NS = 1_000_000_000

_Piece = tuple[bytes, int, int, int]
"""A column in a payload: the payload, where it begins, its rows and its width in bytes."""


class Planes:
    """A column of several blocks: all low bytes, all second bytes, ….

    Blocks whose numbers are narrower than others' have zeros in the higher planes.
    """

    __slots__ = ("parts", "rows")

    def __init__(self) -> None:
        self.parts: list[list[bytes]] = []
        self.rows = 0

    def add(self, piece: _Piece) -> None:
        """Take in the column of one block."""
        payload, at, count, width = piece
        parts = self.parts
        while len(parts) < width:
            parts.append([bytes(self.rows)])
        for plane in range(width):
            parts[plane].append(payload[at : at + count])
            at += count
        for unused in parts[width:]:
            unused.append(bytes(count))
        self.rows += count

    def values(self, *, signed: bool) -> Ints:
        """The numbers (at least 32 bits wide)."""
        if not self.parts:
            return np.zeros(self.rows, np.int32)
        wide = np.dtype(np.uint32 if len(self.parts) <= 4 else np.uint64)
        joined = np.frombuffer(b"".join(self.parts[0]), np.uint8).astype(wide)
        for place, part in enumerate(self.parts[1:], 1):
            plane = np.frombuffer(b"".join(part), np.uint8).astype(wide)
            joined |= plane << wide.type(8 * place)
        if not signed:
            return joined.astype(np.int64) if len(self.parts) > 3 else joined.view(np.int32)
        one = wide.type(1)
        unzigzagged: Ints = (joined >> one).astype(np.int64) ^ -(joined & one).astype(np.int64)
        return unzigzagged


class SampleBlocks:
    """The SAMPLES blocks of one file that were not taken yet, in file order."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Let go of all blocks."""
        self.samples = 0
        self.tick_ns: list[int] = []
        self.start_ticks: list[int] = []
        self.passes: list[int] = []
        self._planes = {column: Planes() for column in _ALL}

    def add(self, payload: bytes) -> None:
        """Take in one block. Raises ValueError where its columns do not fit together."""
        found = _pieces(payload)
        (tick_ns, start_ticks), passes = _numbers(found[HEAD]), found[PASS_TICKS][2]
        samples = found[STACK][2]
        found.setdefault(PASS_ASLEEP, (b"", 0, passes, 0))  # left out where the sampler never slept
        pieces = [found[column] for column in _ALL]
        if [piece[2] for piece in pieces] != [passes] * len(_OF_PASS) + [samples] * len(_OF_SAMPLE):
            raise ValueError("columns of different length")
        if sum(_numbers(found[PASS_SAMPLES])) != samples:
            raise ValueError("passes and samples do not add up")
        if not 0 < tick_ns <= _LONGEST_TICK_NS or start_ticks >= 1 << 62:
            raise ValueError(f"a tick of {tick_ns} ns, starting at {start_ticks}")
        for planes, piece in zip(self._planes.values(), pieces, strict=True):
            planes.add(piece)
        self.tick_ns.append(tick_ns)
        self.start_ticks.append(start_ticks)
        self.passes.append(passes)
        self.samples += samples

    def take(self, column: int) -> Ints:
        """A column of all blocks."""
        return self._planes[column].values(signed=column == WALL_EXTRA)

    def per_pass(self, values: list[int]) -> Ints:
        """A value per block as one per pass."""
        repeated: Ints = np.repeat(np.array(values, np.int64), self.passes)
        return repeated


def span_of(payload: bytes) -> tuple[int, int]:
    """From when to when a block's passes were (monotonic nanoseconds).

    Raises ValueError where it does not say.
    """
    found = _pieces(payload)
    if HEAD not in found or PASS_TICKS not in found:
        raise ValueError("a block of samples that does not say its time")
    tick_ns, start_ticks = _numbers(found[HEAD])
    return tick_ns * start_ticks, tick_ns * (start_ticks + sum(_numbers(found[PASS_TICKS])))


def _pieces(payload: bytes) -> dict[int, _Piece]:
    """Where the columns of a payload are, by id."""
    found: dict[int, _Piece] = {}
    at, size = 0, len(payload)
    while at < size:
        if at + 6 > size:
            raise ColumnError(f"a column's head is cut short at byte {at}")
        column, coding, count = _HEAD.unpack_from(payload, at)
        at += 6
        width = coding & 0x0F
        if count > MAX_ROWS:
            raise ColumnError(f"column {column} claims {count} rows")
        usual = width | (_SIGNED if column == WALL_EXTRA else 0)
        if coding and (coding != usual or width not in _WIDTHS):
            return _rewritten(payload)
        found[column] = payload, at, count, width
        at += count * width
        if at > size:
            raise ColumnError(f"column {column} is cut short: {count} rows of {width} bytes")
    return found


def _rewritten(payload: bytes) -> dict[int, _Piece]:
    """The same for a payload with codings that samples have not had so far."""
    found: dict[int, _Piece] = {}
    for column, values in columns.unpack(payload).items():
        if column not in (HEAD, *_ALL) or isinstance(values, list):
            continue
        numbers = np.asarray(values).astype(np.int64)
        if column == WALL_EXTRA:
            numbers = numbers << 1 ^ numbers >> 63
        planes = numbers.view(np.uint8).reshape(len(numbers), 8).T.tobytes()
        found[column] = planes, 0, len(numbers), 8
    return found


def _numbers(piece: _Piece) -> list[int]:
    """The numbers of a short unsigned column."""
    payload, at, count, width = piece
    if width == 1:
        return list(payload[at : at + count])
    planes = [payload[at + count * i : at + count * (i + 1)] for i in range(width)]
    return [int.from_bytes(number, "little") for number in zip(*planes, strict=True)] or [0] * count
