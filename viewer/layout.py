"""From call trees and timelines to boxes: a row (depth) and a stretch of x from 0 to 1.

No pixels, no colours: whoever draws decides about those. Boxes of one row never overlap, and a
box lies within the box below which it hangs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from flamespan.aggregator.stacktree import Ids, Ints, by_level

if TYPE_CHECKING:
    from flamespan.aggregator.calltree import CallTree
    from flamespan.aggregator.timeline import ThreadTimeline, Timelines

_T = TypeVar("_T", bound=np.generic)

Floats = npt.NDArray[np.float64]

FOLDED = -2
"""Stands where a function would: a box for several nodes that are too small to be drawn."""

BARE = -1
"""Stands where a function would: a sample without any frame."""


@dataclass(frozen=True, eq=False, slots=True)
class Boxes:
    """Boxes as columns. ``depth`` counts from 0, ``x0`` and ``x1`` are shares of the whole.

    ``function`` is one of ``Tables`` (or FOLDED, BARE), ``total_ns`` what a box's width means,
    ``self_ns`` the part of it in which nothing hangs below, ``node`` the tree's node (-1 where
    there is no single one), ``count`` the nodes it stands for. ``left_out`` is the number of
    nodes that no box stands for.
    """

    depth: Ids
    x0: Floats
    x1: Floats
    function: Ids
    total_ns: Ints
    self_ns: Ints
    node: Ids
    count: Ids
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.depth)


def left_heavy(tree: CallTree, limit: int | None = None) -> Boxes:
    """One box a node, callers above callees, the largest child leftmost.

    At most ``limit`` boxes: the smallest nodes are folded, siblings (with all below them) into
    one FOLDED box, and of those the smallest are left out.
    """
    whole = int(tree.total_ns[0])
    start = _starts(tree)
    nodes = np.arange(1, len(tree), dtype=np.int32)
    nodes = nodes[tree.total_ns[nodes] > 0]
    every = len(nodes)
    folds: list[tuple[int, int, int, int]] = []
    if limit is not None and every > limit:
        # Largest first; of equals the one that comes first, which is the parent or the left one.
        largest = nodes[np.argsort(-tree.total_ns[nodes], kind="stable")]
        nodes = np.sort(largest[: max(limit * 3 // 4, 1)])
        folds = _folds(tree, nodes, start, limit - len(nodes))
    folded = np.array(folds, np.int64).reshape(-1, 4)
    begin = np.r_[start[nodes], folded[:, 1]]
    total = np.r_[tree.total_ns[nodes], folded[:, 2]]
    none = np.full(len(folded), -1)
    return Boxes(
        depth=np.r_[tree.depth[nodes] - 1, folded[:, 0]].astype(np.int32),
        x0=begin / (whole or 1),
        x1=(begin + total) / (whole or 1),
        function=np.r_[tree.function[nodes], none * 0 + FOLDED].astype(np.int32),
        total_ns=total,
        self_ns=np.r_[tree.self_ns[nodes], np.zeros(len(folded), np.int64)],
        node=np.r_[nodes, none].astype(np.int32),
        count=np.r_[np.ones(len(nodes), np.int64), folded[:, 3]].astype(np.int32),
        left_out=every - len(nodes) - int(folded[:, 3].sum()),
    )


def _starts(tree: CallTree) -> Ints:
    """Where each node begins, in nanoseconds: its parent's begin plus its elder siblings."""
    order = np.argsort(tree.parent[1:], kind="stable") + 1
    parent = tree.parent[order]
    before = np.cumsum(tree.total_ns[order]) - tree.total_ns[order]
    first = np.flatnonzero(np.r_[True, parent[1:] != parent[:-1]])[: len(order)]
    family = np.repeat(before[first], np.diff(np.r_[first, len(order)]))
    start = np.zeros(len(tree), np.int64)
    start[order] = before - family
    for nodes in by_level(tree.depth)[2:]:
        start[nodes] += start[tree.parent[nodes]]
    return start


def _folds(
    tree: CallTree, kept_nodes: Ids, start: Ints, limit: int
) -> list[tuple[int, int, int, int]]:
    """(row, begin, nanoseconds, nodes) of what was not kept below each kept node, largest first."""
    kept = np.zeros(len(tree), bool)
    kept[kept_nodes] = True
    kept[0] = True
    size = _subtree_sizes(tree)
    found: dict[int, list[int]] = {}
    for node in np.flatnonzero(~kept & kept[tree.parent] & (tree.total_ns > 0)):
        fold = found.setdefault(int(tree.parent[node]), [int(start[node]), 0, 0])
        fold[1] += int(tree.total_ns[node])
        fold[2] += int(size[node])
    folds = [(int(tree.depth[parent]), *fold) for parent, fold in found.items()]
    folds.sort(key=lambda fold: (-fold[2], fold[0], fold[1]))
    return [(row, begin, total, count) for row, begin, total, count in folds[:limit]]


def _subtree_sizes(tree: CallTree) -> Ints:
    """How many nodes with time hang below each node, itself included."""
    size = (tree.total_ns > 0).astype(np.int64)
    for nodes in by_level(tree.depth)[:0:-1]:
        np.add.at(size, tree.parent[nodes], size[nodes])
    return size


def time_order(lines: Timelines, line: ThreadTimeline) -> Boxes:
    """One thread's boxes along the time axis; neighbours in the same function are one box."""
    tree, stacks, weights = lines.tree, line.stacks, line.weights_ns
    edges = np.r_[0, np.cumsum(weights)]
    whole = int(edges[-1]) or 1
    at = stacks.copy()
    parts = []
    for row in range(int(tree.depth[stacks].max(initial=0)), 0, -1):
        here = tree.depth[at] == row
        same = here[1:] & here[:-1] & (at[1:] == at[:-1])
        first = np.flatnonzero(here & np.r_[True, ~same])
        last = np.flatnonzero(here & np.r_[~same, True])
        nodes = at[first]
        resting = np.r_[0, np.cumsum(np.where(stacks == at, weights, 0))]
        self_ns = resting[last + 1] - resting[first]
        function = np.where(nodes == lines.bare, BARE, tree.key[nodes])
        parts.append(
            (np.full(len(first), row - 1), edges[first], edges[last + 1], function, self_ns)
        )
        at = np.where(here, tree.parent[at], at)
    columns = [np.concatenate(column) for column in zip(*reversed(parts), strict=True)]
    rows, begin, end, function, self_ns = columns or [np.zeros(0, np.int64)] * 5
    return Boxes(
        depth=rows.astype(np.int32),
        x0=begin / whole,
        x1=end / whole,
        function=function.astype(np.int32),
        total_ns=end - begin,
        self_ns=self_ns,
        node=np.full(len(rows), -1, np.int32),
        count=np.ones(len(rows), np.int32),
    )


def coarse(boxes: Boxes, columns: int) -> Boxes:
    """Boxes narrower than one of ``columns`` stretches of x, those of one stretch and row as one.

    Each such group is drawn from its first to its last box as the function that has most of it.
    """
    width = boxes.x1 - boxes.x0
    narrow = np.flatnonzero(width * columns < 1)
    if not len(narrow):
        return boxes
    column = ((boxes.x0 + boxes.x1)[narrow] / 2 * columns).astype(np.int64)
    cell = boxes.depth[narrow].astype(np.int64) * (columns + 1) + column
    # Within a cell the widest last, so that it is the one that a dictionary would keep.
    order = np.lexsort((width[narrow], cell))
    narrow, cell = narrow[order], cell[order]
    first = np.flatnonzero(np.r_[True, cell[1:] != cell[:-1]])
    last = np.r_[first[1:], len(cell)] - 1
    wide = np.flatnonzero(width * columns >= 1)
    widest = narrow[last]

    def joined(kept: npt.NDArray[_T], of_groups: npt.NDArray[_T]) -> npt.NDArray[_T]:
        return np.concatenate([kept[wide], of_groups])

    return Boxes(
        depth=joined(boxes.depth, boxes.depth[widest]),
        x0=joined(boxes.x0, np.minimum.reduceat(boxes.x0[narrow], first)),
        x1=joined(boxes.x1, np.maximum.reduceat(boxes.x1[narrow], first)),
        function=joined(boxes.function, boxes.function[widest]),
        total_ns=joined(boxes.total_ns, np.add.reduceat(boxes.total_ns[narrow], first)),
        self_ns=joined(boxes.self_ns, np.add.reduceat(boxes.self_ns[narrow], first)),
        node=joined(boxes.node, np.full(len(first), -1, np.int32)),
        count=joined(boxes.count, np.add.reduceat(boxes.count[narrow], first)),
        left_out=boxes.left_out,
    )
