"""What happened to spans as columns, the way the file keeps it: no object for each event.

A server has thousands of requests between two flushes. Rows of them would be the collector's
business while the application runs; columns are a few lists and arrays.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flamespan.profiler.model import SpanEnd, SpanEvents, SpanMeasurement, SpanStart, SpanTag

Table = tuple[Any, ...]
"""A column for each field of its row type, in their order: numbers (an array or a list) or text."""


def _started() -> Table:
    return array("q"), array("q"), array("Q"), [], [], [], array("q")


def _ended() -> Table:
    return array("q"), array("q"), []


def _tags() -> Table:
    return array("q"), [], []


def _measurements() -> Table:
    return array("q"), [], array("d"), []


@dataclass(slots=True)
class SpanColumns:
    """``SpanEvents``, column by column: the fields of its rows in their order."""

    started: Table = field(default_factory=_started)
    ended: Table = field(default_factory=_ended)
    tags: Table = field(default_factory=_tags)
    measurements: Table = field(default_factory=_measurements)

    def __bool__(self) -> bool:
        return any(map(len, (self.started[0], self.ended[0], self.tags[0], self.measurements[0])))

    def add(self, more: SpanColumns) -> None:
        """Append what happened later."""
        for mine, theirs in zip(self._tables(), more._tables(), strict=True):
            extend(mine, theirs)

    def add_rows(self, events: SpanEvents) -> None:
        """Append what happened later."""
        lists: tuple[list[Any], ...] = (
            events.started,
            events.ended,
            events.tags,
            events.measurements,
        )
        for mine, rows in zip(self._tables(), lists, strict=True):
            extend(mine, zip(*rows, strict=True))

    def rows(self) -> SpanEvents:
        """An object for each event."""
        return SpanEvents(
            [SpanStart(*row) for row in zip(*self.started, strict=True)],
            [SpanEnd(*row) for row in zip(*self.ended, strict=True)],
            [SpanTag(*row) for row in zip(*self.tags, strict=True)],
            [SpanMeasurement(*row) for row in zip(*self.measurements, strict=True)],
        )

    def _tables(self) -> tuple[Table, Table, Table, Table]:
        return self.started, self.ended, self.tags, self.measurements


def extend(table: Table, columns: Iterable[Any]) -> None:
    """Append columns to those of a table; none at all: nothing. Bytes are an array's."""
    for mine, theirs in zip(table, columns, strict=False):
        if isinstance(theirs, bytes):
            mine.frombytes(theirs)
        else:
            mine.extend(theirs)


class Taken(NamedTuple):
    """What a queue of spans has to tell since it was last asked.

    ``started``, ``ended`` and ``tags`` are columns. Of the spans behind them ``opened`` are the
    starts of those that are open; ``closed`` the ids of those closed whose start was told before.
    Only where it is asked for, ``whole`` and ``ends`` are starts and ends of all that were closed.
    ``others`` are events that are no spans; ``lost`` the ids of spans
    that nobody can close.
    """

    started: Table
    ended: Table
    tags: Table
    opened: list[SpanStart]
    closed: list[int]
    whole: list[SpanStart]
    ends: list[SpanEnd]
    others: list[object]
    lost: list[int]
