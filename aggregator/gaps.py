"""Missing instrumentation: stretches of a transaction that no child span covers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flamespan.aggregator.data import Spans
from flamespan.aggregator.stacktree import stable_order

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

COLUMNS = {
    "transaction": object,
    "row": np.int64,
    "start_ns": np.int64,
    "end_ns": np.int64,
    "duration_ns": np.int64,
    "function": object,
    "module": object,
    "file": object,
    "line": np.int64,
    "function_ns": np.int64,
    "samples": np.int64,
}


def gaps(profile: Profile, *, min_ns: int, min_share: float) -> pd.DataFrame:
    """Stretches that no child covers, longest first, with the function that filled each.

    Looked for in transactions, and in spans that have children: before the first child, between
    children, after the last. Reported where longer than ``min_ns`` and than ``min_share`` of
    the transaction. Columns: transaction (name), row (of the uncovered span in
    ``Tables.spans``), start_ns, end_ns, duration_ns (unix time), then the application function
    with the most self time in samples directly in that span: function, module, file, line,
    function_ns, and the number of samples that reach into the gap. Waiting is included, so where
    nothing ran that is where a thread was blocked or what a task awaited. No sample: "" and 0.
    """
    spans = profile.tables.spans
    found = [
        (row, start, end)
        for row, covered in _covered(spans, profile).items()
        for start, end in _uncovered(spans, row, covered)
        if end - start > max(min_ns, min_share * spans.duration_ns[spans.transaction[row]])
    ]
    filler = _Filler(profile)
    records = [
        (
            spans.name[spans.transaction[row]],
            row,
            start,
            end,
            end - start,
            *filler.of(row, start, end),
        )
        for row, start, end in found
    ]
    table = pd.DataFrame(records, columns=list(COLUMNS)).astype(COLUMNS)
    order = ["duration_ns", "start_ns", "row"]
    return table.sort_values(order, ascending=[False, True, True], ignore_index=True)


def _covered(spans: Spans, profile: Profile) -> dict[int, list[tuple[int, int]]]:
    """Children's intervals of every transaction and of every span that has children."""
    covered: dict[int, list[tuple[int, int]]] = {}
    for row in np.flatnonzero(profile.span_mask):
        parent = int(spans.parent[row])
        if parent < 0:
            covered.setdefault(int(row), [])
        elif profile.span_mask[parent]:
            times = (int(spans.start_ns[row]), int(spans.end_ns[row]))
            covered.setdefault(parent, []).append(times)
    return covered


def _uncovered(spans: Spans, row: int, covered: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What is left of the span when all ``covered`` intervals are taken out."""
    at, end = int(spans.start_ns[row]), int(spans.end_ns[row])
    for begin, until in sorted(covered):
        if begin > at:
            yield at, min(begin, end)
        at = max(at, until)
        if at >= end:
            return
    yield at, end


class _Filler:
    """Finds the application function that had most of the samples in a stretch of a span."""

    def __init__(self, profile: Profile) -> None:
        view = profile.application_frames()
        self._tables = profile.tables
        self._shown = view.shown
        rows = profile.rows.single()
        self._order = stable_order(rows.span + 1)
        ends = np.cumsum(np.bincount(rows.span + 1, minlength=len(profile.tables.spans) + 1))
        self._ends = ends.tolist()
        self._rows = rows

    def of(self, row: int, start: int, end: int) -> tuple[str, str, str, int, int, int]:
        """function, module, file, line, its nanoseconds and the samples in the stretch."""
        rows = self._rows
        picked = self._order[self._ends[row] : self._ends[row + 1]]
        # One row may stand for a long wait, that began before the gap and ends after it.
        until = np.minimum(rows.time_ns[picked], end)
        inside = until - np.maximum(rows.time_ns[picked] - rows.wall_ns[picked], start)
        picked, inside = picked[inside > 0], inside[inside > 0]
        if not len(picked):
            return "", "", "", 0, 0, 0
        tables = self._tables
        leaf = self._shown.tree.key[self._shown.place[rows.stack[picked]]]
        function = tables.frame_function[leaf]
        weights = np.zeros(len(tables.function_name), np.int64)
        np.add.at(weights, function, inside)
        best = int(np.argmax(weights))
        return (
            tables.function_name[best],
            tables.function_module[best],
            tables.function_file[best],
            int(tables.function_line[best]),
            int(weights[best]),
            len(picked),
        )
