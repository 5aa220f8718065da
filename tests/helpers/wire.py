"""Slow readers of pprof and OTLP bytes, written apart from the package's own."""

from __future__ import annotations

import gzip


def message(data: bytes) -> dict[int, list]:
    """Every field of a protocol buffers message: number -> values (ints or bytes)."""
    found: dict[int, list] = {}
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 1:
            value, at = int.from_bytes(data[at : at + 8], "little"), at + 8
        else:
            assert key & 7 == 2, key
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
            assert len(value) == size
        found.setdefault(key >> 3, []).append(value)
    return found


def varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        number |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return number, at


def varints(data: bytes) -> list[int]:
    found, at = [], 0
    while at < len(data):
        number, at = varint(data, at)
        found.append(number)
    return found


class Pprof:
    """A pprof profile as plain Python; every reference is checked."""

    def __init__(self, packed: bytes) -> None:
        top = message(gzip.decompress(packed))
        self.strings = [text.decode() for text in top[6]]
        assert self.strings[0] == ""
        self.types = [self._pair(kind) for kind in top[1]]
        self.default = self.strings[top.get(14, [0])[0]]
        self.functions = {f[1][0]: f for f in map(message, top.get(5, []))}
        self.locations = {loc[1][0]: loc for loc in map(message, top.get(4, []))}
        assert 0 not in self.functions
        assert 0 not in self.locations
        self.samples = [self._sample(message(sample)) for sample in top.get(2, [])]
        self.top = top

    def _pair(self, data):
        fields = message(data)
        return self.strings[fields[1][0]], self.strings[fields[2][0]]

    def _sample(self, fields):
        """(frames root first, values, labels)"""
        frames = [self._frame(number) for number in varints(fields[1][0])[::-1]]
        values = varints(fields[2][0])
        assert len(values) == len(self.types)
        labels = {}
        for label in map(message, fields.get(3, [])):
            text = self.strings[label[2][0]] if 2 in label else label[3][0]
            labels[self.strings[label[1][0]]] = text
        return frames, values, labels

    def _frame(self, number):
        (line,) = self.locations[number][4]
        said = message(line)
        function = self.functions[said[1][0]]
        name = self.strings[function[2][0]]
        file = self.strings[function.get(4, [0])[0]]
        return name, file, function.get(5, [0])[0], said.get(2, [0])[0]

    def folded(self, kind: str) -> dict[str, int]:
        """Folded stacks by bare name of one of the values."""
        place = [name for name, _ in self.types].index(kind)
        found: dict[str, int] = {}
        for frames, values, _ in self.samples:
            stack = ";".join(name for name, _, _, _ in frames)
            if values[place]:
                found[stack] = found.get(stack, 0) + values[place]
        return found
