"""speedscope's JSON, merged: one profile per thread with each distinct stack once.

Order in time is given up for size: the file grows with the stacks, not with the samples, so a
recording of any length opens. Stacks are sorted (speedscope's "left heavy" and "sandwich" are
what to look at), weights add up to the profile's total exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

import numpy as np

from flamespan.aggregator.exporting import speedscope
from flamespan.aggregator.stacktree import rebuild, stable_order
from flamespan.aggregator.timeline import NOTHING, ThreadTimeline, Timelines, bare_node, thread_name

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile


def write(profile: Profile, file: TextIO) -> None:
    """Write ``profile`` to ``file``."""
    speedscope.write_timelines(profile, merged(profile), file)


def merged(profile: Profile) -> Timelines:
    """Every thread's distinct stacks by function, those that share callers side by side."""
    shown, rows, weights = profile.shown.tree, profile.selected, profile.weights_ns
    tree, place = rebuild(shown.parent, profile.tables.frame_function[shown.key])
    tree, bare = bare_node(tree)
    stacks = place[profile.shown.place[rows.stack]].astype(np.int64)
    stacks[stacks == NOTHING] = bare
    key = rows.thread * len(tree) + stacks
    order = stable_order(key)
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    sums = np.add.reduceat(weights[order], first) if len(first) else weights[:0]
    found = key[order][first]
    threads = []
    for thread in np.unique(found // len(tree)).tolist():
        mine = (found // len(tree) == thread) & (sums > 0)
        if mine.any():
            nodes = (found[mine] % len(tree)).astype(np.int32)
            by_callers = np.argsort(tree.depth_first_place[nodes], kind="stable")
            line = nodes[by_callers], sums[mine][by_callers]
            threads.append(ThreadTimeline(thread, thread_name(profile, thread), *line))
    return Timelines(tree, bare, threads)
