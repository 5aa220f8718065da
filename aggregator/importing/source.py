"""How importers get at a file: gzip is unpacked on the way, and nothing grows without bound."""

from __future__ import annotations

import gzip
import io
import json
import os
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from flamespan.profiler.errors import SampleFileError

GZIP = b"\x1f\x8b"
MOST_BYTES = 1 << 30
"""The most that is unpacked of one file."""

MOST_RATIO = 300
"""How many times its size a file may unpack to (real profiles: 5 to 60), 64 MiB at least."""

MOST_JSON_MEMORY = 3 << 30
"""The most memory that the values of one JSON file may take."""

_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
_CHUNK = 1 << 20


def unpacked_head(head: bytes) -> bytes:
    """What ``head``, the first bytes of a file, unpacks to (itself if it is not packed)."""
    if not head.startswith(GZIP):
        return head
    try:
        return zlib.decompressobj(31).decompress(head, _CHUNK)
    except zlib.error:
        return head


class _Bounded(io.RawIOBase):
    """Reads at most a number of bytes; SampleFileError says when there are more."""

    def __init__(self, file: BinaryIO, packed: BinaryIO, path: str, most: int) -> None:
        self._file = file
        self._packed = packed
        self._path = path
        self._left = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(len(buffer))
        except (OSError, EOFError, zlib.error) as error:
            raise SampleFileError(self._path, None, f"damaged gzip data: {error}") from None
        self._left -= len(data)
        if self._left < 0:
            raise SampleFileError(self._path, None, "unpacks to more than a profile can be")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        self._packed.close()
        super().close()


def open_bytes(path: str | os.PathLike[str]) -> io.BufferedReader:
    """The file at ``path`` as bytes, unpacked if it is gzip. Raises SampleFileError."""
    try:
        packed = open(path, "rb")  # noqa: SIM115
        is_gzip = packed.read(2) == GZIP
        packed.seek(0)
    except OSError as error:
        raise SampleFileError(path, None, error.strerror or str(error)) from error
    if not is_gzip:
        return packed
    most = min(max(os.fstat(packed.fileno()).st_size * MOST_RATIO, 64 << 20), MOST_BYTES)
    unpacking: Any = gzip.GzipFile(fileobj=packed)
    return io.BufferedReader(_Bounded(unpacking, packed, os.fspath(path), most), _CHUNK)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The whole file, unpacked if it is gzip. SampleFileError where it is too large."""
    with open_bytes(path) as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise SampleFileError(path, None, f"has more than {MOST_BYTES >> 30} GiB")
    return data


def encoding_of(head: bytes) -> str:
    """The encoding that a text's byte order mark tells; UTF-8 without one."""
    return next((name for bom, name in _BOMS.items() if head.startswith(bom)), "utf-8")


def lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    """Numbered lines of a text file that are not blank, without their ends.

    Other separators than line ends may be in names, so ``str.splitlines`` is not used.
    """
    with open_bytes(path) as raw:
        encoding = encoding_of(raw.peek(3)[:3])
        with io.TextIOWrapper(raw, encoding, errors="replace") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.rstrip("\n")


def read_json(path: str | os.PathLike[str]) -> list[Any]:
    """The JSON value of a file; of several, one a line (an envelope), each of them.

    Raises SampleFileError with the place where it is no JSON, or where its values would take
    more memory than ``MOST_JSON_MEMORY``.
    """
    data = read_bytes(path)
    _refuse_huge(path, data)
    try:
        text = data.decode(encoding_of(data[:3]))
    except UnicodeDecodeError as error:
        raise SampleFileError(path, error.start, "is no text in UTF-8") from None
    del data
    decoder = json.JSONDecoder(parse_constant=_no_number)
    values, at = [], _skip_space(text, 0)
    try:
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            values.append(value)
            at = _skip_space(text, at)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise SampleFileError(path, error.pos, f"no JSON: {error.msg} ({place})") from None
    except RecursionError:
        raise SampleFileError(path, at, "no JSON: nested too deep") from None
    except ValueError as error:
        raise SampleFileError(path, at, f"no JSON: {error}") from None
    return values


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _refuse_huge(path: str | os.PathLike[str], data: bytes) -> None:
    """Python's lists, dictionaries and strings are many times their text: counted before."""
    needed = 72 * data.count(b"[") + 232 * data.count(b"{") + 30 * data.count(b'"')
    needed += 32 * data.count(b",") + len(data)
    if needed > MOST_JSON_MEMORY:
        raise SampleFileError(
            path, None, f"this much JSON would take about {needed >> 30} GiB of memory"
        )
