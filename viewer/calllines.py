"""A call tree as lines of text: which nodes are shown, and the guides before them.

A chain of only children stays in one column; a step to the right means a choice:

    main
    run
    ├─ walk          one of two that run calls
    │  step          the only one that walk calls
    └─ sort
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from flamespan.aggregator.calltree import CallTree


class CallLine(NamedTuple):
    """A node of the tree (-1: ``hidden`` smaller siblings together) and what stands before it."""

    node: int
    guide: str
    hidden: int = 0
    hidden_ns: int = 0


def call_lines(calls: CallTree, min_share: float, depth: int | None = None) -> Iterator[CallLine]:
    """Lines of the nodes with at least ``min_share`` of the whole, ``depth`` levels at most.

    Children that are too small are one line together where that line is large enough.
    """
    least = max(min_share * int(calls.total_ns[0]), 1)
    shown = calls.total_ns >= least
    if depth is not None:
        shown &= calls.depth <= depth
    shown[0] = True
    hidden, hidden_ns = _hidden(calls, shown, depth)
    children: dict[int, list[int]] = {}
    for node in np.flatnonzero(shown)[1:].tolist():
        children.setdefault(int(calls.parent[node]), []).append(node)
    waiting = [CallLine(0, "")]
    prefix = {0: ""}
    while waiting:
        line = waiting.pop()
        if line.node:
            yield line
        if line.node < 0:
            continue
        below = [CallLine(child, "") for child in children.get(line.node, [])]
        if hidden_ns[line.node] >= least:
            rest = CallLine(-1, "", int(hidden[line.node]), int(hidden_ns[line.node]))
            below.append(rest)
        before = prefix.pop(line.node)
        placed = []
        for place, child in enumerate(below):
            last = place == len(below) - 1
            branch, going_on = ("└─ ", "   ") if last else ("├─ ", "│  ")
            if len(below) == 1:
                branch = going_on = ""
            placed.append(child._replace(guide=before + branch))
            if child.node > 0:
                prefix[child.node] = before + going_on
        waiting += reversed(placed)


def _hidden(calls: CallTree, shown: np.ndarray, depth: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Per shown node: how many children are too small to be shown, and their time."""
    small = ~shown & shown[calls.parent] & (calls.total_ns > 0)
    if depth is not None:
        small &= calls.depth <= depth
    count = np.bincount(calls.parent[small], minlength=len(calls))
    time = np.zeros(len(calls), np.int64)
    np.add.at(time, calls.parent[small], calls.total_ns[small])
    return count, time
