"""As much of a pprof file as ddtrace's samples need; its protobuf, packed with zstd."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Field numbers of pprof's profile.proto.
_SAMPLE_TYPE, _SAMPLE, _LOCATION, _FUNCTION, _STRING = 1, 2, 4, 5, 6


@dataclass(frozen=True)
class Sample:
    """Function names, the leaf first; values by their type's name; labels that are text."""

    leaf_first: list[str]
    values: dict[str, int]
    labels: dict[str, str]


def read(path: Path) -> Iterator[Sample]:
    """Every sample of the file."""
    import zstandard

    with path.open("rb") as file:
        data = zstandard.ZstdDecompressor().stream_reader(file).read()
    top: dict[int, list[bytes]] = defaultdict(list)
    for field, value in _fields(data):
        if isinstance(value, bytes):
            top[field].append(value)
    strings = [text.decode("utf-8", "replace") for text in top[_STRING]]
    types = [strings[_numbers(kind).get(1, 0)] for kind in top[_SAMPLE_TYPE]]
    functions = {}
    for numbers in map(_numbers, top[_FUNCTION]):
        functions[numbers[1]] = strings[numbers.get(2, 0)]
    locations = {}
    for location in top[_LOCATION]:
        # Lines of a location are inlined calls, the innermost first.
        lines = [v for field, v in _fields(location) if field == 4 and isinstance(v, bytes)]
        called = [functions[_numbers(line).get(1, 0)] for line in lines]
        locations[_numbers(location)[1]] = called
    for sample in top[_SAMPLE]:
        stack: list[str] = []
        values: list[int] = []
        labels: dict[str, str] = {}
        for field, value in _fields(sample):
            if field == 1:
                stack += [name for at in _packed(value) for name in locations[at]]
            elif field == 2:
                values += _packed(value)
            elif field == 3 and isinstance(value, bytes):
                label = _numbers(value)
                labels[strings[label.get(1, 0)]] = strings[label.get(2, 0)]
        yield Sample(stack, dict(zip(types, values, strict=True)), labels)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        else:
            size = 8 if kind == 1 else 4
        yield key >> 3, data[at : at + size]
        at += size


def _numbers(message: bytes) -> dict[int, int]:
    """The whole-number fields of a message, by field number."""
    return {field: value for field, value in _fields(message) if isinstance(value, int)}


def _packed(value: int | bytes) -> list[int]:
    """A repeated number, packed or one at a time."""
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        found.append(number)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
