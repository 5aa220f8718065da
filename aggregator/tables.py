"""Tables of a profile: self and total time per function, line and module; threads; folded stacks.

Every table is a DataFrame whose columns carry their unit. ``self_ns`` is the weight of samples
whose leaf a row is, ``total_ns`` the weight of samples it stands on anywhere, each sample once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flamespan.aggregator.data import Origin, Tables
from flamespan.aggregator.stacktree import Ids, Ints, rebuild
from flamespan.profiler.model import State

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile


def functions(profile: Profile) -> pd.DataFrame:
    """One row per function seen, largest self time first (ties by total, then name).

    Columns: function (qualified name), module, file, line (where it is defined), origin,
    self_ns, total_ns, self_share, total_share (of the profile's total), samples (it stands on).
    """
    t = profile.tables
    own, total, samples = _self_and_total(profile, t.frame_function, len(t.function_name))
    if t.function_beyond_self_ns is not None and profile.weight_clock == "wall":
        total = total + np.where(samples > 0, t.function_beyond_self_ns, 0)
    weights = own, total, samples
    seen = np.flatnonzero(samples)
    return _table(profile, _code(t, seen, t.function_line[seen]), weights, seen)


def lines(profile: Profile) -> pd.DataFrame:
    """One row per line seen; columns as ``functions``, ``line`` being the line that ran."""
    t = profile.tables
    every = np.arange(len(t.frame_line), dtype=np.int32)
    weights = _self_and_total(profile, every, len(every))
    seen = np.flatnonzero(weights[2])
    return _table(profile, _code(t, t.frame_function[seen], t.frame_line[seen]), weights, seen)


def _code(t: Tables, functions: Ids, lines: Ids) -> dict[str, object]:
    """The columns that say which code a row is."""
    return {
        "function": [t.function_name[i] for i in functions],
        "module": [t.function_module[i] for i in functions],
        "file": [t.function_file[i] for i in functions],
        "line": lines,
        "origin": [Origin(t.function_origin[i]).label for i in functions],
    }


def modules(profile: Profile) -> pd.DataFrame:
    """One row per module (its file's name where there is none): module, origin, times, samples."""
    t = profile.tables
    named = [
        (t.function_module[i] or t.function_file[i] or t.function_name[i], t.function_origin[i])
        for i in range(len(t.function_name))
    ]
    distinct = {key: place for place, key in enumerate(dict.fromkeys(named))}
    module = np.array([distinct[key] for key in named], np.int32)
    weights = _self_and_total(profile, module[t.frame_function], len(distinct))
    seen = np.flatnonzero(weights[2])
    keys = list(distinct)
    described = {
        "module": [keys[i][0] for i in seen],
        "origin": [Origin(keys[i][1]).label for i in seen],
    }
    return _table(profile, described, weights, seen)


def _self_and_total(profile: Profile, group: Ids, size: int) -> tuple[Ints, Ints, Ints]:
    """Self ns, total ns and samples of each group of frames, from distinct stacks."""
    own = np.zeros(size, np.int64)
    np.add.at(own, group[profile.shown.tree.key], _without_root(profile.shown_weights()[0]))
    counted = profile.counted
    outermost = counted.tree.outermost(group)
    whose = group[counted.tree.key[outermost]]
    sums = []
    for values in profile.stack_weights:
        moved = np.zeros(len(counted.tree), np.int64)
        np.add.at(moved, counted.place, values)
        summed = np.zeros(size, np.int64)
        np.add.at(summed, whose, counted.tree.inclusive(moved)[outermost])
        sums.append(summed)
    return own, sums[0], sums[1]


def _without_root(weights: Ints) -> Ints:
    """Node 0 (no frame at all) has a key, but belongs to no function."""
    below: Ints = np.r_[0, weights[1:]]
    return below


def _table(
    profile: Profile,
    described: Mapping[str, object],
    weights: tuple[Ints, Ints, Ints],
    seen: Ids,
) -> pd.DataFrame:
    own, total, samples = (values[seen] for values in weights)
    whole = profile.total_ns or 1
    table = pd.DataFrame(
        {**described}
        | {
            "self_ns": own,
            "total_ns": total,
            "self_share": own / whole,
            "total_share": total / whole,
            "samples": samples,
        }
    )
    names = [name for name in ("function", "module", "file", "line") if name in described]
    order = ["self_ns", "total_ns", *names]
    rising = [False, False] + [True] * len(names)
    return table.sort_values(order, ascending=rising, kind="stable", ignore_index=True)


def threads(profile: Profile) -> pd.DataFrame:
    """One row per thread with samples in view, whatever its state, busiest first.

    Columns: thread, pid, is_main, samples, wall_ns (all states), cpu_ns, and the wall time in
    each state: running_ns, gil_wait_ns, idle_ns, gc_ns, awaiting_ns, loop_wait_ns, unknown_ns.
    """
    rows, tables = profile.rows, profile.tables
    size = len(tables.threads)
    by_state = np.zeros((size, len(State)), np.int64)
    np.add.at(by_state, (rows.thread, np.minimum(rows.state, len(State) - 1)), rows.wall_ns)
    cpu = np.zeros(size, np.int64)
    np.add.at(cpu, rows.thread, rows.cpu_ns)
    samples = np.zeros(size, np.int64)
    np.add.at(samples, rows.thread, rows.samples)
    seen = [int(i) for i in np.flatnonzero(samples)]
    listed = [tables.threads[i] for i in seen]
    table = pd.DataFrame(
        {
            "thread": [row.name for row in listed],
            "pid": [tables.processes[row.process].header.pid for row in listed],
            "is_main": np.array([row.is_main for row in listed], bool),
            "samples": samples[seen],
            "wall_ns": by_state[seen].sum(axis=1),
            "cpu_ns": cpu[seen],
        }
        | {f"{state.name.lower()}_ns": by_state[seen, state] for state in State}
    )
    order = ["cpu_ns", "wall_ns", "thread"]
    return table.sort_values(order, ascending=[False, False, True], ignore_index=True)


def folded(profile: Profile) -> dict[str, int]:
    """Shown stacks by function → nanoseconds, sorted by stack; they sum to the profile's total."""
    t = profile.tables
    tree, place = rebuild(profile.shown.tree.parent, t.frame_function[profile.shown.tree.key])
    weights = np.zeros(len(tree), np.int64)
    np.add.at(weights, place, profile.shown_weights()[0])
    labels: dict[int, str] = {}
    stacks: dict[str, int] = {}
    for node in np.flatnonzero(weights):
        path = tree.path(int(node))
        names = [labels.setdefault(f, t.label(f)) for f in path]
        stack = ";".join(names)
        stacks[stack] = stacks.get(stack, 0) + int(weights[node])
    return dict(sorted(stacks.items()))
