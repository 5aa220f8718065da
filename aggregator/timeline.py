"""What each thread did in time order: stacks, equal neighbours merged, gaps kept.

Stack 0 is "nothing in view" (idle, another transaction, before the thread began). By the wall
clock all threads share one time axis; by another clock samples follow one another without gaps.
Weights are never changed, so what is not stack 0 adds up to the profile's total exactly, but for
tasks that await or wait for their loop: many of them do so at once in one thread, and none of it
is what the thread did. They are left out, and ``Timelines`` says how much that was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flamespan.aggregator.stacktree import Ids, Ints, StackTree, rebuild

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

NOTHING = 0
"""The stack of time that is not in view."""

NO_STACK = "<no stack>"
"""What to call a sample that has no frame at all: it is not idle, and its time counts."""


@dataclass(frozen=True, eq=False, slots=True)
class ThreadTimeline:
    """One thread: its row in ``Tables.threads``, and stacks with how long each lasted.

    The first stack begins when the first of all threads does (wall clock).
    """

    thread: int
    name: str
    stacks: Ids
    weights_ns: Ints

    @property
    def busy_ns(self) -> int:
        """Time that is in view."""
        return int(self.weights_ns[self.stacks != NOTHING].sum())


@dataclass(frozen=True, eq=False, slots=True)
class Timelines:
    """All threads with weight in view. ``tree`` holds the stacks; its keys are functions or frames.

    ``bare`` is the stack (a child of 0) of samples without any frame; its key means nothing.
    ``start_ns`` is the unix time at which the timelines begin.
    ``suspended_ns`` is the time of tasks that did not run, which no thread has.
    """

    tree: StackTree
    bare: int
    threads: list[ThreadTimeline]
    start_ns: int = 0
    suspended_ns: int = 0

    def path(self, stack: int) -> list[int]:
        """Keys of ``stack``, root first; -1 stands for ``NO_STACK``."""
        return [-1] if stack == self.bare else self.tree.path(stack)


def timelines(profile: Profile, *, lines: bool = False) -> Timelines:
    """What the threads did in the shown stacks of ``profile``.

    Stacks are told apart by function, with ``lines`` by running line too (keys are frames).
    """
    rows, weights = profile.selected.single(), profile.weights_ns
    shown = profile.shown
    key = shown.tree.key if lines else profile.tables.frame_function[shown.tree.key]
    tree, place = rebuild(shown.tree.parent, key)
    stacks = place[shown.place[rows.stack]].astype(np.int32)
    tree, bare = bare_node(tree)
    stacks[stacks == NOTHING] = bare
    suspended = rows.suspended
    suspended_ns = int(weights[suspended].sum())
    seen = (weights > 0) & ~suspended
    if not seen.any():
        return Timelines(tree, bare, [], 0, suspended_ns)
    order = rows.by_thread()
    order = order[seen[order]]
    starts = rows.time_ns - weights
    origin = int(starts[seen].min())
    end = int(rows.time_ns[seen].max()) - origin
    threads = []
    for part in np.split(order, np.flatnonzero(np.diff(rows.thread[order])) + 1):
        lasting = stacks[part], weights[part]
        if profile.weight_clock == "wall":
            lasting = _padded(*lasting, starts[part] - origin, end)
        thread = int(rows.thread[part[0]])
        threads.append(ThreadTimeline(thread, thread_name(profile, thread), *_merged(*lasting)))
    return Timelines(tree, bare, threads, origin, suspended_ns)


def bare_node(tree: StackTree) -> tuple[StackTree, int]:
    """``tree`` with one more child of node 0, and its number: the stack without any frame."""
    more = np.zeros(1, np.int32)
    return StackTree(np.r_[tree.parent, more], np.r_[tree.key, more]), len(tree)


def _padded(stacks: Ids, weights: Ints, starts: Ints, end: int) -> tuple[Ids, Ints]:
    """Put NOTHING before, between and after samples, so that each begins at its start.

    A sample that would begin before the one before it ends begins there instead, and the next
    empty stretch is shorter.
    """
    before = np.cumsum(weights) - weights
    late = np.maximum(np.maximum.accumulate(starts - before), 0)
    gaps = np.diff(late, prepend=0)
    tail = max(end - int(late[-1]) - int(weights.sum()), 0)
    both = np.empty(2 * len(weights) + 1, np.int64)
    both[:-1:2], both[1::2], both[-1] = gaps, weights, tail
    filled = np.zeros(len(both), np.int32)
    filled[1::2] = stacks
    return filled, both


def _merged(stacks: Ids, weights: Ints) -> tuple[Ids, Ints]:
    """Without stretches of no length, and with equal neighbours as one."""
    stacks, weights = stacks[weights > 0], weights[weights > 0]
    first = np.flatnonzero(np.r_[True, stacks[1:] != stacks[:-1]])
    return stacks[first], np.add.reduceat(weights, first)


def thread_name(profile: Profile, thread: int) -> str:
    """The thread's name, with its process or its id where the name alone does not tell."""
    row = profile.tables.threads[thread]
    name = row.name or "thread"
    alike = [other for other in profile.tables.threads if other.name == row.name]
    if len(profile.processes) > 1:
        name += f" (process {profile.processes[row.process].header.pid})"
    elif len(alike) > 1:
        name += f" ({row.native_id or row.ident})"
    return name
