"""Columns of integers and strings as bytes: the coding inside every block of a sample file.

A column is ``id u8 | coding u8 | count u32 | data``. Integers are written as narrow as the
largest one allows and split into byte planes (all low bytes, then the next, ...), which zlib
then packs far better than whole words; FORMAT.md has the table of codings.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

_HEAD = struct.Struct("<BBI")
_FIRST = struct.Struct("<q")

ZEROS = 0
STRINGS = 0x20
FLOATS = 0x21
_SIGNED = 0x10
_DELTA = 0x40
_TYPECODE = {1: "B", 2: "H", 4: "I", 8: "Q"}

MAX_ROWS = 1 << 22
"""No column of a readable file has more rows; a larger count is damage, not data."""

MAX_ROWS_OF_BLOCK = 1 << 25
"""Nor do the columns of one block together: a few bytes must not unpack into gigabytes."""

Column = array | list[str]  # type: ignore[type-arg]

Planes = tuple[int, bytes]
"""How many bytes a number has, and all low bytes, then the next, ..."""


class _Core:
    """What ``use_core`` was given."""

    delta_planes: Callable[[Any], Planes] | None = None
    id_planes: Callable[[dict[str, int], list[str]], Planes | None] | None = None


def use_core(
    delta_planes: Callable[[Any], Planes],
    id_planes: Callable[[dict[str, int], list[str]], Planes | None],
) -> None:
    """Pack by C functions from now on (``engine/native/packing.c``); the bytes are the same."""
    _Core.delta_planes, _Core.id_planes = staticmethod(delta_planes), staticmethod(id_planes)


class ColumnError(ValueError):
    """The bytes are not columns; the message says what is wrong with them."""


def pack_unsigned(column: int, values: Sequence[int]) -> bytes:
    """One column of integers >= 0."""
    return _pack(column, 0, values)


def pack_signed(column: int, values: Sequence[int]) -> bytes:
    """One column of integers of either sign, small ones in few bytes (zigzag)."""
    return _pack(column, _SIGNED, [(v << 1) ^ (v >> 63) for v in values] if any(values) else values)


def pack_deltas(column: int, values: Sequence[int]) -> bytes:
    """One column of integers that lie close to their neighbours: the first, then differences."""
    if not any(values):
        return _HEAD.pack(column, ZEROS, len(values))
    if _Core.delta_planes is not None and isinstance(values, array) and values.typecode == "q":
        width, planes = _Core.delta_planes(values)
    else:
        width, planes = _planes(
            [((now - then) << 1) ^ ((now - then) >> 63) for then, now in pairwise(values)]
        )
    head = _HEAD.pack(column, _SIGNED | _DELTA | width, len(values))
    return head + _FIRST.pack(values[0]) + planes


def pack_ids(column: int, ids: dict[str, int], texts: list[str]) -> bytes | None:
    """One column of the numbers of texts; None where some text has none."""
    if _Core.id_planes is not None:
        packed = _Core.id_planes(ids, texts)
        if packed is None:
            return None
        width, planes = packed
        if not any(planes):
            return _HEAD.pack(column, ZEROS, len(texts))
        return _HEAD.pack(column, width, len(texts)) + planes
    try:
        return pack_unsigned(column, [ids[text] for text in texts])
    except KeyError:
        return None


def pack_floats(column: int, values: Iterable[float]) -> bytes:
    """One column of IEEE doubles."""
    numbers = array("d", values)
    return _HEAD.pack(column, FLOATS, len(numbers)) + _little(numbers).tobytes()


def pack_strings(column: int, values: Sequence[str]) -> bytes:
    """One column of strings (UTF-8; lone surrogates are kept as they are)."""
    encoded = [v.encode("utf-8", "surrogatepass") for v in values]
    lengths = pack_unsigned(0, [len(e) for e in encoded])
    return _HEAD.pack(column, STRINGS, len(values)) + lengths + b"".join(encoded)


def _pack(column: int, coding: int, values: Sequence[int]) -> bytes:
    if not any(values):
        return _HEAD.pack(column, ZEROS, len(values))
    width, planes = _planes(values)
    return _HEAD.pack(column, coding | width, len(values)) + planes


def _planes(values: Sequence[int]) -> Planes:
    """The narrowest width that holds every value, and the values as byte planes."""
    top = max(values, default=0)
    width = 1 if top < 1 << 8 else 2 if top < 1 << 16 else 4 if top < 1 << 32 else 8
    typecode = _TYPECODE[width]
    if not (isinstance(values, array) and values.typecode == typecode):
        values = array(typecode, values)
    raw = _little(values).tobytes()
    return width, raw if width == 1 else b"".join(raw[i::width] for i in range(width))


def unpack(payload: bytes | memoryview) -> dict[int, Column]:
    """All columns of a block's payload, by id; raises ColumnError where they are damaged."""
    return dict(_columns(memoryview(payload)))


def _columns(payload: memoryview) -> Iterator[tuple[int, Column]]:
    at = rows = 0
    while at < len(payload):
        column, values, at = unpack_one(payload, at)
        rows += len(values)
        if rows > MAX_ROWS_OF_BLOCK:
            raise ColumnError("more rows than a block may have")
        yield column, values


def unpack_one(payload: memoryview, at: int) -> tuple[int, Column, int]:
    """The column that begins at ``at``: its id, its values, and where it ends."""
    if at + _HEAD.size > len(payload):
        raise ColumnError(f"a column's head is cut short at byte {at}")
    column, coding, count = _HEAD.unpack_from(payload, at)
    at += _HEAD.size
    if count > MAX_ROWS:
        raise ColumnError(f"column {column} claims {count} rows")
    if coding == ZEROS:
        return column, array("B", bytes(count)), at
    if coding == STRINGS:
        values, at = _unpack_strings(payload, at, column, count)
        return column, values, at
    width = 8 if coding == FLOATS else coding & 0x0F
    if width not in _TYPECODE or (coding & ~(_SIGNED | _DELTA | 0x0F) and coding != FLOATS):
        raise ColumnError(f"column {column} has the unknown coding {coding:#x}")
    end = at + count * width
    if coding & _DELTA and count:
        end += _FIRST.size - width
    if end > len(payload):
        raise ColumnError(f"column {column} is cut short: {count} rows of {width} bytes")
    data = payload[at:end]
    if coding == FLOATS:
        numbers = array("d")
        numbers.frombytes(data)
        return column, _little(numbers), end
    return column, _decode(data, coding, width), end


def _decode(data: memoryview, coding: int, width: int) -> array[int]:
    if not coding & _DELTA:
        values = _from_planes(data, width)
        return _unzigzag(values) if coding & _SIGNED else values
    if not data:
        return array("q")
    differences = _unzigzag(_from_planes(data[_FIRST.size :], width))
    try:
        return array("q", accumulate(differences, initial=_FIRST.unpack_from(data)[0]))
    except OverflowError:
        raise ColumnError("differences that add up beyond 64 bits") from None


def _from_planes(data: memoryview, width: int) -> array[int]:
    raw: bytes | bytearray = bytes(data)
    if width > 1:
        count = len(data) // width
        raw = bytearray(len(data))
        for i in range(width):
            raw[i::width] = data[i * count : (i + 1) * count]
    values = array(_TYPECODE[width])
    values.frombytes(raw)
    return _little(values)


def _unzigzag(values: array[int]) -> array[int]:
    return array("q", [(v >> 1) ^ -(v & 1) for v in values])


def _unpack_strings(payload: memoryview, at: int, column: int, count: int) -> tuple[list[str], int]:
    _, lengths, at = unpack_one(payload, at)
    if isinstance(lengths, list) or len(lengths) != count or at + sum(lengths) > len(payload):
        raise ColumnError(f"column {column}: the strings' lengths do not fit the block")
    values = []
    for length in lengths:
        values.append(bytes(payload[at : at + length]).decode("utf-8", "surrogatepass"))
        at += length
    return values, at


def _little(values: array) -> array:  # type: ignore[type-arg]
    """The array in little-endian byte order, in place of the machine's own."""
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values
