"""Time in which at least one thread was in a function, however many were.

64 groups at a time: a stack's groups are bits of a word, a moment's the union of the words of
the threads that were seen at it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from flamespan.aggregator.stacktree import Ids, Ints, stable_order
from flamespan.aggregator.units import Membership, ranges

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

_WORD = 64
_BIT = np.uint64(1) << np.arange(_WORD, dtype=np.uint64)
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(
    np.float64
)
_EXACT_NS = 1 << 53
"""Whole numbers as floats are exact up to here; longer times are weighed in two parts."""
_LOW_BITS = 24
_LOW = (1 << _LOW_BITS) - 1

Words = npt.NDArray[np.uint64]


def wall_any(profile: Profile, held: Membership, total_ns: Ints) -> Ints:
    """Per group: wall nanoseconds in which a thread in view had it on its stack.

    ``held`` are the groups on each of ``profile.units.stacks``. Threads of one process are
    joined, processes add up: their clocks need not agree. Where no two samples overlap this is
    ``total_ns`` (by the wall clock).
    """
    seen = _moments(profile)
    if profile.weight_clock == "wall" and not (seen.moment[1:] == seen.moment[:-1]).any():
        return total_ns
    any_ns = np.zeros(held.size, np.int64)
    # numpy lets go of the GIL: two threads take two thirds of the time.
    with ThreadPoolExecutor(2) as threads:
        for part, found in threads.map(lambda word: _any_of(seen, *word), _words(seen, held)):
            any_ns[part] = found[: len(part)]
    return any_ns


def _any_of(seen: _Moments, part: Ids, words: Words) -> tuple[Ids, Ints]:
    """For the groups ``part``, the bits of the stacks' ``words``: how long any thread had it."""
    stack, moment, first = seen.stack, seen.moment, seen.first
    has = (words != 0).take(stack)
    if 2 * np.count_nonzero(has) < len(has):  # few samples do, but for the first words
        at = np.flatnonzero(has)
        stack, moment = stack.take(at), moment.take(at)
        first = _starts(moment)
    together = np.bitwise_or.reduceat(words.take(stack), first)
    return part, _weigh(together, seen.length_ns.take(moment.take(first)))


@dataclass(frozen=True, eq=False, slots=True)
class _Moments:
    """Stretches of time between any two edges of samples of a process, and who was seen then.

    ``stack`` and ``moment`` are pairs ordered by moment, ``first`` is the first pair of each that
    has any, ``length_ns`` is per moment. Stacks are positions in ``Units.stacks``.
    """

    stack: Ids
    moment: Ints
    first: Ints
    length_ns: Ints


def _moments(profile: Profile) -> _Moments:
    rows, stacks = profile.selected, profile.units.stacks
    process = np.array([thread.process for thread in profile.tables.threads], np.int64)
    whose = process[rows.thread] if len(rows) else np.zeros(0, np.int64)
    found, moments, lengths, known = [], [], [], 0
    for one in range(len(profile.processes)):
        mine = np.flatnonzero((whose == one) & (rows.wall_ns > 0))
        end = rows.time_ns[mine]
        many, low, high, edges = _edges(end - rows.wall_ns[mine], end)
        spread = np.repeat(high - low, many)
        found.append(np.repeat(mine, spread))
        moments.append(ranges(np.repeat(low + known, many), spread))
        lengths.append(np.diff(edges))
        known += max(len(edges) - 1, 0)
    none = np.zeros(0, np.int64)
    row, moment = np.concatenate([none, *found]), np.concatenate([none, *moments])
    if (moment[1:] < moment[:-1]).any():
        order = np.argsort(moment, kind="stable")
        row, moment = row[order], moment[order]
    place = np.zeros(len(profile.tables.tree), np.intp)
    place[stacks] = np.arange(len(stacks))
    length_ns = np.concatenate([none, *lengths])
    return _Moments(place[rows.stack[row]], moment, _starts(moment), length_ns)


def _starts(ordered: Ints) -> Ints:
    """Where each of the distinct numbers begins."""
    return np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]][: len(ordered)])


def _edges(begin: Ints, end: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Runs of samples with the same time (the samples of a pass), and the edges of all.

    Gives how many samples a run has, where it begins and ends among the edges, and these.
    """
    new = (begin[1:] != begin[:-1]) | (end[1:] != end[:-1])
    first = np.flatnonzero(np.r_[True, new][: len(begin)])
    begin, end, many = begin[first], end[first], np.diff(np.r_[first, len(begin)])
    edges = np.sort(np.r_[begin, end])
    edges = edges[np.r_[True, edges[1:] != edges[:-1]][: len(edges)]]
    return many, np.searchsorted(edges, begin), np.searchsorted(edges, end), edges


def _words(seen: _Moments, held: Membership) -> Iterator[tuple[Ids, Words]]:
    """Up to 64 groups at a time, and which of them each stack has as the bits of a word.

    Groups that are on the most samples come first, so that those of the later words are on few.
    """
    samples = np.bincount(seen.stack, minlength=len(held.first) - 1)
    stack = np.repeat(np.arange(len(samples)), np.diff(held.first))
    frequency = np.bincount(held.group, samples.take(stack), held.size)
    order = np.argsort(-frequency, kind="stable")
    rank = np.empty(held.size, np.int32)
    rank[order] = np.arange(held.size, dtype=np.int32)
    number = rank.take(held.group)
    by_word = stable_order(number // _WORD)
    stack, number = stack.take(by_word), number.take(by_word)
    ends = np.cumsum(np.bincount(number // _WORD)).tolist()
    bit = _BIT.take(number % _WORD)
    for low in range(0, int((frequency > 0).sum()), _WORD):
        these = slice(ends[low // _WORD - 1] if low else 0, ends[low // _WORD])
        words = np.zeros(len(samples), np.uint64)
        np.bitwise_or.at(words, stack[these], bit[these])
        yield order[low : low + _WORD], words


def _weigh(words: Words, length_ns: Ints) -> Ints:
    """For each of the 64 bits, how long it is set."""
    if int(length_ns.sum()) > _EXACT_NS:
        low = _weigh(words, length_ns & _LOW)
        return (_weigh(words, length_ns >> _LOW_BITS) << _LOW_BITS) + low
    # By the value of two bytes first: as many sums tell those of the sixteen bits.
    lengths = length_ns.astype(np.float64)
    values = np.ascontiguousarray(words, "<u8").view("<u2").reshape(-1, 4)
    sums = []
    for place in range(4):
        by_value = np.bincount(values[:, place], lengths, 1 << 16).reshape(256, 256)
        sums += [by_value.sum(0) @ _BITS, by_value.sum(1) @ _BITS]
    return np.concatenate(sums).astype(np.int64)
