"""cProfile's files (``pstats``): a table of functions, so there are tables and no stacks.

A function's ``tottime`` is its self time and ``cumtime`` its total; both are kept, who called
whom is not. The call tree has one level, and exports of stacks have stacks of one frame.

The file is marshal data. ``marshal.loads`` may crash on a hostile file, so the few types that
pstats uses are read here: dictionaries, tuples, integers, floats, strings and references.
Format: CPython's Python/marshal.c and Lib/pstats.py.
"""

from __future__ import annotations

import math
import os
import struct
from typing import Any

from flamespan.aggregator.importing import Imported
from flamespan.aggregator.importing.building import Builder
from flamespan.aggregator.importing.source import read_bytes

_DICT, _REF = 0x7B, 0x80
_END = object()
_DEEPEST = 8


def detects(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is marshal data of a table keyed by tuples."""
    if len(head) < 2 or head[0] & ~_REF != _DICT:
        return False
    return chr(head[1] & ~_REF) in "()" and head[1:2] != b"" and _is_marshal_tuple(head)


def _is_marshal_tuple(head: bytes) -> bool:
    small = chr(head[1] & ~_REF) == ")"
    size = head[2:3] if small else head[2:6]
    return int.from_bytes(size, "little") == 3


def read(path: str | os.PathLike[str], _unit_ns: int | None = None) -> Imported:
    """The functions of the file at ``path``. SampleFileError names the offset of what is wrong."""
    data = read_bytes(path)
    builder = Builder(path, "pstats", len(data))
    try:
        table = _Reader(data).read()
    except _MarshalError as error:
        raise builder.refuse(error.offset, f"no cProfile file: {error}") from None
    if not isinstance(table, dict):
        raise builder.refuse(0, "no cProfile file: no table of functions")
    thread = builder.thread(0, "")
    for key, value in table.items():
        _add(builder, key, value, thread)
    builder.note(
        "a table without stacks: self and total time of functions are right, the call tree has "
        "one level"
    )
    return builder.finished()


def _add(builder: Builder, key: Any, value: Any, thread: int) -> None:
    try:
        file, line, name = key
        own, total = value[2], value[3]
        whole = isinstance(file, str) and isinstance(line, int) and isinstance(name, str)
    except (TypeError, ValueError, IndexError, KeyError):
        whole = False
    if not whole:
        raise builder.refuse(None, f"no cProfile file: {str(key)[:80]} is no function")
    if not (_is_time(own) and _is_time(total)):
        times = f"{str(own)[:20]} s itself, {str(total)[:20]} s in all"
        raise builder.refuse(None, f"{str(key)[:80]}: no times that could be: {times}")
    known = "" if file == "~" else file
    first = line if 0 < line < 1 << 31 else 0
    function = builder.function(name, known, first)
    own_ns, total_ns = round(own * 1e9), round(total * 1e9)
    builder.add(builder.path([builder.frame(function, first)]), own_ns, thread)
    beyond = builder.imported.beyond_self_ns
    beyond[function] = beyond.get(function, 0) + max(total_ns - own_ns, 0)
    if beyond[function] >= 1 << 62:
        raise builder.refuse(None, "the times add up to more than 146 years")


def _is_time(value: Any) -> bool:
    # Clocks that go back have given negative times: they are refused, since sums would be wrong.
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value < 1e10


class _MarshalError(ValueError):
    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset


class _Reader:
    """Reads one value; sizes are checked against what is left before anything is made."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._refs: list[Any] = []

    def read(self) -> Any:
        value = self._value(0)
        if value is _END:
            raise _MarshalError(0, "nothing in it")
        return value

    def _take(self, size: int) -> bytes:
        if size < 0 or size > len(self._data) - self._at:
            raise _MarshalError(self._at, f"cut off: {size} bytes of {len(self._data) - self._at}")
        self._at += size
        return self._data[self._at - size : self._at]

    def _number(self, kind: str) -> Any:
        return struct.unpack(kind, self._take(struct.calcsize(kind)))[0]

    def _value(self, depth: int) -> Any:
        if depth > _DEEPEST:
            raise _MarshalError(self._at, "nested too deep")
        code = self._take(1)[0]
        place = len(self._refs)
        kind = chr(code & ~_REF)
        if code & _REF:
            self._refs.append(None)
        value = self._simple(kind) if kind not in "{()" else self._compound(kind, depth)
        if code & _REF:
            self._refs[place] = value
        return value

    def _simple(self, kind: str) -> Any:  # noqa: PLR0911
        match kind:
            case "0":
                return _END
            case "N":
                return None
            case "i":
                return self._number("<i")
            case "l":
                return self._long()
            case "g":
                return self._number("<d")
            case "z" | "Z":
                return self._take(self._number("<B")).decode("latin-1")
            case "a" | "A":
                return self._take(self._number("<i")).decode("latin-1")
            case "u" | "t":
                return self._take(self._number("<i")).decode("utf-8", "surrogatepass")
            case "r":
                return self._reference()
        raise _MarshalError(self._at - 1, f"a value of type {kind!r}, which pstats has not")

    def _reference(self) -> Any:
        number = self._number("<i")
        if not 0 <= number < len(self._refs):
            raise _MarshalError(self._at - 4, f"reference {number} of {len(self._refs)}")
        return self._refs[number]

    def _long(self) -> int:
        digits = self._number("<i")
        if abs(digits) > 16:
            raise _MarshalError(self._at - 4, f"a number of {abs(digits)} digits")
        size: int = sum(self._number("<H") << 15 * place for place in range(abs(digits)))
        return -size if digits < 0 else size

    def _compound(self, kind: str, depth: int) -> Any:
        if kind != "{":
            size = self._number("<B") if kind == ")" else self._number("<i")
            if not 0 <= size <= 16:
                raise _MarshalError(self._at, f"a tuple of {size}")
            return tuple(self._value(depth + 1) for _ in range(size))
        found: dict[Any, Any] = {}
        while (key := self._value(depth + 1)) is not _END:
            value = self._value(depth + 1)
            try:
                found[key] = value
            except TypeError:
                raise _MarshalError(self._at, "a key that cannot be one") from None
        return found
