"""How exact the shares in a call tree are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flamespan.aggregator.calltree import CallTree
from flamespan.aggregator.statistics import Floats
from flamespan.aggregator.units import Membership, intervals

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile


def node_intervals(profile: Profile, calls: CallTree) -> tuple[Floats, Floats]:
    """The 95 % intervals of each node's share of the whole (NaN: too few to tell).

    ``calls`` is a tree of this profile, top-down or bottom-up; the root's share is 1.
    """
    share = calls.total_ns / (int(calls.total_ns[0]) or 1)
    return intervals(profile.units, _nodes_of_stacks(profile, calls), share)


def _nodes_of_stacks(profile: Profile, calls: CallTree) -> Membership:
    """The nodes that each stack's time is in: those of its path (bottom-up: of the reversed)."""
    shown = profile.shown
    parent, key = shown.tree.parent.tolist(), shown.tree.key.tolist()
    function = profile.tables.frame_function.tolist()
    child = {
        (up, of): node
        for node, (up, of) in enumerate(
            zip(calls.parent.tolist(), calls.function.tolist(), strict=True)
        )
        if node
    }
    first, group = [0], []
    for at in shown.place[profile.units.stacks].tolist():
        path = []
        while at:
            path.append(function[key[at]])
            at = parent[at]  # noqa: PLW2901 - climbs to the root
        node: int | None = 0
        for of in path if calls.direction == "bottom-up" else reversed(path):
            node = child.get((node or 0, of))
            if node is None:  # a stack without time is not in every tree
                break
            group.append(node)
        first.append(len(group))
    return Membership(np.array(first, np.int64), np.array(group, np.int32), len(calls))
