"""Sums samples by what they were taken in, while a large file is read: memory stays small.

One row stands for all samples of a thread in one span on one stack in one state. What is kept
exactly: every sum (wall time, CPU time, samples) by span, transaction, thread, stack, state, so
all tables and trees are the same. What is not: when each sample was taken (a row has the time of
its last one). The first samples of a thread in a span stay rows of their own, so that they can be
cut to the span's start as always.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd

from flamespan.aggregator.content import Columns
from flamespan.aggregator.stacktree import Bools, Ints

_MOST_ROWS = 1 << 21
"""Sums of this many rows are summed again before more are added."""


class Summing:
    """Takes columns in time order, a run at a time; ``columns`` gives their sums."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, int]] = set()
        self._single: list[Columns] = []
        self._summed: list[Columns] = []
        self._rows = 0

    def add(self, columns: Columns) -> None:
        """Take in the next run of samples."""
        if not len(columns.stack):
            return
        first = self._first_of_context(columns)
        self._single.append(_picked(columns, first))
        rest = _summed(_picked(columns, ~first)) if first.any() else _summed(columns)
        self._summed.append(rest)
        self._rows += len(rest.stack)
        if self._rows > _MOST_ROWS:
            self._summed = [_summed(_joined(self._summed))]
            # As many again as there are now, lest ever more distinct rows be summed at each run.
            self._rows = -len(self._summed[0].stack) + _MOST_ROWS // 2

    def columns(self) -> Columns | None:
        """All that was added, in order of time; None if nothing was."""
        if not self._summed:
            return None
        whole = _joined([*self._single, _summed(_joined(self._summed))])
        order = np.argsort(whole.time_ns, kind="stable")
        return _picked(whole, order)

    def _first_of_context(self, columns: Columns) -> Bools:
        """Samples of the pass in which a thread was first seen in a span."""
        span, spans = pd.factorize(columns.span_id)
        threads = int(columns.thread.max()) + 1
        context, pairs = pd.factorize(span * np.int64(threads) + columns.thread)
        size = len(context)
        at = np.zeros(len(pairs), np.int64)
        at[context[::-1]] = np.arange(size - 1, -1, -1)  # the last one written is the first
        known = zip(spans[pairs // threads].tolist(), (pairs % threads).tolist(), strict=True)
        new = np.array([pair not in self._seen for pair in known], bool)
        if not new.any():
            return np.zeros(size, bool)
        self._seen.update(
            zip(spans[pairs[new] // threads].tolist(), (pairs[new] % threads).tolist(), strict=True)
        )
        began = np.where(new, columns.time_ns[at], np.iinfo(np.int64).min)
        first: Bools = columns.time_ns == began[context]
        return first


def _summed(columns: Columns) -> Columns:
    """One row for each distinct (span, thread, stack, state, flags)."""
    size = len(columns.stack)
    if not size:
        return columns
    kind = columns.state.astype(np.int64) << 8 | columns.flags
    code = np.zeros(size, np.int64)
    distinct = 1
    for column in (kind, columns.span_id, columns.thread, columns.stack):
        known, values = _coded(column)
        if distinct * len(values) > 1 << 62:
            code, distinct = _renumbered(code)
        code = code * len(values) + known
        distinct *= len(values)
    group, groups = pd.factorize(code)
    last = np.zeros(len(groups), np.int64)
    last[group] = np.arange(size)
    return Columns(
        time_ns=_latest(columns.time_ns, group, len(groups)),
        wall_ns=_sums(columns.wall_ns, group, len(groups)),
        cpu_ns=_sums(columns.cpu_ns, group, len(groups)),
        stack=columns.stack[last],
        span_id=columns.span_id[last],
        thread=columns.thread[last],
        state=columns.state[last],
        flags=columns.flags[last],
        samples=_sums(_samples(columns), group, len(groups)),
        wait_ns=_sums(_waits(columns), group, len(groups)),
    )


def _coded(column: Ints) -> tuple[Ints, Ints]:
    """Each value's number among the distinct ones; small values are their own number."""
    low, high = int(column.min()), int(column.max())
    if low >= 0 and high < 1 << 20:
        return column.astype(np.int64), np.arange(high + 1)
    code, values = pd.factorize(column)
    return code.astype(np.int64), values


def _renumbered(code: Ints) -> tuple[Ints, int]:
    known, values = pd.factorize(code)
    return known.astype(np.int64), len(values)


def _sums(values: Ints, group: Ints, size: int) -> Ints:
    summed = np.zeros(size, np.int64)
    np.add.at(summed, group, values)
    return summed


def _latest(time_ns: Ints, group: Ints, size: int) -> Ints:
    latest = np.full(size, np.iinfo(np.int64).min)
    np.maximum.at(latest, group, time_ns)
    return latest


def _samples(columns: Columns) -> Ints:
    return np.ones(len(columns.stack), np.int64) if columns.samples is None else columns.samples


def _waits(columns: Columns) -> Ints:
    if columns.wait_ns is not None:
        return columns.wait_ns
    waits: Ints = np.maximum(columns.wall_ns - columns.cpu_ns, 0)
    return waits


def _picked(columns: Columns, which: Bools | Ints) -> Columns:
    whole = replace(columns, samples=_samples(columns), wait_ns=_waits(columns))
    return Columns(*(getattr(whole, f.name)[which] for f in fields(Columns)))


def _joined(parts: list[Columns]) -> Columns:
    return Columns(
        *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Columns))
    )
