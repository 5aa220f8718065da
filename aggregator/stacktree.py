"""Stacks as a prefix tree in numpy: depths, inclusive sums, recursion, rebuilding.

Everything works on distinct stacks, whole levels or whole trees at a time; nothing here looks at
samples. Node 0 is the empty stack and ``parent[i] < i`` for every other node.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

# int64 for sums, int32 for ids; numpy's stubs do not keep them apart through arithmetic.
Ints = npt.NDArray[np.signedinteger[Any]]
Ids = npt.NDArray[np.signedinteger[Any]]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class StackTree:
    """Nodes ``(parent, key)``; what a key is (a frame, a function) its maker says."""

    parent: Ids
    key: Ids

    def __len__(self) -> int:
        return len(self.parent)

    @cached_property
    def depth(self) -> Ids:
        """Number of frames of each stack."""
        return depths(self.parent)

    @cached_property
    def levels(self) -> list[Ids]:
        """Node ids by depth; ``levels[0]`` is the empty stack alone."""
        return by_level(self.depth)

    @cached_property
    def _spans(self) -> tuple[Ints, Ints]:
        """Each node's place in depth-first order and the size of its subtree."""
        size = subtree_sizes(self.levels, self.parent)
        place = depth_first(self.levels, self.parent, size)
        return place, size

    @property
    def depth_first_place(self) -> Ints:
        """Each node's place in depth-first order: stacks that share callers are neighbours."""
        return self._spans[0]

    def inclusive(self, own: Ints) -> Ints:
        """Sum of ``own`` over each node's whole subtree (integers stay exact)."""
        place, size = self._spans
        ordered = np.zeros(len(self) + 1, np.int64)
        ordered[place + 1] = own
        sums = np.cumsum(ordered)
        between: Ints = sums[place + size] - sums[place]
        return between

    def outermost(self, group: Ids) -> Bools:
        """Which nodes are the first of their ``group[key]`` on the way from the root.

        Inclusive sums over these nodes count every stack once per group, however often the
        group stands on it.
        """
        place, size = self._spans
        by_place = np.empty(len(self), np.int32)
        by_place[place] = np.arange(len(self), dtype=np.int32)
        by_place = by_place[1:]  # node 0 has no key of its own
        groups = group[self.key[by_place]]
        order = stable_order(groups)
        nodes, stride = by_place[order], len(self) + 1
        begins = groups[order].astype(np.int64) * stride + place[nodes]
        # Within a group, in depth-first order: nested in an earlier node iff that one ends later.
        reach = np.maximum.accumulate(begins + size[nodes])
        first = np.ones(len(self), bool)
        first[0] = False
        first[nodes[1:]] = reach[:-1] <= begins[1:]
        return first

    def with_callers(self, nodes: Ids) -> Bools:
        """Which nodes are among ``nodes`` or above one of them; node 0 always is."""
        wanted = np.zeros(len(self), bool)
        wanted[0] = True
        wanted[nodes] = True
        for level in self.levels[:0:-1]:
            wanted[self.parent[level[wanted[level]]]] = True
        return wanted

    def shared_depth(self, one: Ids, other: Ids) -> Ids:
        """How many frames from the root the stacks ``one[i]`` and ``other[i]`` have in common."""
        one, other = one.astype(np.int64), other.astype(np.int64)
        depth, parent = self.depth, self.parent.astype(np.int64)
        astray = np.flatnonzero(one != other)
        while len(astray):
            a, b = one[astray], other[astray]
            up_a, up_b = depth[a] >= depth[b], depth[b] >= depth[a]
            one[astray] = a = np.where(up_a, parent[a], a)
            other[astray] = b = np.where(up_b, parent[b], b)
            astray = astray[a != b]
        shared: Ids = depth[one]
        return shared

    def path(self, node: int) -> list[int]:
        """Keys of one stack, root first."""
        parent, key = self._lists
        keys = []
        while node:
            keys.append(key[node])
            node = parent[node]
        return keys[::-1]

    @cached_property
    def _lists(self) -> tuple[list[int], list[int]]:
        """Parents and keys as Python's numbers, for walking up one stack after another."""
        return self.parent.tolist(), self.key.tolist()


def depths(up: Ids) -> Ids:
    """How many steps each node is from node 0 along ``up`` (pointer doubling)."""
    jump = up.astype(np.int32)
    depth = np.ones(len(up), np.int32)
    depth[0] = 0
    while jump.any():
        depth += depth[jump]
        jump = jump[jump]
    return depth


def stable_order(numbers: Ints) -> Ints:
    """The places of ``numbers`` (none below 0) in ascending order, equal ones as they stand."""
    bits, high = len(numbers).bit_length(), int(numbers.max(initial=0))
    if high < 1 << 16:  # such numbers are sorted without comparing them
        return np.argsort(numbers.astype(np.uint16), kind="stable")
    if high.bit_length() + bits > 63:
        return np.argsort(numbers, kind="stable")
    # Sorted with their places in the low bits: numbers sort several times as fast as places.
    order = numbers.astype(np.int64) << bits | np.arange(len(numbers))
    order.sort()
    order &= (1 << bits) - 1
    return order


def by_level(depth: Ids) -> list[Ids]:
    """Node ids grouped by depth, ascending."""
    order = stable_order(depth).astype(np.int32)
    ends = np.cumsum(np.bincount(depth))
    return np.split(order, ends[:-1])


def subtree_sizes(levels: list[Ids], parent: Ids) -> Ints:
    """How many of the nodes in ``levels`` hang at or below each node."""
    size = np.ones(len(parent), np.int64)
    for nodes in levels[:0:-1]:
        np.add.at(size, parent[nodes], size[nodes])
    return size


def depth_first(levels: list[Ids], parent: Ids, size: Ints, *siblings: Ints) -> Ints:
    """Each node's place in depth-first order; ``siblings`` are sort keys as for lexsort."""
    nodes = np.concatenate([np.zeros(0, np.int32), *levels[1:]])
    children = np.bincount(parent[nodes], minlength=len(parent))
    after_parent = np.ones(len(parent), np.int64)
    # Most nodes have no siblings, so there is little to sort.
    several = nodes[children[parent[nodes]] > 1]
    several = several[np.lexsort([*(key[several] for key in siblings), parent[several]])]
    above = parent[several]
    before = np.cumsum(size[several]) - size[several]
    first = np.flatnonzero(np.r_[True, above[1:] != above[:-1]][: len(above)])
    after_parent[several] += before - np.repeat(before[first], np.diff(np.r_[first, len(several)]))
    place = np.zeros(len(parent), np.int64)
    for level in levels[1:]:
        place[level] = place[parent[level]] + after_parent[level]
    return place


def rebuild(up: Ids, key: Ids, kept: Bools | None = None) -> tuple[StackTree, Ids]:
    """A tree of the ``kept`` nodes, equal ones merged, and where each old node went.

    ``up[i]`` is the node that shall be node ``i``'s parent (for a node that is not kept: the
    node it becomes), ``key[i]`` its new key. Chains along ``up`` end at node 0; every ``up`` of
    a node points to a kept node or 0.
    """
    kept = np.ones(len(up), bool) if kept is None else kept.copy()
    kept[0] = True
    chain = np.where(kept, up, 0).astype(np.int32)
    depth = depths(chain)
    mapped = np.zeros(len(up), np.int32)
    parents, keys, count = [np.zeros(1, np.int32)], [np.zeros(1, np.int32)], 1
    stride = int(key.max(initial=0)) + 1
    for nodes in by_level(np.where(kept, depth, 0).astype(np.int32))[1:]:
        pairs = mapped[up[nodes]].astype(np.int64) * stride + key[nodes]
        distinct, inverse = np.unique(pairs, return_inverse=True)
        mapped[nodes] = count + inverse
        parents.append((distinct // stride).astype(np.int32))
        keys.append((distinct % stride).astype(np.int32))
        count += len(distinct)
    gone = np.flatnonzero(~kept)
    mapped[gone] = mapped[up[gone]]
    return StackTree(np.concatenate(parents), np.concatenate(keys)), mapped


def nearest_kept(parent: Ids, kept: Bools) -> Ids:
    """Each node's nearest strict ancestor that is kept (node 0 counts as kept)."""
    up = parent.copy()
    while True:
        astray = np.flatnonzero(~kept[up] & (up > 0))
        if not len(astray):
            return up
        up[astray] = up[up[astray]]
