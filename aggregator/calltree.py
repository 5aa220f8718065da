"""Call trees by function: top-down from the roots, bottom-up from every function with self time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from flamespan.aggregator.data import Origin, Tables
from flamespan.aggregator.stacktree import Ids, Ints, StackTree, depth_first, rebuild, subtree_sizes


@dataclass(frozen=True, eq=False)
class CallTree:
    """Nodes in depth-first order, children by total time (then name). Node 0 is the root.

    ``function`` is a function of ``tables`` (-1 for the root), ``depth`` 0 for the root.
    ``self_ns`` and ``total_ns`` are sums of the profile's clock, ``samples`` counts the samples
    below each node. Top-down: a node's total is its self plus its children's. Bottom-up: a
    first-level node is a function with its self time, its children are its callers. ``place``
    says of each stack the tree was made of which node it is the path of (top-down only).
    """

    tables: Tables
    direction: str
    parent: Ids
    function: Ids
    depth: Ids
    self_ns: Ints
    total_ns: Ints
    samples: Ints
    place: Ids

    def __len__(self) -> int:
        return len(self.parent)

    def children(self, node: int) -> list[int]:
        """A node's children, largest first."""
        return [int(child) for child in np.flatnonzero(self.parent == node) if child]

    def name(self, node: int) -> str:
        """The node's function as tables show it ("" for the root)."""
        return self.tables.function_name[self.function[node]] if node else ""

    def to_frame(self) -> pd.DataFrame:
        """One row per node: parent, depth, function, module, file, line, origin, *_ns, samples."""
        t, f = self.tables, self.function
        described = {
            "function": [t.function_name[i] if i >= 0 else "" for i in f],
            "module": [t.function_module[i] if i >= 0 else "" for i in f],
            "file": [t.function_file[i] if i >= 0 else "" for i in f],
            "line": [int(t.function_line[i]) if i >= 0 else 0 for i in f],
            "origin": [Origin(t.function_origin[i]).label if i >= 0 else "" for i in f],
        }
        counted = {"self_ns": self.self_ns, "total_ns": self.total_ns, "samples": self.samples}
        return pd.DataFrame({"parent": self.parent, "depth": self.depth} | described | counted)

    def lines(self, text: Callable[[int], str] | None = None) -> Iterator[str]:
        """The tree as indented text, a line per node below the root."""
        for node in range(1, len(self)):
            said = text(node) if text else f"{self.total_ns[node]} {self.self_ns[node]}"
            yield f"{'  ' * (int(self.depth[node]) - 1)}{self.name(node)} {said}"


def top_down(tables: Tables, tree: StackTree, weight: Ints, count: Ints) -> CallTree:
    """The call tree of stacks with these weights (``weight[i]`` of node ``i`` of ``tree``)."""
    by_function, place = rebuild(tree.parent, tables.frame_function[tree.key])
    own = _moved(weight, place, len(by_function))
    samples = by_function.inclusive(_moved(count, place, len(by_function)))
    inclusive = by_function.inclusive(own)
    made = _ordered(tables, "top-down", by_function, own, inclusive, samples)
    return replace(made, place=made.place[place])


def bottom_up(tables: Tables, tree: StackTree, weight: Ints, count: Ints) -> CallTree:
    """The reversed tree: every function with self time, below it its callers."""
    by_function, place = rebuild(tree.parent, tables.frame_function[tree.key])
    own = _moved(weight, place, len(by_function))
    counts = _moved(count, place, len(by_function))
    leaves = np.flatnonzero(own)
    parents, keys = [np.zeros(1, np.int32)], [np.zeros(1, np.int32)]
    totals = [np.array([own.sum()])]
    samples = [np.array([counts.sum()])]
    at, below, first = leaves[leaves > 0], np.zeros(int((leaves > 0).sum()), np.int64), 1
    weights, seen = own[at], counts[at]
    stride = len(tables.function_name)
    while len(at):
        distinct, inverse = np.unique(below * stride + by_function.key[at], return_inverse=True)
        parents.append((distinct // stride).astype(np.int32))
        keys.append((distinct % stride).astype(np.int32))
        totals.append(_moved(weights, inverse, len(distinct)))
        samples.append(_moved(seen, inverse, len(distinct)))
        at = by_function.parent[at]
        on = at > 0
        below, at, weights, seen = (first + inverse)[on], at[on], weights[on], seen[on]
        first += len(distinct)
    reverse = StackTree(np.concatenate(parents), np.concatenate(keys))
    total = np.concatenate(totals)
    own_of = np.where(reverse.depth == 1, total, 0)
    return _ordered(tables, "bottom-up", reverse, own_of, total, np.concatenate(samples))


def _moved(values: Ints, place: Ids, size: int) -> Ints:
    moved = np.zeros(size, np.int64)
    np.add.at(moved, place, values)
    return moved


def _ordered(
    tables: Tables, direction: str, tree: StackTree, own: Ints, total: Ints, samples: Ints
) -> CallTree:
    """Drop what nothing was seen in, then number depth-first, largest children first."""
    seen = samples > 0
    seen[0] = True
    rank = np.empty(len(tables.function_name), np.int64)
    labels = tables.labels()
    rank[sorted(range(len(rank)), key=labels.__getitem__)] = np.arange(len(rank))
    levels = [nodes[seen[nodes]] for nodes in tree.levels]
    levels = [nodes for nodes in levels if len(nodes)]
    size = subtree_sizes(levels, tree.parent)
    place = depth_first(levels, tree.parent, size, rank[tree.key], -total)
    old = np.flatnonzero(seen)
    old = old[np.argsort(place[old])]
    new = np.zeros(len(tree), np.int32)
    new[old] = np.arange(len(old))
    function = tree.key[old].astype(np.int32)
    function[0] = -1
    return CallTree(
        tables,
        direction,
        new[tree.parent[old]],
        function,
        tree.depth[old],
        own[old],
        total[old],
        samples[old],
        new,
    )
