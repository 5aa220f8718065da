"""Time in which at least one thread was in a function, however many were.

64 groups at a time: a stack's groups are bits of a word, a moment's the union of the words of
the threads that were seen at it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from flamespan.aggregator.data import Bytes
from flamespan.aggregator.stacktree import Ids, Ints
from flamespan.aggregator.units import on_path

if TYPE_CHECKING:
    from flamespan.aggregator.view import View

_WORD = 64
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(
    int
)
Words = npt.NDArray[np.uint64]


def wall_any(view: View, group: Ids, size: int, total_ns: Ints) -> Ints:
    """Per group of frames: wall nanoseconds in which a thread in view had it on its stack.

    ``group`` is per frame. Threads of one process are joined, processes add up: their clocks
    need not agree. Where no two samples overlap this is ``total_ns`` (by the wall clock).
    """
    row, moment, length_ns = _moments(view)
    if view.weight_clock == "wall" and not (moment[1:] == moment[:-1]).any():
        return total_ns
    any_ns = np.zeros(size, np.int64)
    if not len(row):
        return any_ns
    stack, stacks = pd.factorize(view.selected.stack[row])
    tree = view.counted.tree
    of_node, first_of_group = group[tree.key], tree.outermost(group)
    held = on_path(tree, view.counted.place[stacks], of_node, first_of_group, size)
    seen = np.unique(held.group)
    number = np.searchsorted(seen, held.group)
    whose = np.repeat(np.arange(len(stacks)), np.diff(held.first))
    order = np.argsort(number, kind="stable")
    number, whose = number[order], whose[order]
    first = np.flatnonzero(np.r_[True, moment[1:] != moment[:-1]])
    lasting = length_ns[moment[first]]
    for low in range(0, len(seen), _WORD):
        on = slice(*np.searchsorted(number, [low, low + _WORD]))
        words = _words(whose[on], number[on] - low, len(stacks))
        together = np.bitwise_or.reduceat(words[stack], first)
        part = seen[low : low + _WORD]
        any_ns[part] = _weigh(together, lasting)[: len(part)]
    return any_ns


def _moments(view: View) -> tuple[Ints, Ints, Ints]:
    """Stretches of time between any two edges of samples of a process, and who was seen then.

    Gives (row of ``selected``, moment) pairs ordered by moment, and every moment's length.
    """
    rows = view.selected
    process = np.array([thread.process for thread in view.tables.threads], np.int64)
    whose = process[rows.thread] if len(rows) else np.zeros(0, np.int64)
    found, moments, lengths, known = [], [], [np.zeros(0, np.int64)], 0
    for one in np.unique(whose):
        mine = np.flatnonzero((whose == one) & (rows.wall_ns > 0))
        begin, end = (rows.time_ns - rows.wall_ns)[mine], rows.time_ns[mine]
        edges = np.unique(np.r_[begin, end])
        low, high = np.searchsorted(edges, begin), np.searchsorted(edges, end)
        spread = np.repeat(np.arange(len(mine)), high - low)
        offset = np.arange(len(spread)) - np.repeat(
            np.cumsum(high - low) - (high - low), high - low
        )
        found.append(mine[spread])
        moments.append(low[spread] + offset + known)
        lengths.append(np.diff(edges))
        known += max(len(edges) - 1, 0)
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    row, moment = np.concatenate(found), np.concatenate(moments)
    order = np.argsort(moment, kind="stable")
    return row[order], moment[order], np.concatenate(lengths)


def _words(stack: Ids, bit: Ints, stacks: int) -> Words:
    """Each stack's groups as bits of one word."""
    bits = np.zeros((stacks, _WORD), bool)
    bits[stack, bit] = True
    packed: Words = np.packbits(bits, axis=1, bitorder="little").view("<u8")[:, 0]
    return packed


def _weigh(words: Words, length_ns: Ints) -> Ints:
    """For each of the 64 bits, how long it is set."""
    # By the value of each byte first: 256 sums tell those of its eight bits.
    values = np.ascontiguousarray(words, "<u8").view(np.uint8).reshape(-1, 8)
    sums = np.zeros(_WORD, np.int64)
    for place in range(8):
        by_value = _by_value(values[:, place], length_ns)
        sums[8 * place : 8 * place + 8] = by_value @ _BITS
    return sums


def _by_value(byte: Bytes, length_ns: Ints) -> Ints:
    """Sum of the lengths for each value of a byte."""
    if int(length_ns.sum()) < 2**53:  # whole numbers as floats are exact up to here
        return np.bincount(byte, length_ns, 256).astype(np.int64)
    sums = np.zeros(256, np.int64)
    np.add.at(sums, byte, length_ns)
    return sums
