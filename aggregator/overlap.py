"""Intervals against intervals: how long each of many stretches overlaps who had what in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from flamespan.aggregator.stacktree import Bools, Ids, Ints

NOBODY = -1
"""The key of time that no stretch covers."""

_EVER = int(np.iinfo(np.int64).min)

_AT_ONCE = 1 << 20
"""Pairs of intervals that are joined at a time, so that memory stays small."""


@dataclass(frozen=True, eq=False, slots=True)
class Stretches:
    """Intervals ``(start_ns, end_ns]`` of a domain, each with a key."""

    domain: Ids
    start_ns: Ints
    end_ns: Ints
    key: Ids

    def __len__(self) -> int:
        return len(self.key)

    def pick(self, mask: Bools) -> Stretches:
        """The stretches where ``mask`` holds."""
        return Stretches(*(getattr(self, name)[mask] for name in self.__slots__))

    def one_at_a_time(self) -> Stretches:
        """Ordered by domain and time and not overlapping: the one that ends first keeps its time.

        Neighbours of one key that touch become one stretch.
        """
        order = np.lexsort((self.start_ns, self.end_ns, self.domain))
        ordered = Stretches(*(getattr(self, name)[order] for name in self.__slots__))
        start, end, domain = ordered.start_ns, ordered.end_ns, ordered.domain
        same = np.r_[False, domain[1:] == domain[:-1]] if len(order) else np.zeros(0, bool)
        before = np.where(same, np.roll(end, 1), _EVER)
        # Where nobody had anything yet: a longer stretch that ends later may reach back to it.
        hole_end = np.where(start > before, start, _EVER)
        for here in np.unique(domain):
            own = domain == here
            if (start[own] < np.maximum.accumulate(hole_end[own])).any():
                return ordered._filled()
        kept = np.maximum(start, before)
        return Stretches(domain, kept, end, ordered.key).pick(kept < end)._joined()

    def _filled(self) -> Stretches:
        """``one_at_a_time`` of stretches in order, some of which are cut by shorter ones."""
        pieces: list[tuple[int, int, int, int]] = []
        holes: list[tuple[int, int]] = []
        here, reach = None, _EVER
        rows = (getattr(self, name).tolist() for name in self.__slots__)
        for domain, start, end, key in zip(*rows, strict=True):
            if domain != here:
                here, reach, holes = domain, _EVER, []
            if start > reach:
                holes.append((reach, start))
            if max(start, reach) < end:
                pieces.append((domain, max(start, reach), end, key))
            reach = max(reach, end)
            while holes and holes[-1][1] > start:
                begin, until = holes.pop()
                pieces.append((domain, max(begin, start), until, key))
                if begin < start:
                    holes.append((begin, start))
                    break
        columns = np.array(sorted(pieces), np.int64).reshape(-1, 4).T
        domains, starts, ends, keys = columns
        return Stretches(domains.astype(np.int32), starts, ends, keys.astype(np.int32))._joined()

    def _joined(self) -> Stretches:
        if not len(self):
            return self
        fresh = np.ones(len(self), bool)
        fresh[1:] = (
            (self.domain[1:] != self.domain[:-1])
            | (self.key[1:] != self.key[:-1])
            | (self.start_ns[1:] != self.end_ns[:-1])
        )
        last = np.r_[np.flatnonzero(fresh)[1:] - 1, len(self) - 1]
        first = self.pick(fresh)
        return Stretches(first.domain, first.start_ns, self.end_ns[last], first.key)

    def covered(self) -> Stretches:
        """What at least one of them covers, once; all keys become 0."""
        order = np.lexsort((self.start_ns, self.domain))
        start, end = self.start_ns[order], self.end_ns[order]
        domain = self.domain[order]
        parts = []
        for here in np.unique(domain):
            own = domain == here
            begin, reach = start[own], np.maximum.accumulate(end[own])
            first = np.flatnonzero(np.r_[True, begin[1:] > reach[:-1]])
            last = np.r_[first[1:] - 1, len(begin) - 1]
            parts.append((np.full(len(first), here, np.int32), begin[first], reach[last]))
        if not parts:
            return self
        domains, begins, ends = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Stretches(domains, begins, ends, np.zeros(len(domains), np.int32))


def overlaps(many: Stretches, held: Stretches) -> tuple[Ints, Ints, Ints]:
    """How long each key of ``many`` overlaps each key of ``held``: (key, held key, ns) sorted.

    ``held`` comes from ``one_at_a_time``; ``many`` may overlap each other. What no stretch of
    ``held`` covers is under ``NOBODY``, so that the nanoseconds of a key add up to the length of
    its stretches. Pairs without time are left out.
    """
    size = int(held.key.max(initial=-1)) + 2
    sums: dict[int, int] = {}
    for pair, ns in _pairs(many, held, size):
        inverse, distinct = pd.factorize(pair)  # hashing: np.unique would sort
        summed = np.zeros(len(distinct), np.int64)
        np.add.at(summed, inverse, ns)
        for place, part in zip(distinct.tolist(), summed.tolist(), strict=True):
            sums[place] = sums.get(place, 0) + part
    whole = np.zeros(int(many.key.max(initial=-1)) + 1, np.int64)
    np.add.at(whole, many.key, many.end_ns - many.start_ns)
    for place, part in sums.items():
        whole[place // size] -= part
    sums |= {key * size: rest for key, rest in enumerate(whole.tolist())}
    found = sorted(place for place, part in sums.items() if part)
    pairs = np.array(found, np.int64)
    return pairs // size, pairs % size - 1, np.array([sums[place] for place in found], np.int64)


def _pairs(many: Stretches, held: Stretches, size: int) -> Iterator[tuple[Ints, Ints]]:
    """(pair number, overlap) of all intervals that meet, a manageable number at a time."""
    for domain in np.unique(many.domain):
        own, having = many.pick(many.domain == domain), held.pick(held.domain == domain)
        first = np.searchsorted(having.end_ns, own.start_ns, "right")
        count = np.maximum(np.searchsorted(having.start_ns, own.end_ns, "left") - first, 0)
        done = np.cumsum(count)
        begin = 0
        while begin < len(own):
            before = int(done[begin - 1]) if begin else 0
            end = max(int(np.searchsorted(done, before + _AT_ONCE, "right")), begin + 1)
            part = slice(begin, end)
            who = np.repeat(np.arange(begin, end), count[part])
            within = np.arange(len(who)) - np.repeat(done[part] - count[part] - before, count[part])
            what = first[who] + within
            until = np.minimum(own.end_ns[who], having.end_ns[what])
            ns = until - np.maximum(own.start_ns[who], having.start_ns[what])
            yield own.key[who].astype(np.int64) * size + having.key[what] + 1, ns
            begin = end
