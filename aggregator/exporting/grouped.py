"""Samples summed by transaction name, thread and shown stack: what formats without times hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flamespan.aggregator.stacktree import Ids, Ints, stable_order

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile


@dataclass(frozen=True, eq=False, slots=True)
class Groups:
    """One row a group, ordered by transaction, thread, stack.

    ``stack`` is a node of ``profile.shown.tree`` (its keys are frames), ``transaction`` an index
    into ``names`` (-1: none), ``thread`` a row of ``Tables.threads``. Times are nanoseconds.
    """

    stack: Ids
    thread: Ids
    transaction: Ids
    names: list[str]
    samples: Ints
    wall_ns: Ints
    cpu_ns: Ints
    wait_ns: Ints

    def __len__(self) -> int:
        return len(self.stack)


def groups(profile: Profile) -> Groups:
    """The selected samples of ``profile``, grouped."""
    rows, spans, tree = profile.selected, profile.tables.spans, profile.shown.tree
    stack = profile.shown.place[rows.stack].astype(np.int64)
    names = {name: place for place, name in enumerate(dict.fromkeys(spans.name))}
    name_of = np.array([names[name] for name in spans.name] + [-1], np.int64)
    root = np.r_[spans.transaction, len(spans)].astype(np.int64)
    transaction = name_of[root[rows.span]]
    threads = len(profile.tables.threads)
    key = ((transaction + 1) * threads + rows.thread) * len(tree) + stack
    order = stable_order(key)
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    distinct = key[order][first]
    above, node = np.divmod(distinct, len(tree))
    return Groups(
        node.astype(np.int32),
        (above % threads).astype(np.int32) if threads else above.astype(np.int32),
        (above // max(threads, 1) - 1).astype(np.int32),
        list(names),
        *(
            _summed(column, order, first)
            for column in (rows.samples, rows.wall_ns, rows.cpu_ns, rows.wait_ns)
        ),
    )


def _summed(column: Ints, order: Ints, first: Ints) -> Ints:
    if not len(first):
        return np.zeros(0, np.int64)
    sums: Ints = np.add.reduceat(column[order], first)
    return sums
