"""From a row of a table back to the samples that it sums, and the samples as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flamespan.aggregator import calls, transform
from flamespan.aggregator.data import Origin, Tables
from flamespan.aggregator.spantables import OTHER
from flamespan.aggregator.stacktree import Bools, Ids
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import Flag, State

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

Row = Mapping[str, Any] | pd.Series

_STATES = {int(state): state.name.lower() for state in State}


def samples(profile: Profile) -> pd.DataFrame:
    """One row per sample in the chosen states, in order of time.

    Columns: time_ns (unix; the sample stands for the wall_ns before it), pid, thread, state,
    wall_ns, cpu_ns, weight_ns (the profile's clock), transaction, transaction_id, op (of the
    span), span (row in ``Tables.spans``, -1: none), function, module, file, line (the leaf shown
    and its running line), stack (names, root first, ";" between), flags (late, torn, …).
    """
    rows, t = profile.selected.single(), profile.tables
    order = np.lexsort((rows.thread, rows.time_ns))
    node = profile.shown.place[rows.stack[order]]
    frame = profile.shown.tree.key[node]
    leaf = t.frame_function[frame]
    thread, span = rows.thread[order], rows.span[order]
    root = np.where(span >= 0, np.r_[t.spans.transaction, -1][span], -1)
    return pd.DataFrame(
        {
            "time_ns": rows.time_ns[order],
            "pid": [t.processes[t.threads[i].process].header.pid for i in thread],
            "thread": [t.threads[i].name for i in thread],
            "state": [_STATES.get(value, "unknown") for value in rows.state[order].tolist()],
            "wall_ns": rows.wall_ns[order],
            "cpu_ns": rows.cpu_ns[order],
            "weight_ns": profile.weights_ns[order],
            "transaction": [t.spans.name[row] if row >= 0 else "" for row in root],
            "transaction_id": [int(t.spans.id[row]) if row >= 0 else 0 for row in root],
            "op": [t.spans.op[row] if row >= 0 else "" for row in span],
            "span": span,
            "function": _taken(t.function_name, leaf, node),
            "module": _taken(t.function_module, leaf, node),
            "file": _taken(t.function_file, leaf, node),
            "line": np.where(node > 0, t.frame_line[frame], 0),
            "stack": _stacks(profile, node),
            "flags": [_flags(int(value)) for value in rows.flags[order]],
        }
    )


def _taken(texts: list[str], function: Ids, node: Ids) -> list[str]:
    return [texts[f] if at else "" for f, at in zip(function.tolist(), node.tolist(), strict=True)]


def _flags(value: int) -> str:
    return "|".join(flag.name.lower() for flag in Flag if value & flag and flag.name)


def _stacks(profile: Profile, node: Ids) -> list[str]:
    t, tree = profile.tables, profile.shown.tree
    texts: dict[int, str] = {}
    for one in np.unique(node).tolist():
        texts[one] = ";".join(t.function_name[t.frame_function[f]] for f in tree.path(one))
    return [texts[one] for one in node.tolist()]


def narrowed(profile: Profile, kept: Bools) -> Profile:
    """The rows where ``kept`` holds, and the transactions and spans that such rows are in.

    A span is in view with the transaction that holds it.
    """
    spans = profile.tables.spans
    inner = profile.rows.span[kept & (profile.rows.span >= 0)]
    roots = np.zeros(len(spans), bool)
    roots[spans.transaction[inner]] = True
    mask = profile.span_mask & roots[spans.transaction]
    return replace(profile, rows=profile.rows.pick(kept), span_mask=mask)


def with_functions(profile: Profile, functions: Bools) -> Profile:
    """Samples in a chosen state whose stack (of the chosen side) holds one of these functions."""
    return _with_frames(profile, functions[profile.tables.frame_function])


def _with_frames(profile: Profile, frames: Bools) -> Profile:
    counted = profile.counted
    on = transform.outermost_of(counted.tree, frames) >= 0
    return narrowed(profile, on[counted.place][profile.rows.stack] & profile.in_states)


def behind(profile: Profile, by: str, row: Row, of: str | None = None) -> Profile:
    """The samples that one row of the table ``by`` sums; ``Profile.behind`` tells more."""
    if by in ("callers", "callees"):
        if of is None:
            raise UsageError(f"a row of {by} needs the function they are {by} of: of=NAME")
        return _around(profile, by, row, of)
    if by not in _FINDERS:
        raise UsageError(
            f"no table {by!r} with rows to look behind; there are {', '.join(_FINDERS)}"
        )
    try:
        return _FINDERS[by](profile, row)
    except KeyError as error:
        raise UsageError(
            f"a row of the {by} table has a column {error}; this one has not"
        ) from None


def _function(profile: Profile, row: Row) -> Profile:
    return with_functions(profile, _same(profile.tables, row))


def _around(profile: Profile, by: str, row: Row, of: str) -> Profile:
    found = np.flatnonzero(_same(profile.tables, row))
    function = int(found[0]) if len(found) else -1  # <itself>, <no caller>
    on = calls.stacks_of(profile, of, by, function)
    return narrowed(profile, on[profile.rows.stack] & profile.in_states)


def _same(t: Tables, row: Row) -> Bools:
    """The functions of this name, file and first line."""
    wanted = np.array([name == row["function"] for name in t.function_name], bool)
    wanted &= np.array([file == row["file"] for file in t.function_file], bool)
    same: Bools = wanted & (t.function_line == row["line"])
    return same


def _line(profile: Profile, row: Row) -> Profile:
    t = profile.tables
    wanted = np.array([name == row["function"] for name in t.function_name], bool)
    wanted &= np.array([file == row["file"] for file in t.function_file], bool)
    return _with_frames(profile, wanted[t.frame_function] & (t.frame_line == row["line"]))


def _module(profile: Profile, row: Row) -> Profile:
    return _named(profile, row, "module", lambda t, i: t.function_module[i] or t.function_file[i])


def _file(profile: Profile, row: Row) -> Profile:
    return _named(profile, row, "file", lambda t, i: t.function_file[i])


def _named(profile: Profile, row: Row, column: str, text: Callable[[Tables, int], str]) -> Profile:
    t, wanted = profile.tables, row[column]
    named = [(text(t, i) or t.function_name[i]) == wanted for i in range(len(t.function_name))]
    same = t.function_origin == Origin[row["origin"].upper()]
    return with_functions(profile, np.array(named, bool) & same)


def _path(profile: Profile, row: Row) -> Profile:
    tree, node = profile.tree(), int(row["node"])
    below = np.zeros(len(tree), bool)
    below[node] = True
    for later in range(node + 1, len(tree)):  # depth first: what hangs below comes after
        below[later] = below[tree.parent[later]]
    on = below[tree.place[profile.shown.place]]
    return narrowed(profile, on[profile.rows.stack] & profile.in_states)


def _thread(profile: Profile, row: Row) -> Profile:
    t = profile.tables
    mine = [
        thread.name == row["thread"] and t.processes[thread.process].header.pid == row["pid"]
        for thread in t.threads
    ]
    return narrowed(profile, np.array(mine, bool)[profile.rows.thread])


def _transaction(profile: Profile, row: Row) -> Profile:
    spans = profile.tables.spans
    if "row" in row:
        return profile.of_spans(spans.transaction == int(row["row"]))
    same = np.array([name == row["transaction"] for name in spans.name], bool)
    same &= np.array([op == row["op"] for op in spans.op], bool) & spans.is_transaction
    return profile.of_spans(same[spans.transaction])


def _span(profile: Profile, row: Row) -> Profile:
    spans = profile.tables.spans
    if "row" in row:
        return _directly(profile, np.arange(len(spans)) == int(row["row"]))
    same = np.array([op == row["op"] for op in spans.op], bool) & ~spans.is_transaction
    same &= np.array([text == row["description"] for text in spans.description], bool)
    return _directly(profile, same)


def _directly(profile: Profile, mask: Bools) -> Profile:
    """Samples in these spans themselves, not in spans inside them."""
    return profile.of_spans(mask & profile.span_mask)


def _gap(profile: Profile, row: Row) -> Profile:
    inside = _directly(profile, np.arange(len(profile.tables.spans)) == int(row["row"]))
    return inside.between(int(row["start_ns"]), int(row["end_ns"])).all_states()


def _op(profile: Profile, row: Row) -> Profile:
    spans = profile.tables.spans
    same = np.array([op == row["op"] for op in spans.op], bool) & ~spans.is_transaction
    if row["op"] == OTHER:
        same |= spans.is_transaction
    return _directly(profile, same)


def _measurement(profile: Profile, row: Row) -> Profile:
    spans = profile.tables.spans
    held = np.array([row["measurement"] in found for found in spans.measurements], bool)
    if "row" in row:
        held &= np.arange(len(spans)) == int(row["row"])
    roots = np.zeros(len(spans), bool)
    roots[spans.transaction[held]] = True
    same = [spans.name[root] == row["transaction"] for root in spans.transaction]
    return profile.of_spans(roots[spans.transaction] & np.array(same, bool))


_FINDERS: dict[str, Callable[[Profile, Row], Profile]] = {
    "function": _function,
    "line": _line,
    "module": _module,
    "file": _file,
    "path": _path,
    "per-transaction": _function,
    "thread": _thread,
    "process": lambda profile, row: profile.process(int(row["pid"])),
    "transaction": _transaction,
    "span": _span,
    "gap": _gap,
    "op": _op,
    "measurement": _measurement,
}
