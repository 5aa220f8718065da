"""Sampling units: what may be counted as independent, and how much of what each one holds.

A unit is a transaction; samples outside every transaction fall into blocks of ten seconds of
their process. Everything works on distinct (unit, stack) pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flamespan.aggregator import statistics
from flamespan.aggregator.stacktree import Bools, Ids, Ints, StackTree
from flamespan.aggregator.statistics import Floats

if TYPE_CHECKING:
    from flamespan.aggregator.view import View

BLOCK_NS = 10_000_000_000
"""Neighbouring samples of a thread resemble each other; ten seconds apart they hardly do."""

_CHUNK = 1_000_000
_DENSE = 16
"""Cells of a dense table that one row may cost before hashing is cheaper."""


@dataclass(frozen=True, eq=False)
class Units:
    """Distinct (unit, stack) pairs of a view, ordered by unit, with the weight of each.

    ``stacks`` are the distinct stacks (nodes of ``Tables.tree``), ``stack`` of a pair is a
    position in them. Only units with samples in view are there; ``key`` is what each is: the row
    of a transaction, or a number from the number of spans on for a block. ``timeless``: samples
    outside of transactions were summed, so that there are no blocks to tell apart.
    """

    unit: Ids
    stack: Ids
    weight_ns: Ints
    count: int
    stacks: Ids
    key: Ids
    timeless: bool = False

    @cached_property
    def totals(self) -> Floats:
        """Weight of each unit."""
        return np.bincount(self.unit, self.weight_ns, self.count).astype(np.float64)

    @property
    def told(self) -> int:
        """How many units have any weight: the others say nothing about shares."""
        return 0 if self.timeless else int((self.totals > 0).sum())


@dataclass(frozen=True, eq=False)
class Membership:
    """Which groups each stack belongs to: those of stack ``i`` are ``group[first[i]:first[i+1]]``.

    No group stands twice at one stack, so that a total counts a sample once.
    """

    first: Ints
    group: Ids
    size: int


def units_of(view: View) -> Units:
    """The sampling units of a view's selected samples, by its clock."""
    unit, key = row_units(view)
    stack, stacks = pd.factorize(view.selected.stack)
    size = max(len(stacks), 1)
    summed = pd.Series(view.weights_ns).groupby(unit.astype(np.int64) * size + stack).sum()
    keys = summed.index.to_numpy(np.int64)
    weight = summed.to_numpy(np.int64)
    return Units(keys // size, keys % size, weight, len(key), stacks, key, timeless(view))


def timeless(view: View) -> bool:
    """Whether samples outside of transactions are in view that were summed as they were read."""
    rows = view.selected
    return rows.summed is not None and bool((rows.span < 0).any())


def row_units(view: View) -> tuple[Ids, Ids]:
    """The unit (0, 1, …) of each selected row, and what each unit is (``Units.key``)."""
    rows, spans = view.selected, view.tables.spans
    process = np.array([thread.process for thread in view.tables.threads], np.int64)
    first = np.array([process.first_ns for process in view.tables.processes], np.int64)
    whose = process[rows.thread] if len(rows) else np.zeros(0, np.int64)
    block = (rows.time_ns - 1 - first[whose]) // BLOCK_NS if len(rows) else whose
    block = block - block.min(initial=0)
    key = len(spans) + whose * (int(block.max(initial=0)) + 1) + block
    inside = rows.span >= 0
    if timeless(view):  # one unit, of which nothing can be told
        key[~inside] = len(spans)
    key[inside] = spans.transaction[rows.span[inside]]
    codes, distinct = pd.factorize(key)
    return codes.astype(np.int32), np.asarray(distinct)


def on_path(tree: StackTree, place: Ids, group: Ids, first: Bools, size: int) -> Membership:
    """Groups of the nodes on the way from the root to ``place[i]``, for each stack ``i``.

    ``group`` is per node; only nodes where ``first`` holds count (``StackTree.outermost``).
    """
    used, index = np.unique(place, return_inverse=True)
    stacks, groups = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
    at, stack = used, np.arange(len(used))
    while len(at):
        on = first[at]
        stacks.append(stack[on])
        groups.append(group[at[on]].astype(np.int32))
        going = tree.parent[at] > 0
        at, stack = tree.parent[at[going]], stack[going]
    whose, held = np.concatenate(stacks), np.concatenate(groups)
    order = np.argsort(whose, kind="stable")
    ends = np.cumsum(np.bincount(whose, minlength=len(used)))
    starts = np.r_[0, ends[:-1]].astype(np.int64) if len(used) else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[starts, ends[-1:]])[index]
    expanded = _ranges(starts[index], lengths)
    return Membership(np.r_[0, np.cumsum(lengths)].astype(np.int64), held[order][expanded], size)


def alone(group: Ids, size: int) -> Membership:
    """Each stack in one group; in none where it is negative."""
    has = group >= 0
    return Membership(np.r_[0, np.cumsum(has)].astype(np.int64), group[has], size)


def intervals(units: Units, membership: Membership, share: Floats) -> tuple[Floats, Floats]:
    """The 95 % intervals of the groups' ``share`` of the view (NaN: too few units to tell).

    ``membership`` is by ``units.stacks``.
    """
    if units.told < statistics.FEWEST_UNITS:
        return statistics.interval(share, share, units.told)
    squares, products, sums = (np.zeros(membership.size) for _ in range(3))
    for at, to, value in unit_sums(units, membership):
        sums += np.bincount(to, value, membership.size)
        squares += np.bincount(to, value * value, membership.size)
        products += np.bincount(to, value * units.totals[at], membership.size)
    error = statistics.ratio_error(squares, products, units.totals, share)
    df = statistics.effective_df(squares, sums, units.totals)
    return statistics.interval(share, error, units.told, df)


def unit_sums(units: Units, membership: Membership) -> Iterator[tuple[Ids, Ids, Floats]]:
    """Units, groups and weights, in parts: every (unit, group) with weight once."""
    for unit, group, weight in _expanded(units, membership):
        yield from _summed(unit, group, weight, membership.size)


def _expanded(units: Units, membership: Membership) -> Iterator[tuple[Ids, Ids, Ints]]:
    """(unit, group, weight) of every pair and every group of its stack, whole units at a time."""
    lengths = np.diff(membership.first)[units.stack]
    ends = np.cumsum(lengths)
    edges = np.r_[np.searchsorted(units.unit, np.arange(units.count)), len(units.unit)]
    begin = 0
    while begin < units.count:
        before = int(ends[edges[begin] - 1]) if edges[begin] else 0
        # As many units as stay below the chunk's size, but always one.
        sizes = np.r_[0, ends][edges[begin + 1 :]] - before
        until = begin + max(int(np.searchsorted(sizes, _CHUNK, "right")), 1)
        part = slice(int(edges[begin]), int(edges[until]))
        held = _ranges(membership.first[units.stack[part]], lengths[part])
        yield (
            np.repeat(units.unit[part], lengths[part]),
            membership.group[held],
            np.repeat(units.weight_ns[part], lengths[part]),
        )
        begin = until


def _summed(unit: Ids, group: Ids, weight: Ints, size: int) -> Iterator[tuple[Ids, Ids, Floats]]:
    """Sums per (unit, group): units, groups and weights without repeats."""
    if not len(unit):
        return
    low = int(unit[0])
    cells = (int(unit[-1]) - low + 1) * size
    key = (unit - low).astype(np.int64) * size + group
    if cells <= _DENSE * len(key):
        dense = np.bincount(key, weight, cells).astype(np.float64)
        found = np.flatnonzero(dense)
        yield found // size + low, found % size, dense[found]
        return
    summed = pd.Series(weight).groupby(key, sort=False).sum()
    summed = summed[summed != 0]
    found = summed.index.to_numpy(np.int64)
    yield found // size + low, found % size, summed.to_numpy(np.float64)


def _ranges(starts: Ints, lengths: Ints) -> Ints:
    """``starts[0], starts[0]+1, …`` for each start, as many as its length."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    places: Ints = np.arange(total) + np.repeat(starts - (ends - lengths), lengths)
    return places
