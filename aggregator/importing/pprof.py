"""pprof: protocol buffers, packed by gzip or not, of any producer.

The time that is weighed is the value called "wall" (or "wall-time"), else the default one, else
the last one that is a time; "cpu" ("cpu-time") is the CPU time beside it. Where values count
samples only, one stands for the profile's period. Thread labels are kept, others are not, nor are
times: pprof has none. Format: https://github.com/google/pprof/blob/main/proto/profile.proto
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from flamespan.aggregator.importing import Imported
from flamespan.aggregator.importing.building import COUNTS, Builder, checked_unit, unit_of
from flamespan.aggregator.importing.source import read_bytes
from flamespan.aggregator.protobuf import WireError, fields, integers, signed

_BLOCKS, _NUMBERS = {1, 2, 3, 4, 5, 6, 11}, {7, 8, 9, 10, 12, 13, 14, 15}
_WALL, _CPU = ("wall", "wall-time"), ("cpu", "cpu-time")
_THREAD_NAMES = ("thread", "thread name", "thread_name")
_THREAD_IDS = ("thread_id", "thread id", "tid", "thread native id")
_LARGEST_LINE = (1 << 31) - 1
Block = tuple[int, int]
"""Where in the file a message's bytes begin and end."""


def detects(head: bytes) -> bool:
    """Whether a (unpacked) file that begins with ``head`` is a pprof profile.

    Every field must be one of the format, with its kind, and the first one a value type.
    """
    known = 0
    try:
        for number, value, stop in fields(head):
            whole = stop >= 0
            if number not in (_BLOCKS if whole else _NUMBERS | {13}):
                return False
            if not known and (number != 1 or not _is_value_type(head, value, stop)):
                return False
            known += 1
    except WireError as error:
        # The head is a piece of the file: it may end anywhere, but not begin anyhow.
        return (known > 0 and "cut off" in error.reason) or (
            known > 0 and "a block of" in error.reason
        )
    return known > 0


def _is_value_type(data: bytes, start: int, stop: int) -> bool:
    parts = list(fields(data, start, stop))
    return bool(parts) and all(number in (1, 2) and end < 0 for number, _, end in parts)


def read(path: str | os.PathLike[str], unit_ns: int | None = None) -> Imported:
    """The samples of the profile at ``path``; ``unit_ns``: what one counted sample stands for.

    Raises SampleFileError with the offset (in the unpacked bytes) of what is wrong.
    """
    data = read_bytes(path)
    builder = Builder(path, "pprof", len(data))
    try:
        parts = _parts(data)
        _Reading(data, parts, builder).read(checked_unit(unit_ns))
    except WireError as error:
        raise builder.refuse(error.offset, f"no pprof profile: {error.reason}") from None
    builder.note("labels other than those of threads are not kept")
    return builder.finished()


@dataclass(slots=True)
class _Parts:
    """The messages of a profile: where they are."""

    types: list[tuple[int, int]] = field(default_factory=list)
    samples: list[Block] = field(default_factory=list)
    mappings: list[Block] = field(default_factory=list)
    locations: list[Block] = field(default_factory=list)
    functions: list[Block] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    period_type: tuple[int, int] = (0, 0)
    period: int = 0
    default_type: int = 0


def _parts(data: bytes) -> _Parts:
    parts = _Parts()
    lists = {2: parts.samples, 3: parts.mappings, 4: parts.locations, 5: parts.functions}
    for number, value, stop in fields(data):
        if (number in _BLOCKS) != (stop >= 0) and number != 13:
            raise WireError(value if stop >= 0 else 0, f"field {number} is of the wrong kind")
        if number in lists:
            lists[number].append((value, stop))
        elif number == 6:
            parts.strings.append(data[value:stop].decode("utf-8", "replace"))
        elif number == 1:
            parts.types.append(_pair(data, value, stop))
        elif number == 11:
            parts.period_type = _pair(data, value, stop)
        elif number == 12:
            parts.period = signed(value)
        elif number == 14:
            parts.default_type = value
    return parts


def _pair(data: bytes, start: int, stop: int) -> tuple[int, int]:
    """A value type: its kind and unit (strings)."""
    found = dict(_singles(data, start, stop))
    return found.get(1, 0), found.get(2, 0)


def _singles(data: bytes, start: int, stop: int) -> Iterator[tuple[int, int]]:
    return ((number, value) for number, value, end in fields(data, start, stop) if end < 0)


class _Reading:
    """Makes functions, frames and rows of the messages; ids may be any numbers."""

    def __init__(self, data: bytes, parts: _Parts, builder: Builder) -> None:
        self.data = data
        self.parts = parts
        self.builder = builder
        self._functions = dict(map(self._function, parts.functions))
        self._mappings = dict(map(self._mapping, parts.mappings))
        self._locations = dict(map(self._location, parts.locations))
        self._stacks: dict[bytes, int] = {}
        self._labels: dict[bytes, int] = {}

    def _string(self, number: int) -> str:
        if number >= len(self.parts.strings):
            raise WireError(0, f"string {number} of {len(self.parts.strings)}")
        return self.parts.strings[number]

    def _function(self, where: Block) -> tuple[int, int]:
        said = dict(_singles(self.data, *where))
        name = self._string(said.get(2, 0)) or self._string(said.get(3, 0)) or "?"
        line = _line(said.get(5, 0))
        return said.get(1, 0), self.builder.function(name, self._string(said.get(4, 0)), line)

    def _mapping(self, where: Block) -> tuple[int, str]:
        said = dict(_singles(self.data, *where))
        return said.get(1, 0), self._string(said.get(5, 0))

    def _location(self, where: Block) -> tuple[int, list[int]]:
        """Its id, and its frames root first (inlined functions are several)."""
        said: dict[int, int] = {}
        frames = []
        for number, value, stop in fields(self.data, *where):
            if number == 4 and stop >= 0:
                frames.append(self._frame(value, stop))
            elif stop < 0:
                said[number] = value
        if not frames:
            address = f"{said.get(3, 0):#x}"
            function = self.builder.function(address, self._mappings.get(said.get(2, 0), ""))
            frames.append(self.builder.frame(function, 0))
        return said.get(1, 0), frames[::-1]

    def _frame(self, start: int, stop: int) -> int:
        said = dict(_singles(self.data, start, stop))
        function = self._functions.get(said.get(1, 0))
        if function is None:
            raise WireError(start, f"function {said.get(1, 0)} is not defined")
        return self.builder.frame(function, _line(said.get(2, 0)))

    def read(self, unit_ns: int | None) -> None:
        weight, factor, cpu, cpu_factor = self._values(unit_ns)
        for where in self.parts.samples:
            locations, values, labels = b"", list[int](), []
            for number, value, stop in fields(self.data, *where):
                if number == 1:
                    part = self.data[value:stop] if stop >= 0 else bytes(_again(value))
                    locations += part
                elif number == 2:
                    values += integers(self.data, value, stop)
                elif number == 3 and stop >= 0:
                    labels.append((value, stop))
            if len(values) != len(self.parts.types):
                raise WireError(where[0], f"{len(values)} values of {len(self.parts.types)}")
            self.builder.add(
                self._stack(locations, where[0]),
                signed(values[weight]) * factor,
                self._thread(labels),
                cpu_ns=signed(values[cpu]) * cpu_factor if cpu is not None else None,
                place=where[0],
            )

    def _values(self, unit_ns: int | None) -> tuple[int, int, int | None, int]:
        """Which value is the weight, what one of it is in ns; the same for CPU time."""
        named = [(self._string(kind), self._string(unit)) for kind, unit in self.parts.types]
        timed = [place for place, (_, unit) in enumerate(named) if unit_of(unit)]
        default = self._string(self.parts.default_type)
        asked = [place for place, (kind, _) in enumerate(named) if default and kind == default]
        wall = [place for place in timed if named[place][0] in _WALL]
        cpu = next((place for place in timed if named[place][0] in _CPU), None)
        weight = [*wall, *(place for place in asked if place in timed), *timed[::-1]]
        cpu_factor = (unit_of(named[cpu][1]) or 1) if cpu is not None else 1
        if weight:
            return weight[0], unit_of(named[weight[0]][1]) or 1, cpu, cpu_factor
        counts = [place for place, (_, unit) in enumerate(named) if unit == "count"]
        if not counts:
            raise WireError(0, f"no time in it, but {', '.join(k for k, _ in named) or 'nothing'}")
        period = unit_of(self._string(self.parts.period_type[1]))
        told = self.parts.period * period if period and self.parts.period > 0 else None
        if unit_ns is None and told is None:
            self.builder.note(COUNTS)
        return counts[0], unit_ns or told or 1, None, 1

    def _stack(self, locations: bytes, place: int) -> int:
        known = self._stacks.get(locations)
        if known is None:
            frames: list[int] = []
            for number in reversed(integers(locations, 0, len(locations))):
                found = self._locations.get(number)
                if found is None:
                    raise WireError(place, f"location {number} is not defined")
                frames += found
                if len(frames) > len(self.data) * 16 + 10_000:
                    raise WireError(place, "a stack has more frames than the file explains")
            known = self._stacks[locations] = self.builder.path(frames)
        return known

    def _thread(self, labels: list[Block]) -> int:
        """The thread of a sample by its labels; equal labels give one thread."""
        key = b"".join([self.data[start:stop] + b"\n" for start, stop in labels])
        known = self._labels.get(key)
        if known is None:
            texts, numbers = {}, {}
            for where in labels:
                said = dict(_singles(self.data, *where))
                label = self._string(said.get(1, 0))
                texts[label] = self._string(said.get(2, 0))
                numbers[label] = signed(said.get(3, 0))
            name = next((texts[label] for label in _THREAD_NAMES if texts.get(label)), "")
            ids = (numbers.get(label, 0) or _digits(texts.get(label, "")) for label in _THREAD_IDS)
            native = next((number for number in ids if number > 0), 0)
            pid = max(numbers.get("pid", 0), 0)
            process = self.builder.process(pid, pid)
            known = self.builder.thread((pid, name, native), name, 0, native, process)
            self._labels[key] = known
        return known


def _again(number: int) -> Iterator[int]:
    """The bytes of a number that was read: repeated fields need not be packed."""
    while number > 127:
        yield number & 127 | 128
        number >>= 7
    yield number


def _digits(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _line(number: int) -> int:
    return number if number <= _LARGEST_LINE else 0
