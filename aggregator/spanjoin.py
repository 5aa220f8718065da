"""Span events of all processes → one span table, and from process ids to its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from flamespan.aggregator.data import Spans, encodable
from flamespan.aggregator.stacktree import Ids, Ints
from flamespan.profiler.model import NO_SPAN, SpanEvents, SpanStart

_DENSE = 1 << 20
"""Span ids up to here are looked up in a table, however few samples there are."""


@dataclass(slots=True)
class _Row:
    start: SpanStart
    process: int
    thread: int
    start_ns: int
    end_ns: int = -1
    status: str = "open"
    tags: dict[str, str] = field(default_factory=dict)
    measurements: dict[str, tuple[float, str]] = field(default_factory=dict)


class SpanJoiner:
    """Collects what happened to spans, file by file (the parts of a process in their order)."""

    def __init__(self) -> None:
        self._rows: list[_Row] = []
        self._place: dict[tuple[int, int], int] = {}

    def add(
        self, process: int, events: SpanEvents, epoch_ns: int, threads: dict[int, set[int]]
    ) -> None:
        """Take in one file's events. ``threads``: the thread rows of each of Python's idents.

        An ident is used again after a thread's death; where that leaves several threads, the
        span's samples tell which one it was (``place_threads``).
        """
        for start in events.started:
            key = (process, start.id)
            # One that was open when the file was rotated, or is called otherwise, is told again.
            if key in self._place:
                self._rows[self._place[key]].start = start
            else:
                self._place[key] = len(self._rows)
                those = threads.get(start.thread_ident, set())
                thread = next(iter(those)) if len(those) == 1 else -1
                self._rows.append(_Row(start, process, thread, start.start_ns + epoch_ns))
        for end in events.ended:
            if row := self._row(process, end.id):
                row.end_ns, row.status = end.end_ns + epoch_ns, end.status
        for tag in events.tags:
            if row := self._row(process, tag.id):
                row.tags[tag.key] = tag.value
        for measured in events.measurements:
            if row := self._row(process, measured.id):
                row.measurements[measured.name] = (measured.value, measured.unit)

    def _row(self, process: int, span_id: int) -> _Row | None:
        place = self._place.get((process, span_id))
        return None if place is None else self._rows[place]

    def rows_of(self, process: int, span_id: Ints) -> Ids:
        """The span table's row of each id; -1 for none and for spans whose start was lost."""
        known = [(key, row) for (of, key), row in self._place.items() if of == process]
        highest = int(span_id.max(initial=0))
        if highest > _DENSE + 4 * len(span_id):  # ids from anywhere: no table by id
            distinct, inverse = np.unique(span_id, return_inverse=True)
            place = dict(known)
            return np.array([place.get(int(i), -1) for i in distinct], np.int32)[inverse]
        rows = np.full(highest + 1, -1, np.int32)
        for key, row in known:
            if key <= highest:
                rows[key] = row
        rows[NO_SPAN] = -1
        # Ids beyond 63 bits come only from damaged or hostile files; they are nobody's.
        return rows[np.maximum(span_id, NO_SPAN)]

    def place_threads(self, span: Ids, thread: Ids, idents: Sequence[int]) -> None:
        """Set each span's thread from its first sample that a thread of its ident took.

        ``span`` and ``thread`` are rows per sample, ``idents`` Python's ident of each thread.
        """
        if not self._rows:
            return
        opened_by = np.array([row.start.thread_ident for row in self._rows], np.uint64)
        taken_by = np.array(idents, np.uint64)[thread]
        own = np.flatnonzero((span >= 0) & (opened_by[span] == taken_by))
        # Backwards, so that the first sample of a span is the last one to be written.
        first = np.full(len(self._rows), -1, np.int64)
        first[span[own[::-1]]] = own[::-1]
        for place in np.flatnonzero(first >= 0):
            self._rows[place].thread = int(thread[first[place]])

    def spans(self, last_ns: list[int]) -> Spans:
        """The table; ``last_ns`` says of each process when it was last seen."""
        rows = self._rows
        parent = self._parents()
        is_open = np.array([row.end_ns < 0 for row in rows], bool)
        ends = [
            row.end_ns if row.end_ns >= 0 else max(row.start_ns, last_ns[row.process])
            for row in rows
        ]
        return Spans(
            id=np.array([row.start.id for row in rows], np.int64),
            parent=parent,
            transaction=_roots(parent),
            process=np.array([row.process for row in rows], np.int32),
            thread=np.array([row.thread for row in rows], np.int32),
            start_ns=np.array([row.start_ns for row in rows], np.int64),
            end_ns=np.array(ends, np.int64),
            open=is_open,
            name=[encodable(row.start.name) for row in rows],
            op=[encodable(row.start.op) for row in rows],
            description=[encodable(row.start.description) for row in rows],
            status=[encodable(row.status) for row in rows],
            tags=[row.tags for row in rows],
            measurements=[row.measurements for row in rows],
        )

    def _parents(self) -> Ids:
        """Rows of the parents; one that was lost, or is not older, makes its child a root."""
        found = [
            self._place.get((row.process, row.start.parent), -1) if row.start.parent else -1
            for row in self._rows
        ]
        older = [at if at < place else -1 for place, at in enumerate(found)]
        return np.array(older, np.int32)


def _roots(parent: Ids) -> Ids:
    """The outermost ancestor of every row (parents stand before their children)."""
    root = np.where(parent < 0, np.arange(len(parent)), parent).astype(np.int32)
    while True:
        further = root[root]
        if np.array_equal(further, root):
            return root
        root = further
