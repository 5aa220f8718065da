"""Which rows belong to which transaction, span, function or thread, each charged from its start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flamespan.aggregator.data import Origin, Rows, Spans
from flamespan.aggregator.outages import beside_samples
from flamespan.aggregator.stacktree import Bools, Ids, Ints
from flamespan.aggregator.timeline import NO_STACK
from flamespan.profiler.errors import UsageError

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

Columns = Mapping[str, Sequence[Any]]
"""Columns of a table that say what a row is, one entry a group."""


@dataclass(frozen=True, eq=False, slots=True)
class Groups:
    """Rows by group: ``rows[i]`` belongs to group ``group[i]``, described by ``columns``.

    A row may be in several groups (spans that lie in each other) and in none. ``names`` are the
    columns that tell groups apart, for ties. ``beside`` is known of transactions: their time that
    is in no sample.
    """

    columns: Columns
    names: tuple[str, ...]
    count: int
    rows: Rows
    group: Ids
    beside: Mapping[str, Ints] = field(default_factory=dict)

    def sums(self, chosen: Bools, values: Ints) -> Ints:
        """Sum of ``values`` of the chosen rows, by group."""
        summed = np.zeros(self.count, np.int64)
        np.add.at(summed, self.group[chosen], values[chosen])
        return summed


BY = ("transaction", "span", "function", "thread")


def grouped(profile: Profile, rows: Rows, by: str, *, instances: bool = False) -> Groups:
    """``rows`` by transaction, span, (leaf) function or thread. UsageError for anything else.

    A row in a transaction or span is cut to its start. Spans hold what lies in the spans inside
    them; of spans with the same op and description that lie in each other only the outermost
    has it. ``instances`` keeps every transaction and span apart. All transactions and spans in
    view are groups; functions and threads only where they have rows.
    """
    if by == "transaction":
        return _by_transaction(profile, rows, instances)
    if by == "span":
        return _by_span(profile, rows, instances)
    if by == "function":
        return _by_function(profile, rows)
    if by == "thread":
        return _by_thread(profile, rows)
    raise UsageError(f"no grouping by {by!r}; there are {', '.join(BY)}")


def _by_transaction(profile: Profile, rows: Rows, instances: bool) -> Groups:
    spans = profile.tables.spans
    listed = np.flatnonzero(spans.is_transaction & profile.span_mask)
    keys = [(spans.name[row], spans.op[row]) for row in listed]
    names = ("transaction", "op")
    columns, group_of = _span_groups(spans, listed, keys, names, instances)
    index = np.flatnonzero(rows.span >= 0)
    root = spans.transaction[rows.span[index]]
    kept = group_of[root] >= 0
    index, root = index[kept], root[kept]
    cut = rows.take(index).since(spans.start_ns[root])
    count = len(columns[names[0]])
    beside = {}
    for name, values in beside_samples(profile, listed).items():
        beside[name] = np.zeros(count, np.int64)
        np.add.at(beside[name], group_of[listed], values)
    return Groups(columns, names, count, cut, group_of[root], beside)


def _by_span(profile: Profile, rows: Rows, instances: bool) -> Groups:
    spans = profile.tables.spans
    listed = np.flatnonzero(~spans.is_transaction & profile.span_mask)
    keys = [(spans.op[row], spans.description[row]) for row in listed]
    names = ("op", "description")
    columns, group_of = _span_groups(spans, listed, keys, names, instances)
    topmost = _topmost(spans, group_of)
    index, span = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
    at = np.flatnonzero(rows.span >= 0)
    inside = rows.span[at]
    while len(at):
        chosen = topmost[inside]
        index.append(at[chosen])
        span.append(inside[chosen])
        above = spans.parent[inside]
        at, inside = at[above >= 0], above[above >= 0]
    whose = np.concatenate(span)
    cut = rows.take(np.concatenate(index)).since(spans.start_ns[whose])
    return Groups(columns, names, len(columns[names[0]]), cut, group_of[whose])


def _span_groups(
    spans: Spans,
    listed: Ids,
    keys: Sequence[tuple[str, str]],
    names: tuple[str, str],
    instances: bool,
) -> tuple[Columns, Ids]:
    """Columns of the groups, and the group of every span row (-1: not listed)."""
    group_of = np.full(len(spans), -1, np.int32)
    duration = spans.duration_ns[listed]
    if instances:
        group_of[listed] = np.arange(len(listed))
        told = {names[0]: [key[0] for key in keys], names[1]: [key[1] for key in keys]}
        if names[0] != "transaction":
            whole = {"transaction": [spans.name[spans.transaction[row]] for row in listed]}
            told = whole | told
        start = spans.start_ns[listed].tolist()
        times = {"start_ns": start, "duration_ns": duration.tolist()}
        return {"row": listed.tolist(), "id": spans.id[listed].tolist(), **told, **times}, group_of
    distinct = {key: place for place, key in enumerate(sorted(set(keys)))}
    group = np.array([distinct[key] for key in keys], np.int32)
    group_of[listed] = group
    sums = np.zeros(len(distinct), np.int64)
    np.add.at(sums, group, duration)
    return {
        names[0]: [key[0] for key in distinct],
        names[1]: [key[1] for key in distinct],
        "count": np.bincount(group, minlength=len(distinct)).tolist(),
        "duration_ns": sums.tolist(),
    }, group_of


def _topmost(spans: Spans, group_of: Ids) -> Bools:
    """Which spans have a group that none of the spans around them has."""
    topmost = group_of >= 0
    above = spans.parent.copy()
    while (above >= 0).any():
        topmost &= (above < 0) | (group_of[above] != group_of)
        above = np.where(above >= 0, spans.parent[above], -1)
    return topmost


def _by_function(profile: Profile, rows: Rows) -> Groups:
    """By the leaf of the shown stack; rows without any frame are a group of their own."""
    shown = profile.shown
    leaf = shown.place[rows.stack]
    function = profile.tables.frame_function[shown.tree.key[leaf]]
    group, seen = pd.factorize(np.where(leaf == 0, -1, function))
    columns = _function_columns(profile, seen)
    names = ("function", "module", "file", "line")
    return Groups(columns, names, len(seen), rows, group.astype(np.int32))


def _function_columns(profile: Profile, functions: Ids) -> dict[str, Sequence[Any]]:
    """Which function each is; ``NO_STACK`` for -1."""
    t = profile.tables
    known = [int(f) for f in functions]
    return {
        "function": [NO_STACK if f < 0 else t.function_name[f] for f in known],
        "module": ["" if f < 0 else t.function_module[f] for f in known],
        "file": ["" if f < 0 else t.function_file[f] for f in known],
        "line": [0 if f < 0 else int(t.function_line[f]) for f in known],
        "origin": ["" if f < 0 else Origin(t.function_origin[f]).label for f in known],
    }


def _by_thread(profile: Profile, rows: Rows) -> Groups:
    tables = profile.tables
    group, seen = pd.factorize(rows.thread)
    listed = [tables.threads[i] for i in seen]
    columns: Columns = {
        "thread": [row.name for row in listed],
        "pid": [tables.processes[row.process].header.pid for row in listed],
    }
    return Groups(columns, ("thread", "pid"), len(seen), rows, group.astype(np.int32))
