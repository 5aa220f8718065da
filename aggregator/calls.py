"""Who calls a function and what it calls; every call path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flamespan.aggregator import calltree, select, transform
from flamespan.aggregator.data import Origin
from flamespan.aggregator.stacktree import Bools, Ids, Ints, StackTree
from flamespan.aggregator.units import alone, intervals, on_path
from flamespan.aggregator.view import Stacks

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

NO_CALLER = "<no caller>"
"""Stands for the caller of a function that is the root of its stack."""

ITSELF = "<itself>"
"""Stands for the callee while the function runs itself."""


@dataclass(frozen=True, eq=False)
class Sandwich:
    """One function with its callers above and its callees below.

    ``self_ns``, ``total_ns`` and ``samples`` are the function's own. ``callers`` is a bottom-up
    tree: the function, below it its callers, below them theirs. ``callees`` is a top-down tree
    from the function on. Both are cut at the function's outermost call, so that recursion counts
    once, and both have its total time at their first level.
    """

    function: str
    self_ns: int
    total_ns: int
    samples: int
    callers: calltree.CallTree
    callees: calltree.CallTree


def sandwich(profile: Profile, which: str) -> Sandwich:
    """Callers and callees of the functions that ``which`` names; see ``Sandwich``."""
    t, cut = profile.tables, _Cut(profile, which)
    above, seen = cut.moved(cut.outer, len(cut.stacks.tree))
    callers = calltree.bottom_up(t, cut.stacks.tree, above, seen)
    tree, place = transform.reroot(cut.stacks.tree, cut.outer)
    weights, counts = cut.moved(place, len(tree))
    callees = calltree.top_down(t, tree, weights, counts)
    own = cut.leaf_is_function & (cut.outer >= 0)
    own_ns = int(cut.weights[0][own].sum())
    name = _names(profile, cut)
    return Sandwich(name, own_ns, int(above.sum()), int(seen.sum()), callers, callees)


def _names(profile: Profile, cut: _Cut) -> str:
    """The names of the functions a sandwich is about."""
    found = {profile.tables.function_name[f] for f in np.flatnonzero(cut.functions)}
    return ", ".join(sorted(found))


class _Cut:
    """The stacks that totals are counted on, and where the function stands on each first.

    ``outer`` is per node of ``stacks.tree`` (-1: not on it). Direct repeats are folded where the
    profile collapses recursion; loops are not, since callers would be lost with them.
    """

    def __init__(self, profile: Profile, which: str) -> None:
        t = profile.tables
        self.functions = select.functions(t, which)
        self.stacks = _called(profile)
        self._function = t.frame_function
        tree = self.stacks.tree
        self.wanted = self.functions[t.frame_function]
        self.outer = transform.outermost_of(tree, self.wanted)
        self.leaf_is_function = self.wanted[tree.key]
        self.leaf_is_function[0] = False
        self.weights = tuple(
            _added(values, self.stacks.place, len(tree)) for values in profile.stack_weights
        )

    @property
    def caller(self) -> Ids:
        """The function above the outermost call, per node; -1 where there is none."""
        tree = self.stacks.tree
        above = tree.parent[np.maximum(self.outer, 0)]
        return np.where(above > 0, self._function[tree.key[above]], -1)

    @property
    def callee(self) -> Ids:
        """The function that the outermost call is in, per node; -1 while it runs itself."""
        tree = self.stacks.tree
        child = np.full(len(tree), -1, np.int32)
        for nodes in tree.levels[1:]:
            up = tree.parent[nodes]
            first = (self.outer[nodes] >= 0) & (self.outer[nodes] == up)
            child[nodes] = np.where(first, nodes, child[up])
        return np.where(child >= 0, self._function[tree.key[child]], -1)

    def moved(self, place: Ids, size: int) -> tuple[Ints, Ints]:
        """Weights and samples of stacks with the function, put where ``place`` says."""
        on = self.outer >= 0
        weights, counts = (_added(values[on], place[on], size) for values in self.weights)
        return weights, counts


def _called(profile: Profile) -> Stacks:
    if profile.recursion is None:
        return profile.counted
    fold = transform.collapse_direct(profile.counted.tree, profile.tables.frame_function)
    return profile.counted.then(*fold)


def _added(values: Ints, place: Ids, size: int) -> Ints:
    sums = np.zeros(size, np.int64)
    np.add.at(sums, place, values)
    return sums


def callers(profile: Profile, which: str) -> pd.DataFrame:
    """Who calls the function: one row per direct caller of its outermost call, most time first.

    Columns: function, module, file, line, origin (the caller's; "<no caller>" where the function
    is the root), self_ns (the function's self time when called from there), total_ns (its time),
    self_share, total_share (of the function's total), samples, total_share_low,
    total_share_high (95 % interval; NaN: too few to tell). total_ns sums to the function's total.
    """
    cut = _Cut(profile, which)
    return _around(profile, cut, cut.caller, cut.leaf_is_function, NO_CALLER)


def callees(profile: Profile, which: str) -> pd.DataFrame:
    """What the function calls: one row per direct callee of its outermost call, most time first.

    Columns as ``callers``: self_ns is the callee's self time there, total_ns its time. While the
    function itself runs the callee is "<itself>". total_ns sums to the function's total.
    """
    cut = _Cut(profile, which)
    callee = cut.callee
    leaf = profile.tables.frame_function[cut.stacks.tree.key]
    return _around(profile, cut, callee, (leaf == callee) | (callee < 0), ITSELF)


def stacks_of(profile: Profile, which: str, side: str, function: int) -> Bools:
    """Which recorded stacks a row of ``callers`` or ``callees`` sums (``function`` -1: nobody)."""
    cut = _Cut(profile, which)
    around = cut.caller if side == "callers" else cut.callee
    on: Bools = (cut.outer >= 0) & (around == function)
    return on[cut.stacks.place]


def _around(profile: Profile, cut: _Cut, function: Ids, own: Bools, nobody: str) -> pd.DataFrame:
    """Stacks with the function grouped by ``function`` (per node, -1: ``nobody``)."""
    t = profile.tables
    size = len(t.function_name) + 1
    place = np.where(function < 0, size - 1, function)
    on = cut.outer >= 0
    total, samples = (_added(values[on], place[on], size) for values in cut.weights)
    self_ns = _added(cut.weights[0][on & own], place[on & own], size)
    seen = np.flatnonzero(samples)
    whole = int(total.sum()) or 1
    group = np.where(on, place, -1)
    within = replace(profile, rows=profile.rows.pick(on[cut.stacks.place][profile.rows.stack]))
    units = within.units
    membership = alone(group[cut.stacks.place[units.stacks]], size)
    low, high = intervals(units, membership, total / whole)
    names, files = [*t.function_name, nobody], [*t.function_file, ""]
    lines, origins = [*t.function_line.tolist(), 0], [*t.function_origin.tolist(), -1]
    table = pd.DataFrame(
        {
            "function": [names[i] for i in seen],
            "module": [[*t.function_module, ""][i] for i in seen],
            "file": [files[i] for i in seen],
            "line": np.array([lines[i] for i in seen], np.int64),
            "origin": [Origin(origins[i]).label if origins[i] >= 0 else "" for i in seen],
            "self_ns": self_ns[seen],
            "total_ns": total[seen],
            "self_share": self_ns[seen] / whole,
            "total_share": total[seen] / whole,
            "samples": samples[seen],
            "total_share_low": low[seen],
            "total_share_high": high[seen],
        }
    )
    order = ["total_ns", "function", "file", "line"]
    return table.sort_values(order, ascending=[False, True, True, True], ignore_index=True)


def call_paths(profile: Profile) -> pd.DataFrame:
    """One row per call path from the root, most self time first (ties by total, then path).

    Columns: path (names, root first, ";" between), depth, function, module, file, line, origin
    (of its last function), self_ns, total_ns, self_share, total_share, samples, node (the row's
    place in ``tree()``), self_share_low, self_share_high, total_share_low, total_share_high
    (95 % intervals; NaN: too few to tell).
    """
    tree = profile.tree()
    whole = profile.total_ns or 1
    paths = [""]
    for node in range(1, len(tree)):
        above = paths[tree.parent[node]]
        paths.append(f"{above};{tree.name(node)}" if above else tree.name(node))
    table = tree.to_frame()
    table.insert(0, "path", paths)
    table = table.drop(columns="parent")
    place = list(table.columns).index("samples")
    table.insert(place, "self_share", table["self_ns"] / whole)
    table.insert(place + 1, "total_share", table["total_ns"] / whole)
    table["node"] = np.arange(len(tree))
    units = profile.units
    leaf = tree.place[profile.shown.place[units.stacks]]
    nodes = np.arange(len(tree), dtype=np.int32)
    path_tree = StackTree(tree.parent, nodes)
    held = on_path(path_tree, leaf, nodes, nodes > 0, len(tree))
    for name, membership in (("self", alone(leaf, len(tree))), ("total", held)):
        share = table[f"{name}_share"].to_numpy(np.float64)
        low, high = intervals(units, membership, share)
        table[f"{name}_share_low"], table[f"{name}_share_high"] = low, high
    order = ["self_ns", "total_ns", "path", "node"]
    rising = [False, False, True, True]
    return table.iloc[1:].sort_values(order, ascending=rising, ignore_index=True)
