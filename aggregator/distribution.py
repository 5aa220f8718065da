"""How long each function took in each transaction: what percentiles and histograms are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flamespan.aggregator.stacktree import Bools, Ids, Ints, stable_order
from flamespan.aggregator.units import Membership, Units, alone, on_path, unit_sums
from flamespan.profiler.errors import UsageError

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

MEASURES = ("total", "self")
_PER_DECADE = 6
_FIRST_NS, _DECADES = 1000, 10

EDGES_NS: Ints = np.round(
    _FIRST_NS * 10.0 ** (np.arange(_PER_DECADE * _DECADES + 1) / _PER_DECADE)
).astype(np.int64)
"""Where the bins of a histogram of times begin, ns: six in each decade from 1 µs to 10,000 s."""


@dataclass(frozen=True, eq=False)
class Held:
    """Each (function, transaction) with time, ordered by function, then weight, largest last.

    ``function`` is a row of ``Tables``, ``transaction`` a row of ``Tables.spans``, ``weight_ns``
    the function's time in it by the view's clock (several threads add up).
    """

    function: Ids
    transaction: Ids
    weight_ns: Ints

    @property
    def first(self) -> Ids:
        """Where each function seen begins."""
        before = np.r_[-1, self.function[:-1]] if len(self.function) else self.function
        return np.flatnonzero(self.function != before)

    def of(self, functions: Bools, transactions: Bools) -> Held:
        """What these functions and transactions (masks over both tables) have of it."""
        at = np.flatnonzero(functions[self.function] & transactions[self.transaction])
        return Held(self.function[at], self.transaction[at], self.weight_ns[at])

    def slowest(self, most: int) -> Held:
        """The ``most`` transactions of each function that hold most of it, the slowest first."""
        end = np.r_[self.first[1:], len(self.function)] if len(self.function) else self.first
        from_last = np.repeat(end, np.diff(np.r_[self.first, len(self.function)])) - 1
        place = from_last - np.arange(len(self.function))
        kept = np.flatnonzero(place < most)
        kept = kept[np.lexsort((place[kept], self.function[kept]))]
        return Held(self.function[kept], self.transaction[kept], self.weight_ns[kept])

    def histogram(self) -> tuple[Ids, Ids, Ints]:
        """Functions, bins and counts: bin i holds times from EDGES_NS[i] on, below the next edge.

        Shorter times are in the first bin, longer ones in the last.
        """
        bins = len(EDGES_NS) - 1
        place = np.clip(np.searchsorted(EDGES_NS, self.weight_ns, "right") - 1, 0, bins - 1)
        cells, counts = np.unique(self.function.astype(np.int64) * bins + place, return_counts=True)
        return cells // bins, cells % bins, counts


def held(profile: Profile, measure: str = "total") -> Held:
    """Time of each function in each transaction in view that it was seen in.

    ``measure`` is "total" or "self" time; UsageError for anything else.
    """
    if measure not in MEASURES:
        raise UsageError(f"no measure {measure!r}; there are {', '.join(MEASURES)}")
    inside = profile.in_transactions()
    return held_by(inside.units, _membership(inside, measure))


def held_by(units: Units, membership: Membership) -> Held:
    """The same of ``units`` that are all transactions, for what ``membership`` says of stacks."""
    parts = list(unit_sums(units, membership))
    none = np.zeros(0, np.int64)
    unit, function, weight = (
        np.concatenate([none, *(np.asarray(part[i]) for part in parts)]).astype(np.int64)
        for i in range(3)  # sums of integers below 2**53 are exact as floats
    )
    row = units.key[unit]
    # By function, then weight, then the later transaction first.
    order = stable_order(row)[::-1]
    order = order[stable_order(weight[order])]
    order = order[stable_order(function[order])]
    return Held(function[order], row[order], weight[order])


def _membership(inside: Profile, measure: str) -> Membership:
    """Which functions each stack is the time of."""
    frame_function = inside.tables.frame_function
    units, size = inside.units, len(inside.tables.function_name)
    if measure == "self":
        place = inside.shown.place[units.stacks]
        leaf = frame_function[inside.shown.tree.key[place]]
        return alone(np.where(place > 0, leaf, -1), size)
    tree, place = inside.counted.tree, inside.counted.place[units.stacks]
    return on_path(tree, place, frame_function[tree.key], tree.outermost(frame_function), size)
