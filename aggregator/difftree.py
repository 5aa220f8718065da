"""The call trees of two profiles as one, with the time of each in every node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flamespan.aggregator import calltree
from flamespan.aggregator.data import Tables
from flamespan.aggregator.stacktree import Ids, Ints, StackTree, rebuild

if TYPE_CHECKING:
    from flamespan.aggregator.comparison import Comparison
    from flamespan.aggregator.profile import Profile

_WHOLE = 10**12
"""The width of each side in ``DiffTree.tree``: both count the same, however long they were."""


@dataclass(frozen=True, eq=False)
class DiffTree:
    """Both sides' paths in one top-down tree, vanished and new ones too.

    ``tree``'s own times are widths: the mean of both sides' shares, in parts of 10**12.
    ``base_self_ns``, ``base_total_ns``, ``new_self_ns``, ``new_total_ns`` are per node of it, in
    the sides' own nanoseconds.
    """

    tree: calltree.CallTree
    base_self_ns: Ints
    base_total_ns: Ints
    new_self_ns: Ints
    new_total_ns: Ints

    def share_change(self) -> Ints:
        """New share minus base share of each node's total time, in parts of 10**12."""
        return _parts(self.new_total_ns) - _parts(self.base_total_ns)


def diff_tree(found: Comparison) -> DiffTree:
    """The call trees of the two sides of a comparison, functions matched as there."""
    tables = found.matched.tables
    before, after = (
        _by_function(side, of)
        for side, of in ((found.base, found.matched.of_base), (found.new, found.matched.of_new))
    )
    shift = len(before.parent) - 1
    later = after.parent[1:]
    up = np.r_[before.parent, np.where(later > 0, later + shift, 0)].astype(np.int32)
    tree, place = rebuild(up, np.r_[before.key, after.key[1:]].astype(np.int32))
    sides = (place[: shift + 1], np.r_[0, place[shift + 1 :]])
    own = [
        _moved(side.shown_weights()[0], to, len(tree))
        for side, to in zip((found.base, found.new), sides, strict=True)
    ]
    total = [tree.inclusive(values) for values in own]
    return _drawn(tables, tree, own, total)


def _drawn(tables: Tables, tree: StackTree, own: list[Ints], total: list[Ints]) -> DiffTree:
    width = sum(_scaled(values, int(sums[0])) for values, sums in zip(own, total, strict=True)) // 2
    seen = ((own[0] > 0) | (own[1] > 0)).astype(np.int64)
    made = calltree.top_down(tables, tree, np.asarray(width), seen)
    kept = np.flatnonzero((made.place > 0) | (np.arange(len(tree)) == 0))
    columns = []
    for side in (0, 1):
        for values in (own[side], total[side]):
            of_node = np.zeros(len(made), np.int64)
            of_node[made.place[kept]] = values[kept]
            columns.append(of_node)
    return DiffTree(made, *columns)


def _by_function(side: Profile, function: Ids) -> StackTree:
    """A side's shown stacks with matched functions as keys, node for node."""
    tree = side.shown.tree
    return StackTree(tree.parent, function[side.tables.frame_function[tree.key]])


def _moved(values: Ints, place: Ids, size: int) -> Ints:
    moved = np.zeros(size, np.int64)
    np.add.at(moved, place, values)
    return moved


def _scaled(values: Ints, whole: int) -> Ints:
    """Parts of 10**12 of the whole, rounded down."""
    return np.array([value * _WHOLE // (whole or 1) for value in values.tolist()], np.int64)


def _parts(total: Ints) -> Ints:
    return _scaled(total, int(total[0]))


def folded(found: Comparison) -> list[str]:
    """Lines ``stack base_ns new_ns`` of both sides' shown stacks, sorted, as difffolded.pl writes.

    A frame is ``name (file:first line)``, as in collapsed stacks; the sums are each side's total.
    """
    made = diff_tree(found)
    tree, tables = made.tree, found.matched.tables
    paths, sums = [""], dict[str, list[int]]()
    for node in range(1, len(tree)):
        label = tables.label(int(tree.function[node])).replace(";", ":")
        label = " ".join(label.splitlines()) or "?"
        above = paths[tree.parent[node]]
        paths.append(f"{above};{label}" if above else label)
    for path, base, new in zip(
        paths, made.base_self_ns.tolist(), made.new_self_ns.tolist(), strict=True
    ):
        if base or new:
            row = sums.setdefault(path or "<no stack>", [0, 0])
            row[0], row[1] = row[0] + base, row[1] + new
    return [f"{path} {base} {new}" for path, (base, new) in sorted(sums.items())]
