"""Who held the GIL while others waited for it.

A pass sees which thread holds the GIL and which ones want it. Rows of waiting threads may stand
for many passes, so both are joined by time: the time of a row that waits is told apart by the
rows that had the same GIL (``Flag.HOLDS_GIL``) in it. Time for which no holder was seen is given
as such, and nobody is charged for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flamespan.aggregator.data import Rows
from flamespan.aggregator.grouping import Columns, grouped
from flamespan.aggregator.overlap import Stretches, overlaps
from flamespan.aggregator.stacktree import Ids, Ints
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import Flag, State

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

NONE_SEEN = "<no holder seen>"
"""Stands for the holder in the time for which none was seen."""

OUTSIDE = "<outside transactions>"

HOGS_BY = ("function", "thread", "transaction")

_INTERPRETER = re.compile(r" \(interpreter \d+\)$")


def holders(profile: Profile, by: str = "function", *, instances: bool = False) -> pd.DataFrame:
    """Who waited for the GIL, and which functions held it in that time.

    ``by`` says whose waiting: function (the leaf, as shown), transaction, span, thread;
    UsageError else; ``instances`` keeps every transaction and span apart. One row per waiter and
    holder, the longest waiters first. Columns: who waits (as in ``waiting.waiting``), holder (a
    function, or ``NONE_SEEN``), holder_module, holder_file, holder_line, wait_ns, share. A
    waiter's wait_ns add up to its gil_wait_ns there, exactly; share is of that. Holders are
    looked for in the whole recording, whatever of it is in view.
    """
    groups = grouped(profile, profile.rows.single(), by, instances=instances)
    waits = groups.rows.state == State.GIL_WAIT
    waiting = _stretches(profile, groups.rows.take(np.flatnonzero(waits)), groups.group[waits])
    held, described = _held(profile, "function")
    who, holder, wait = overlaps(waiting, held)
    left = [name for name in groups.columns if name not in ("count", "start_ns", "duration_ns")]
    named = [(name, "_".join(["holder", name]).removesuffix("_function")) for name in described]
    table = pd.DataFrame(
        {name: _at(groups.columns[name], who) for name in left}
        | {to: _with_none(described[name], holder, first=to == "holder") for name, to in named}
    )
    whole = groups.sums(waits, groups.rows.wall_ns)[who]
    table["wait_ns"], table["share"] = wait, wait / np.maximum(whole, 1)
    table["of"], table["least"] = -whole, -wait
    table["who"] = who
    order = ["of", *groups.names, "who", "least", *(to for _, to in named)]
    return table.sort_values(order, ignore_index=True).drop(columns=["of", "who", "least"])


def hogs(profile: Profile, by: str = "function") -> pd.DataFrame:
    """Who held the GIL while rows in view waited for it; most waiting caused first.

    ``by`` is function (the leaf, as shown), thread or transaction (name and op; ``OUTSIDE`` for
    what runs in none); UsageError else. Columns: who it is, held_ns (wall time it held the GIL
    while at least one other waited), wait_ns (what the others waited in that time, summed over
    them: thread-seconds), share (of all waiting for the GIL). The wait_ns add up to the wall
    time that rows in view waited for the GIL, exactly; ``NONE_SEEN`` has the time for which no
    holder was seen. Holders are looked for in the whole recording.
    """
    held, described = _held(profile, by)
    rows = profile.rows.pick(profile.rows.state == State.GIL_WAIT)
    waiting = _stretches(profile, rows, np.zeros(len(rows), np.int32))
    _, holder, wait = overlaps(waiting, held)
    _, also, while_waited = overlaps(waiting.covered(), held)
    held_ns = dict(zip(also.tolist(), while_waited.tolist(), strict=True)) | {-1: 0}
    names = list(described)
    table = pd.DataFrame(
        {name: _with_none(described[name], holder, first=name == names[0]) for name in names}
    )
    table["held_ns"] = np.array([held_ns[key] for key in holder.tolist()], np.int64)
    table["wait_ns"], table["share"] = wait, wait / max(int(wait.sum()), 1)
    table["least"] = -wait
    return table.sort_values(["least", *names], ignore_index=True).drop(columns="least")


def _at(values: Sequence[object], places: Ints) -> list[object]:
    return [values[place] for place in places.tolist()]


def _with_none(values: Sequence[object], places: Ints, *, first: bool) -> list[object]:
    """Values at ``places``; -1 is nobody: the first column says so, the others say nothing."""
    number = len(values) > 0 and not isinstance(values[0], str)
    nothing = NONE_SEEN if first else 0 if number else ""
    return [nothing if place < 0 else values[place] for place in places.tolist()]


def _stretches(profile: Profile, rows: Rows, key: Ids) -> Stretches:
    gil = _gils(profile)[rows.thread]
    return Stretches(gil, rows.time_ns - rows.wall_ns, rows.time_ns, key)


def _held(profile: Profile, by: str) -> tuple[Stretches, Columns]:
    """Who held a GIL when, in the whole recording, and the columns that describe the keys."""
    every = profile.recorded.single()
    rows = every.pick(every.flags & Flag.HOLDS_GIL > 0)
    if by not in HOGS_BY:
        raise UsageError(f"no holders by {by!r}; there are {', '.join(HOGS_BY)}")
    if by == "transaction":
        key, columns = _transactions(profile, rows)
    else:
        groups = grouped(profile, rows, by)
        key, columns = groups.group, groups.columns
    # A row may reach back over a pass in which another thread was seen with the GIL.
    return _stretches(profile, rows, key).one_at_a_time(), columns


def _transactions(profile: Profile, rows: Rows) -> tuple[Ids, Columns]:
    spans = profile.tables.spans
    root = np.where(rows.span >= 0, np.r_[spans.transaction, -1][rows.span], -1)
    ids, inverse = np.unique(root, return_inverse=True)
    named = [(OUTSIDE, "") if row < 0 else (spans.name[row], spans.op[row]) for row in ids]
    distinct = sorted(set(named))
    place = np.array([distinct.index(key) for key in named], np.int32)
    columns = {"transaction": [key[0] for key in distinct], "op": [key[1] for key in distinct]}
    return place[inverse], columns


def _gils(profile: Profile) -> Ids:
    """Which GIL each thread takes: its process's, or its interpreter's where those have their own.

    That interpreters have their own shows where a pass has seen two holders in one process.
    """
    threads, every = profile.tables.threads, profile.recorded
    process = np.array([row.process for row in threads], np.int32)
    held = np.flatnonzero(every.flags & Flag.HOLDS_GIL)
    moments = np.stack([process[every.thread[held]], every.time_ns[held]])
    distinct, count = np.unique(moments, axis=1, return_counts=True)
    several = set(distinct[0, count > 1].tolist())
    names = [
        (row.process, found[0] if row.process in several and found else "")
        for row in threads
        for found in [_INTERPRETER.search(row.name)]
    ]
    number = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return np.array([number[name] for name in names], np.int32)
