"""Values of JSON files, each checked for its type: errors name the place in the file."""

from __future__ import annotations

import os
from typing import Any

from flamespan.profiler.errors import SampleFileError

LARGEST_LINE = (1 << 31) - 1


class Place:
    """A value of a JSON file and the way to it (``profiles[2].samples[17]``)."""

    __slots__ = ("path", "value", "where")

    def __init__(self, path: str | os.PathLike[str], value: Any, where: str = "") -> None:
        self.path = os.fspath(path)
        self.value = value
        self.where = where

    def error(self, reason: str) -> SampleFileError:
        """The error to raise for what is wrong here."""
        return SampleFileError(self.path, None, f"{self.where or 'the file'}: {reason}")

    def get(self, key: str) -> Place:
        """The member ``key`` of an object (None where there is none)."""
        if not isinstance(self.value, dict):
            raise self.error("is no object")
        where = f"{self.where}.{key}" if self.where else key
        return Place(self.path, self.value.get(key), where)

    def at(self, index: int) -> Place:
        """The element ``index`` of a list."""
        return Place(self.path, self.value[index], f"{self.where}[{index}]")

    def items(self) -> list[Any]:
        """The elements of a list."""
        if not isinstance(self.value, list):
            raise self.error("is no list")
        return self.value

    def each(self) -> list[Place]:
        """Every element of a list with its place."""
        return [self.at(index) for index in range(len(self.items()))]

    def text(self) -> str:
        """A string ("" where there is none)."""
        if self.value is None:
            return ""
        if not isinstance(self.value, str):
            raise self.error("is no text")
        return self.value

    def line(self) -> int:
        """A line number (0: unknown, as what cannot be one)."""
        value = self.value
        usable = type(value) is int and 0 < value <= LARGEST_LINE
        return value if usable else 0

    def number(self) -> float | int:
        """A finite number."""
        return _number(self, self.value)

    def index(self, size: int) -> int:
        """An index into a list of ``size``."""
        value = self.value
        if type(value) is not int or not 0 <= value < size:
            raise self.error(f"{str(value)[:40]} is no index of {size}")
        return int(value)


def _number(place: Place, value: Any) -> float | int:
    if isinstance(value, str):
        try:
            value = int(value[:30]) if len(value) <= 30 else None
        except ValueError:
            value = None
    if type(value) not in (int, float):
        raise place.error("is no number")
    if not abs(value) < 1e300:
        raise place.error(f"{str(value)[:40]} is too large")
    return value  # type: ignore[no-any-return]
