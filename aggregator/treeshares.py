"""How exact the shares in a call tree are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flamespan.aggregator.calltree import CallTree
from flamespan.aggregator.stacktree import Ids
from flamespan.aggregator.statistics import Floats
from flamespan.aggregator.units import Membership, intervals

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile


def node_intervals(
    profile: Profile, calls: CallTree, min_share: float = 0.0
) -> tuple[Floats, Floats]:
    """The 95 % intervals of each node's share of the whole.

    ``calls`` is a tree of this profile, top-down or bottom-up. NaN where there are too few units
    to tell, for the root, and for nodes with less than ``min_share``.
    """
    whole = int(calls.total_ns[0]) or 1
    wanted = calls.total_ns >= min_share * whole
    wanted[0] = False
    nodes = np.flatnonzero(wanted)
    found = intervals(
        profile.units, _nodes_of_stacks(profile, calls, nodes), calls.total_ns[nodes] / whole
    )
    low, high = np.full(len(calls), np.nan), np.full(len(calls), np.nan)
    low[nodes], high[nodes] = found
    return low, high


def _nodes_of_stacks(profile: Profile, calls: CallTree, nodes: Ids) -> Membership:
    """Which of ``nodes`` each stack's time is in: those of its path (bottom-up: of the reversed).

    Whatever hangs below a node that is not wanted has less than that, and is not wanted either.
    """
    shown = profile.shown
    parent, key = shown.tree.parent.tolist(), shown.tree.key.tolist()
    function = profile.tables.frame_function.tolist()
    place = np.zeros(len(calls), np.int64)
    place[nodes] = np.arange(1, len(nodes) + 1)
    ups, functions = place[calls.parent[nodes]].tolist(), calls.function[nodes].tolist()
    child = {pair: at for at, pair in enumerate(zip(ups, functions, strict=True), 1)}
    first, group = [0], []
    for at in shown.place[profile.units.stacks].tolist():
        path = []
        while at:
            path.append(function[key[at]])
            at = parent[at]  # noqa: PLW2901 - climbs to the root
        node = 0
        for of in path if calls.direction == "bottom-up" else reversed(path):
            node = child.get((node, of), 0)
            if not node:
                break
            group.append(node - 1)
        first.append(len(group))
    return Membership(np.array(first, np.int64), np.array(group, np.int32), len(nodes))
