"""Sums of two profiles by stratum, and the difference of what they estimate.

A stratum is a transaction name. Comparing within strata, weighted by one common mix of names,
tells code that changed from traffic that did.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from flamespan.aggregator import statistics
from flamespan.aggregator.stacktree import Ids
from flamespan.aggregator.statistics import CONFIDENCE, Floats

FEWEST = 40
"""Where a side has fewer units of a stratum, both sides' are pooled for its variance: their own is
not known well enough."""

POWER = 0.8
"""How often the smallest change that is told would have been found."""


@dataclass(frozen=True, eq=False, slots=True)
class Sums:
    """One side by stratum: ``count`` units with weights m; for each function its weights y.

    ``m``, ``mm`` = sums of m and m*m by stratum; ``y``, ``yy``, ``ym`` by stratum and function.
    ``hits`` is the number of units in which each function was seen.
    """

    count: Floats
    m: Floats
    mm: Floats
    y: Floats
    yy: Floats
    ym: Floats
    hits: Ids


@dataclass(frozen=True, eq=False, slots=True)
class Units:
    """One side unit by unit: each unit's stratum and weight; (unit, function, weight) triples."""

    stratum: Ids
    m: Floats
    unit: Ids
    function: Ids
    y: Floats

    def sums(self, strata: int, functions: int) -> Sums:
        """The sums by stratum."""

        def by_unit(values: Floats) -> Floats:
            return np.bincount(self.stratum, values, strata).astype(np.float64)

        place = self.stratum[self.unit] * functions + self.function

        def by_both(values: Floats) -> Floats:
            summed = np.bincount(place, values, strata * functions)
            return summed.astype(np.float64).reshape(strata, functions)

        return Sums(
            count=by_unit(np.ones(len(self.m))),
            m=by_unit(self.m),
            mm=by_unit(self.m * self.m),
            y=by_both(self.y),
            yy=by_both(self.y * self.y),
            ym=by_both(self.y * self.m[self.unit]),
            hits=np.bincount(self.function, minlength=functions),
        )

    def pooled(self) -> Units:
        """The same in one stratum."""
        return Units(np.zeros_like(self.stratum), self.m, self.unit, self.function, self.y)


def evened(base: Units, new: Units) -> tuple[Units, Units]:
    """Both sides with long units counted less: each by ``1 / (1 + m / (2 * median m))``.

    Samples of one unit resemble each other, so one of ten times the length does not tell ten
    times as much, and with durations of a heavy tail a few would decide. The factor depends on a
    unit's length alone, so equals stay equal. Of functions that took half as long again it found
    twice as many as the plain share (15 and 7 of 30, data of ``tests/bench/bench_diff.py``).
    """
    lengths = np.r_[base.m[base.m > 0], new.m[new.m > 0]]
    middle = 2 * float(np.median(lengths)) if len(lengths) else 1.0

    def one(side: Units) -> Units:
        factor = 1 / (1 + side.m / middle)
        y = side.y * factor[side.unit]
        return Units(side.stratum, side.m * factor, side.unit, side.function, y)

    return one(base), one(new)


@dataclass(frozen=True, eq=False, slots=True)
class Change:
    """New minus base per function, its standard error and degrees of freedom."""

    base: Floats
    new: Floats
    error: Floats
    df: Floats

    @property
    def change(self) -> Floats:
        """The difference."""
        return self.new - self.base

    def interval(self) -> tuple[Floats, Floats]:
        """The 95 % interval of the difference."""
        reach = _quantiles((1 + CONFIDENCE) / 2, self.df) * self.error
        return self.change - reach, self.change + reach

    def p_values(self) -> Floats:
        """Probability of a difference at least as large where nothing changed."""
        found = np.ones(len(self.error))
        for i, (change, error, df) in enumerate(zip(self.change, self.error, self.df, strict=True)):
            if change:
                found[i] = statistics.t_two_sided(change / error if error > 0 else math.inf, df)
        return found

    def smallest(self, tests: int) -> Floats:
        """The change that would have been found four times in five among so many tests."""
        level = (1 - CONFIDENCE) / max(tests, 1)
        reach = _quantiles(1 - level / 2, self.df) + _quantiles(POWER, self.df)
        smallest: Floats = reach * self.error
        return smallest


def _quantiles(probability: float, df: Floats) -> Floats:
    """Student's t for each df, rounded down to two digits (so never too sure, and few to do)."""
    size = 10.0 ** np.maximum(np.floor(np.log10(np.maximum(df, 1))) - 1, 0)
    rounded = np.maximum(np.floor(df / size) * size, 1)
    return np.array([statistics.t_quantile(probability, value) for value in rounded.tolist()])


def weights(base: Sums, new: Sums) -> Floats:
    """The common mix of strata: ``n_base * n_new / (n_base + n_new)`` each, 0 where one is 0.

    A name counts as much as both sides know of it: the weights of Mantel and Haenszel (JNCI 22,
    1959), which have the smallest variance where a change is the same in all strata.
    """
    both = base.count * new.count / np.maximum(base.count + new.count, 1)
    mix: Floats = both / max(float(both.sum()), 1e-9)
    return mix


def time_change(base: Sums, new: Sums, mix: Floats) -> Change:
    """Change of the mean weight per unit, standardised to ``mix``: ``sum(w_s * mean_s)``.

    Its variance is ``sum(w_s**2 * var_s)`` over the strata s (Cochran, Sampling Techniques, 3rd
    ed., 5.3), degrees of freedom by Satterthwaite.
    """
    means = [side.y / np.maximum(side.count, 1)[:, None] for side in (base, new)]
    values = [mix @ mean for mean in means]
    return _change(values, [side.yy for side in (base, new)], means, (base, new), mix, (1.0, 1.0))


def share_change(base: Sums, new: Sums, mix: Floats) -> Change:
    """Change of the share ``sum(w_s * mean y_s) / sum(w_s * mean m_s)``, standardised to ``mix``.

    The variance is linearised: that of ``y - share * m`` (Cochran, 6.11: the combined ratio).
    """
    values, squares, means, scales = [], [], [], []
    for side in (base, new):
        count = np.maximum(side.count, 1)
        mean_y, mean_m = side.y / count[:, None], side.m / count
        whole = float(mix @ mean_m)
        share = mix @ mean_y / (whole or 1)
        values.append(share)
        squares.append(side.yy - 2 * share * side.ym + np.outer(side.mm, share * share))
        means.append(mean_y - np.outer(mean_m, share))
        scales.append(1 / (whole or 1))
    return _change(values, squares, means, (base, new), mix, (scales[0], scales[1]))


def _change(
    values: list[Floats],
    squares: list[Floats],
    means: list[Floats],
    sides: tuple[Sums, Sums],
    mix: Floats,
    scales: tuple[float, float],
) -> Change:
    """The change of ``values`` whose error comes from means and sums of squares by stratum."""
    counts = [side.count[:, None] for side in sides]
    few = np.minimum(*counts) < FEWEST
    both = np.maximum(counts[0] + counts[1], 1)
    # Around the mean of both: what shuffling the units between the sides would give. It holds
    # however few a stratum has, where a side's own variance would often be 0 by accident.
    common = (counts[0] * means[0] + counts[1] * means[1]) / both
    together = np.maximum(squares[0] + squares[1] - both * common * common, 0)
    variance, below = np.zeros(len(values[0])), np.zeros(len(values[0]))
    for mean, square, count, scale in zip(means, squares, counts, scales, strict=True):
        alone = np.maximum(square - count * mean * mean, 0) / np.maximum(count - 1, 1)
        spread = np.where(few, together / np.maximum(both - 1, 1), alone)
        part = spread / np.maximum(count, 1) * (mix * mix)[:, None] * scale * scale
        variance += part.sum(axis=0)
        free = np.where(few, np.maximum(both - 1, 1), np.maximum(count - 1, 1))
        below += (part * part / free).sum(axis=0)
    known = below > 0
    df = np.where(known, variance * variance / np.where(known, below, 1), 1.0)
    return Change(values[0], values[1], np.sqrt(variance), np.maximum(df, 1.0))
