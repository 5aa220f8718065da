"""Tables of transactions and spans: how many, how long, what each op took for itself."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flamespan.aggregator.data import Spans
from flamespan.aggregator.stacktree import Bools, Ids, Ints
from flamespan.aggregator.statistics import Floats
from flamespan.aggregator.units import Units, alone, intervals
from flamespan.profiler.model import State

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

OTHER = "other"
"""The op under which a transaction's own exclusive time is listed."""


def transactions(profile: Profile, *, instances: bool = False) -> pd.DataFrame:
    """Transactions in view, by name (most time first) or each one (in order of start).

    By name: transaction, op, count, errors, total_ns, mean_ns, p50_ns, p95_ns, max_ns (their
    durations; percentiles are durations that occurred), wall_ns, cpu_ns, waiting_ns, samples.
    Each: row (in ``Tables.spans``), id, transaction, op, status, pid, thread, start_ns, end_ns,
    duration_ns, wall_ns, cpu_ns, waiting_ns, samples, spans.

    wall_ns and cpu_ns sum the samples in the profile's chosen states, waiting_ns is the wall
    time of those idle, awaiting or waiting for their loop (``waiting.waiting`` tells them
    apart); several threads of one transaction add up.
    """
    spans = profile.tables.spans
    rows = np.flatnonzero(spans.is_transaction & profile.span_mask)
    sums = _sampled(profile, spans.transaction)
    table = pd.DataFrame(
        {
            "row": rows,
            "id": spans.id[rows],
            "transaction": [spans.name[row] for row in rows],
            "op": [spans.op[row] for row in rows],
            "status": [spans.status[row] for row in rows],
            **_where(profile, rows),
            "start_ns": spans.start_ns[rows],
            "end_ns": spans.end_ns[rows],
            "duration_ns": spans.duration_ns[rows],
            **{name: values[rows] for name, values in sums.items()},
            "spans": np.bincount(spans.transaction, minlength=len(spans))[rows] - 1,
        }
    ).sort_values(["start_ns", "row"], ignore_index=True)
    if instances:
        return table
    return _by(table, ["transaction", "op"], list(sums))


def spans(profile: Profile, *, instances: bool = False) -> pd.DataFrame:
    """Spans in view, by op and description (most exclusive time first) or each one.

    By op and description: op, description, count, errors, total_ns, mean_ns, p50_ns, p95_ns,
    max_ns, exclusive_ns, wall_ns, cpu_ns, waiting_ns, samples. Each: row, id, parent (row),
    transaction (name), op, description, status, pid, thread, start_ns, end_ns, duration_ns and
    the same sums. exclusive_ns is what no younger span of the transaction covers; the sums are
    of samples directly in the span, not in spans inside it.
    """
    every = profile.tables.spans
    rows = np.flatnonzero(~every.is_transaction & profile.span_mask)
    sums = _sampled(profile, np.arange(len(every), dtype=np.int32))
    exclusive = exclusive_ns(every, profile.span_mask)
    table = pd.DataFrame(
        {
            "row": rows,
            "id": every.id[rows],
            "parent": every.parent[rows],
            "transaction": [every.name[every.transaction[row]] for row in rows],
            "op": [every.op[row] for row in rows],
            "description": [every.description[row] for row in rows],
            "status": [every.status[row] for row in rows],
            **_where(profile, rows),
            "start_ns": every.start_ns[rows],
            "end_ns": every.end_ns[rows],
            "duration_ns": every.duration_ns[rows],
            "exclusive_ns": exclusive[rows],
            **{name: values[rows] for name, values in sums.items()},
        }
    ).sort_values(["start_ns", "row"], ignore_index=True)
    if instances:
        return table
    return _by(table, ["op", "description"], ["exclusive_ns", *sums])


def op_breakdown(profile: Profile) -> pd.DataFrame:
    """Exclusive time per op as a share of the transactions' durations, largest first.

    Columns: op, exclusive_ns, share, spans, share_low, share_high (95 % interval over
    transactions; NaN: fewer than five, too few to tell). The shares add up to 1: where spans
    overlap, the youngest one that is open has the time; "other" is what no span covers.
    """
    every = profile.tables.spans
    exclusive = exclusive_ns(every, profile.span_mask)
    rows = np.flatnonzero(profile.span_mask)
    roots = every.is_transaction
    table = pd.DataFrame(
        {
            "op": [OTHER if roots[row] else every.op[row] for row in rows],
            "exclusive_ns": exclusive[rows],
            "spans": (~roots[rows]).astype(np.int64),
        }
    )
    table = table.groupby("op", as_index=False).sum()
    whole = int(table["exclusive_ns"].sum()) or 1
    table.insert(2, "share", table["exclusive_ns"] / whole)
    table["share_low"], table["share_high"] = _op_intervals(every, rows, exclusive, table)
    return table.sort_values(["exclusive_ns", "op"], ascending=[False, True], ignore_index=True)


def _op_intervals(
    spans: Spans, rows: Ids, exclusive: Ints, table: pd.DataFrame
) -> tuple[Floats, Floats]:
    """Intervals of the ops' shares, transactions being the units."""
    roots = spans.is_transaction[rows]
    ops = [OTHER if root else spans.op[row] for root, row in zip(roots, rows, strict=True)]
    number = {op: place for place, op in enumerate(table["op"])}
    of_row = np.array([number[op] for op in ops], np.int32)
    unit, units = pd.factorize(spans.transaction[rows])
    pairs = alone(of_row, len(number))
    order = np.argsort(unit, kind="stable")
    parts = Units(unit[order], order, exclusive[rows][order], len(units), rows, units)
    return intervals(parts, pairs, table["share"].to_numpy(np.float64))


def exclusive_ns(spans: Spans, mask: Bools) -> Ints:
    """Per row: the time in which it is the youngest open span of its transaction.

    Summed over the spans of a transaction this is the transaction's duration, exactly. Time of
    spans that outlive their transaction is not counted. Rows outside ``mask`` are left out.
    """
    exclusive = np.zeros(len(spans), np.int64)
    rows = np.flatnonzero(mask)
    if not len(rows):
        return exclusive
    rows = rows[np.lexsort((rows, spans.start_ns[rows], spans.transaction[rows]))]
    edges = np.flatnonzero(np.diff(spans.transaction[rows])) + 1
    for family in np.split(rows, edges):
        _sweep(spans, family, exclusive)
    return exclusive


def _sweep(spans: Spans, family: Ids, exclusive: Ints) -> None:
    """Walk one transaction's spans in order of start, booking time to the youngest open one."""
    root = int(spans.transaction[family[0]])
    limit = int(spans.end_ns[root])
    starts, ends = spans.start_ns, spans.end_ns
    open_: list[tuple[int, int]] = []  # (-order of start, row): the youngest on top
    now = int(starts[family[0]])
    pending = [int(row) for row in family]
    for order, row in enumerate([*pending, -1]):
        until = min(int(starts[row]), limit) if row >= 0 else limit
        while open_ and now < until:
            youngest = open_[0][1]
            stop = min(int(ends[youngest]), until)
            if stop > now:
                exclusive[youngest] += stop - now
                now = stop
            if int(ends[youngest]) <= now:
                heapq.heappop(open_)
        now = max(now, until)
        if row >= 0:
            heapq.heappush(open_, (-order, row))


def _sampled(profile: Profile, key: Ids) -> dict[str, Ints]:
    """Clock sums of samples per ``key[span row]``, each sample cut to its transaction's start."""
    every, rows = profile.tables.spans, profile.rows
    starts = np.r_[every.start_ns[every.transaction], np.iinfo(np.int64).min]
    cut = rows.since(starts[rows.span])
    # Samples outside of spans (row -1) are summed behind the others and left out.
    groups = np.r_[key, len(every)].astype(np.int64)[rows.span]
    waiting = rows.in_states(State.IDLE, State.AWAITING, State.LOOP_WAIT)
    chosen = profile.in_states

    def total(values: Ints, mask: Bools | None) -> Ints:
        summed = np.zeros(len(every) + 1, np.int64)
        np.add.at(summed, groups, values if mask is None else values * mask)
        return summed[:-1]

    return {
        "wall_ns": total(cut.wall_ns, chosen),
        "cpu_ns": total(cut.cpu_ns, chosen),
        "waiting_ns": total(cut.wall_ns, waiting),
        "samples": total(rows.samples, None),
    }


def _where(profile: Profile, rows: Ids) -> dict[str, list[object]]:
    """Pid and thread name of each span row."""
    tables = profile.tables
    processes, threads = tables.spans.process[rows], tables.spans.thread[rows]
    return {
        "pid": [tables.processes[i].header.pid for i in processes],
        "thread": [tables.threads[i].name if i >= 0 else "" for i in threads],
    }


def _by(table: pd.DataFrame, keys: list[str], sums: list[str]) -> pd.DataFrame:
    """Group instances by ``keys``: count, errors, durations with percentiles, sums."""
    grouped = table.groupby(keys, sort=True)
    count, total = grouped.size(), grouped["duration_ns"].sum()
    duration = table["duration_ns"].to_numpy(np.int64)
    ordered = duration[np.lexsort((duration, grouped.ngroup()))]
    many = count.to_numpy(np.int64)
    first = np.cumsum(many) - many

    def quantile(q: float) -> Ints:
        """A duration that occurred, not a mean of two."""
        at: Ints = ordered[first + np.maximum(np.ceil(many * q - 1), 0).astype(np.int64)]
        return at

    failed = (~table["status"].isin(["ok", "open"])).astype(np.int64)
    result = pd.DataFrame(
        {
            "count": count,
            "errors": failed.groupby(grouped.ngroup()).sum().to_numpy(np.int64),
            "total_ns": total,
            "mean_ns": total // count,
            "p50_ns": quantile(0.50),
            "p95_ns": quantile(0.95),
            "max_ns": grouped["duration_ns"].max(),
            **{name: grouped[name].sum() for name in sums},
        }
    ).reset_index()
    order = ["exclusive_ns" if "exclusive_ns" in sums else "total_ns", *keys]
    return result.sort_values(order, ascending=[False] + [True] * len(keys), ignore_index=True)
