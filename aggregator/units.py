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
from flamespan.aggregator.stacktree import Bools, Ids, Ints, StackTree, stable_order
from flamespan.aggregator.statistics import Floats

if TYPE_CHECKING:
    from flamespan.aggregator.view import View

BLOCK_NS = 10_000_000_000
"""Neighbouring samples of a thread resemble each other; ten seconds apart they hardly do."""

_CHUNK = 1 << 18
"""What is expanded at a time; it should fit into the processor's cache."""

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
    rows = view.selected
    stack, stacks = numbered(rows.stack)
    size = max(len(stacks), 1)
    keys, weight = summed_by(unit.astype(np.int64) * size + stack, view.weights_ns)
    return Units(keys // size, keys % size, weight, len(key), stacks, key, timeless(view))


def numbered(values: Ints) -> tuple[Ids, Ints]:
    """Each value's number among the distinct ones, and these, ascending."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if low < 0 or high > _DENSE * len(values) + _CHUNK:
        number, distinct = pd.factorize(values, sort=True)
        return number.astype(np.int32), np.asarray(distinct)
    seen = np.zeros(high + 1, bool)
    seen[values] = True
    distinct = np.flatnonzero(seen)
    place = np.zeros(high + 1, np.int32)
    place[distinct] = np.arange(len(distinct), dtype=np.int32)
    return place[values], distinct


def summed_by(key: Ints, values: Ints) -> tuple[Ints, Ints]:
    """The distinct keys (none below 0), ascending, and the sum of the values of each."""
    if not len(key):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    order = stable_order(key)
    ordered = key[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    return ordered[first], np.add.reduceat(values[order], first)


def timeless(view: View) -> bool:
    """Whether samples outside of transactions are in view that were summed as they were read."""
    rows = view.selected
    return rows.summed is not None and bool((rows.span < 0).any())


def row_units(view: View) -> tuple[Ids, Ids]:
    """The unit (0, 1, …) of each selected row, and what each unit is (``Units.key``)."""
    rows, spans = view.selected, view.tables.spans
    root = np.r_[spans.transaction, -1].astype(np.int64)  # of no span: -1, the last one
    key = root[rows.span]
    outside = np.flatnonzero(key < 0)
    if len(outside):
        key[outside] = len(spans)
        if not timeless(view):  # of one unit nothing can be told
            key[outside] += _blocks(view, outside)
    return numbered(key)


def _blocks(view: View, at: Ints) -> Ints:
    """A number for each of the rows: equal where process and ten seconds are."""
    rows = view.selected
    process = np.array([thread.process for thread in view.tables.threads], np.int64)
    first = np.array([process.first_ns for process in view.tables.processes], np.int64)
    whose = process[rows.thread[at]]
    block = (rows.time_ns[at] - 1 - first[whose]) // BLOCK_NS
    block -= block.min()
    blocks: Ints = whose * (int(block.max()) + 1) + block
    return blocks


def on_path(tree: StackTree, place: Ids, group: Ids, first: Bools, size: int) -> Membership:
    """Groups of the nodes on the way from the root to ``place[i]``, for each stack ``i``.

    ``group`` is per node; only nodes where ``first`` holds count (``StackTree.outermost``).
    """
    used, index = np.unique(place, return_inverse=True)
    count = np.zeros(len(tree), np.int64)  # how many are on the way to each node
    for level in tree.levels[1:]:
        count[level] = count[tree.parent[level]] + first[level]
    ends = np.cumsum(count[used])
    begins = ends - count[used]
    held = np.empty(int(ends[-1]) if len(ends) else 0, np.int32)
    at, begin = used, begins
    while len(at):
        on = np.flatnonzero(first[at])
        held[begin[on] + count[at[on]] - 1] = group[at[on]]
        at = tree.parent[at]
        going = at > 0
        at, begin = at[going], begin[going]
    lengths = count[used][index]
    expanded = ranges(begins[index], lengths)
    return Membership(np.r_[0, np.cumsum(lengths)].astype(np.int64), held[expanded], size)


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
    squares, products = np.zeros(membership.size), np.zeros(membership.size)
    for low, cells, key, weight in _expanded(units, membership):
        if cells <= _DENSE * len(key):
            held = np.bincount(key, weight, cells).reshape(-1, membership.size)
            squares += np.einsum("ij,ij->j", held, held)
            products += units.totals[low : low + len(held)] @ held
        else:
            at, to, value = _sparse(low, key, weight, membership.size)
            squares += np.bincount(to, value * value, membership.size)
            products += np.bincount(to, value * units.totals[at], membership.size)
    error = statistics.ratio_error(squares, products, units.totals, share)
    df = statistics.effective_df(squares, np.rint(share * units.totals.sum()), units.totals)
    return statistics.interval(share, error, units.told, df)


def unit_sums(units: Units, membership: Membership) -> Iterator[tuple[Ids, Ids, Floats]]:
    """Units, groups and weights, in parts: every (unit, group) with weight once."""
    for low, cells, key, weight in _expanded(units, membership):
        if cells <= _DENSE * len(key):
            dense = np.bincount(key, weight, cells).astype(np.float64)
            found = np.flatnonzero(dense)
            yield found // membership.size + low, found % membership.size, dense[found]
        else:
            yield _sparse(low, key, weight, membership.size)


def _expanded(units: Units, membership: Membership) -> Iterator[tuple[int, int, Ints, Floats]]:
    """The weight of every pair once for every group of its stack, whole units at a time.

    Each part is (its first unit, units times groups, ``(unit - first unit) * groups + group``,
    weight).
    """
    lengths = np.diff(membership.first)[units.stack]
    ends, size = np.cumsum(lengths), membership.size
    edges = np.r_[np.searchsorted(units.unit, np.arange(units.count)), len(units.unit)]
    begin = 0
    while begin < units.count:
        before = int(ends[edges[begin] - 1]) if edges[begin] else 0
        # As many units as stay below the chunk's size, but always one.
        sizes = np.r_[0, ends][edges[begin + 1 :]] - before
        until = begin + max(int(np.searchsorted(sizes, _CHUNK, "right")), 1)
        part = slice(int(edges[begin]), int(edges[until]))
        key = membership.group[ranges(membership.first[units.stack[part]], lengths[part])]
        row = (units.unit[part] - begin).astype(np.int64) * size
        weight = np.repeat(units.weight_ns[part].astype(np.float64), lengths[part])
        yield begin, (until - begin) * size, np.repeat(row, lengths[part]) + key, weight
        begin = until


def _sparse(low: int, key: Ints, weight: Floats, size: int) -> tuple[Ids, Ids, Floats]:
    """Sums per (unit, group): units, groups and weights without repeats."""
    summed = pd.Series(weight).groupby(key, sort=False).sum()
    summed = summed[summed != 0]
    found = summed.index.to_numpy(np.int64)
    return found // size + low, found % size, np.asarray(summed, np.float64)


def ranges(starts: Ints, lengths: Ints) -> Ints:
    """``starts[0], starts[0]+1, …`` for each start, as many as its length."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    places: Ints = np.arange(total) + np.repeat(starts - (ends - lengths), lengths)
    return places
