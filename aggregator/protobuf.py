"""The wire format of protocol buffers: enough to write and read pprof and OTLP profiles.

Written by hand rather than with the ``protobuf`` package: the messages are a dozen, generated
code is bound to the version of that package (which the user's application may need another of),
and hostile input has to be refused with a place. Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from flamespan.aggregator.stacktree import Ints

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_SMALL = [bytes([n]) for n in range(128)]
_MASK = (1 << 64) - 1
_TAGS = [bytes([field << 3 | BYTES]) for field in range(16)]


def varint(number: int) -> bytes:
    """``number`` in groups of seven bits, low ones first; negative ones as 64 bits."""
    if 0 <= number < 128:
        return _SMALL[number]
    number &= _MASK
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def integer(field: int, number: int) -> bytes:
    """A field that holds one integer; nothing for 0, its default."""
    return varint(field << 3) + varint(number) if number else b""


def fixed64(field: int, number: int) -> bytes:
    """A field that holds eight bytes; nothing for 0, its default."""
    return varint(field << 3 | FIXED64) + number.to_bytes(8, "little") if number else b""


def block(field: int, content: bytes) -> bytes:
    """A field that holds a message, a string or packed numbers."""
    head = _TAGS[field] if field < 16 else varint(field << 3 | BYTES)
    return head + varint(len(content)) + content


def text(field: int, content: str) -> bytes:
    """A field that holds a string (UTF-8; what is no text is replaced)."""
    return block(field, content.encode("utf-8", "replace"))


def packed(field: int, numbers: Iterable[int]) -> bytes:
    """A repeated field of integers, packed."""
    return block(field, b"".join([varint(number) for number in numbers]))


def varints(numbers: Ints) -> tuple[bytes, list[int]]:
    """Numbers (none below 0) as ``varint`` writes them, where each begins, and the end."""
    width = np.ones(len(numbers), np.int64)
    rest = numbers >> 7
    while rest.any():
        width += rest > 0
        rest >>= 7
    starts = np.r_[0, np.cumsum(width)]
    out = np.empty(int(starts[-1]), np.uint8)
    for place in range(int(width.max(initial=0))):
        more = np.flatnonzero(width > place)
        low = (numbers[more] >> (7 * place) & 127).astype(np.uint8)
        out[starts[more] + place] = low | ((width[more] > place + 1) << 7).astype(np.uint8)
    return out.tobytes(), starts.tolist()


class WireError(ValueError):
    """Bytes that are no message; ``offset`` is where, counted from the start of the file."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


def fields(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int]]:
    """The fields of the message in ``data[start:end]``, each ``(number, value, stop)``.

    For an integer ``value`` is the number and ``stop`` is -1; for a block the two are where in
    ``data`` its content lies. Raises WireError.
    """
    end = len(data) if end is None else end
    at = start
    while at < end:
        key, here = _varint(data, at, end)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(data, here, end)
            yield number, value, -1
        elif kind == BYTES:
            size, here = _varint(data, here, end)
            at = here + size
            if at > end:
                raise WireError(here, f"a block of {size} bytes in {end - here}")
            yield number, here, at
        elif kind in (FIXED64, FIXED32):
            at = here + (8 if kind == FIXED64 else 4)
            if at > end:
                raise WireError(here, "cut off in a number")
            yield number, int.from_bytes(data[here:at], "little"), -1
        else:
            raise WireError(at, f"a field of wire type {kind}, which there is not")
        if not number:
            raise WireError(here, "a field without a number")


def integers(data: bytes, value: int, stop: int) -> list[int]:
    """Numbers of a repeated field as ``fields`` gave it: one of them, or a packed block."""
    if stop < 0:
        return [value]
    found, at = [], value
    while at < stop:
        byte = data[at]
        if byte < 128:
            found.append(byte)
            at += 1
        else:
            number, at = _varint(data, at, stop)
            found.append(number)
    return found


def signed(number: int) -> int:
    """An integer of 64 bits as the signed number that was meant."""
    return number - (1 << 64) if number >> 63 else number


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if at >= end:
            raise WireError(at, "cut off in a number")
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number & _MASK, at
        shift += 7
        if shift > 63:
            raise WireError(at, "a number of more than ten bytes")
