"""Tables of a profile: self and total time per function, line, module, file; folded stacks.

Every table is a DataFrame whose columns carry their unit. ``self_ns`` is the weight of samples
whose leaf a row is, ``total_ns`` the weight of samples it stands on anywhere, each sample once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flamespan.aggregator.data import Origin, Tables
from flamespan.aggregator.stacktree import Bools, Ids, Ints, rebuild
from flamespan.aggregator.statistics import Floats
from flamespan.aggregator.units import Membership, alone, intervals, on_path
from flamespan.aggregator.wallany import wall_any

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile


Interval = tuple[Floats, Floats]


def functions(profile: Profile, *, quick: bool = False) -> pd.DataFrame:
    """One row per function seen, largest self time first (ties by total, then name).

    Columns: function (qualified name), module, file, line (where it is defined), origin,
    self_ns, total_ns, self_share, total_share (of the profile's total), samples (it stands on),
    wall_any_ns (wall time in which at least one thread was in it), and the 95 % intervals of the
    shares: self_share_low, self_share_high, total_share_low, total_share_high (NaN: fewer than
    five transactions or blocks of ten seconds, too few to tell). ``quick`` leaves the last five
    out. Of a summed recording wall_any_ns is NaN, and so are the intervals where samples outside
    of transactions are in view: both need every sample's time.
    """
    return function_rows(profile, sums(by_function(profile), quick)).reset_index(drop=True)


def by_function(profile: Profile) -> Group:
    """The frames of a profile grouped by function."""
    t = profile.tables
    beyond = t.function_beyond_self_ns if profile.weight_clock == "wall" else None
    return Group(profile, t.frame_function, len(t.function_name), beyond)


def function_rows(profile: Profile, found: Sums) -> pd.DataFrame:
    """``functions`` of what was found by function; the index are rows of ``Tables``."""
    t = profile.tables
    return _table(found, lambda seen: code(t, seen, t.function_line[seen]))


def lines(profile: Profile, *, quick: bool = False) -> pd.DataFrame:
    """One row per line seen; columns as ``functions``, ``line`` being the line that ran."""
    t = profile.tables
    each = np.arange(len(t.frame_line), dtype=np.int32)
    group = Group(profile, each, len(each))
    rows = _table(
        sums(group, quick), lambda seen: code(t, t.frame_function[seen], t.frame_line[seen])
    )
    return rows.reset_index(drop=True)


def code(t: Tables, functions: Ids, lines: Ids) -> dict[str, Sequence[Any]]:
    """The columns that say which code a row is; ``functions`` and ``lines`` are per row."""
    which = functions.tolist()
    return {
        "function": [t.function_name[i] for i in which],
        "module": [t.function_module[i] for i in which],
        "file": [t.function_file[i] for i in which],
        "line": lines.tolist(),
        "origin": [_ORIGINS[i] for i in t.function_origin[functions].tolist()],
    }


_ORIGINS = [origin.label for origin in Origin]


def modules(profile: Profile, *, quick: bool = False) -> pd.DataFrame:
    """One row per module (its file's name where there is none).

    Columns: module, origin, then as ``functions``.
    """
    t = profile.tables
    named = [t.function_module[i] or t.function_file[i] or t.function_name[i] for i in _all(t)]
    return _by_name(profile, "module", named, quick)


def files(profile: Profile, *, quick: bool = False) -> pd.DataFrame:
    """One row per file (the function's name where there is none).

    Columns: file, origin, then as ``functions``.
    """
    t = profile.tables
    named = [t.function_file[i] or t.function_name[i] for i in _all(t)]
    return _by_name(profile, "file", named, quick)


def _all(t: Tables) -> range:
    return range(len(t.function_name))


def _by_name(profile: Profile, column: str, named: list[str], quick: bool) -> pd.DataFrame:
    """Functions of one name and origin together; ``named`` is per function."""
    t = profile.tables
    keys = list(zip(named, t.function_origin.tolist(), strict=True))
    distinct = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    of_function = np.array([distinct[key] for key in keys], np.int32)
    group = Group(profile, of_function[t.frame_function], len(distinct))
    names = list(distinct)

    def described(seen: Ids) -> dict[str, object]:
        origins = [Origin(names[i][1]).label for i in seen]
        return {column: [names[i][0] for i in seen], "origin": origins}

    return _table(sums(group, quick), described).reset_index(drop=True)


@dataclass(frozen=True, eq=False)
class Group:
    """Which row of a table each frame belongs to, and how many rows there can be.

    ``beyond_self_ns`` is what a recording without stacks adds to self times, per row.
    """

    profile: Profile
    of_frame: Ids
    size: int
    beyond_self_ns: Ints | None = None

    @cached_property
    def outermost(self) -> Bools:
        """Which counted nodes are the first of their group on the way from the root."""
        return self.profile.counted.tree.outermost(self.of_frame)

    def on_stacks(self, stacks: Ids) -> Membership:
        """The groups on each of these recorded stacks."""
        counted = self.profile.counted
        of_node = self.of_frame[counted.tree.key]
        return on_path(counted.tree, counted.place[stacks], of_node, self.outermost, self.size)

    @cached_property
    def totals(self) -> tuple[Ints, Ints]:
        """Total ns and samples of each group, from distinct stacks."""
        counted = self.profile.counted
        outermost = np.flatnonzero(self.outermost)
        whose = self.of_frame[counted.tree.key[outermost]]
        sums = []
        for values in self.profile.stack_weights:
            moved = np.zeros(len(counted.tree), np.int64)
            np.add.at(moved, counted.place, values)
            summed = np.zeros(self.size, np.int64)
            np.add.at(summed, whose, counted.tree.inclusive(moved)[outermost])
            sums.append(summed)
        total, samples = sums
        if self.beyond_self_ns is not None:
            total = total + np.where(samples > 0, self.beyond_self_ns, 0)
        return total, samples

    def own(self, view: Profile) -> Ints:
        """Self ns of each group in a view of the profile with the same samples."""
        own = np.zeros(self.size, np.int64)
        leaf = self.of_frame[view.shown.tree.key]
        np.add.at(own, leaf, _without_root(view.shown_weights()[0]))
        return own

    def own_intervals(self, view: Profile, own: Ints) -> Interval:
        """The 95 % intervals of the share that ``own`` is of the profile."""
        units, shown = self.profile.units, view.shown
        leaves = shown.place[units.stacks]
        of_leaf = np.where(leaves > 0, self.of_frame[shown.tree.key[leaves]], -1)
        return intervals(units, alone(of_leaf, self.size), own / (self.profile.total_ns or 1))


@dataclass(frozen=True, eq=False, slots=True)
class Sums:
    """What a table says of each group; intervals are None where nobody asked for them.

    ``wall_any_ns`` is None, too, where it cannot be known.
    """

    whole_ns: int
    self_ns: Ints
    total_ns: Ints
    samples: Ints
    wall_any_ns: Ints | None = None
    self_interval: Interval | None = None
    total_interval: Interval | None = None


def sums(group: Group, quick: bool = False) -> Sums:
    """The sums of each group in its profile."""
    profile, (total, samples) = group.profile, group.totals
    own, whole = group.own(profile), profile.total_ns or 1
    if quick:
        return Sums(whole, own, total, samples)
    held = group.on_stacks(profile.units.stacks)
    any_ns = wall_any(profile, held, total) if profile.selected.summed is None else None
    of_total = intervals(profile.units, held, total / whole)
    of_own = group.own_intervals(profile, own)
    return Sums(whole, own, total, samples, any_ns, of_own, of_total)


def _without_root(weights: Ints) -> Ints:
    """Node 0 (no frame at all) has a key, but belongs to no function."""
    below: Ints = np.r_[0, weights[1:]]
    return below


def _table(found: Sums, described: Callable[[Ids], Mapping[str, object]]) -> pd.DataFrame:
    """The groups seen, as the public tables describe them; the index are the groups' numbers."""
    seen = np.flatnonzero(found.samples)
    columns = dict(described(seen)) | {
        "self_ns": found.self_ns[seen],
        "total_ns": found.total_ns[seen],
        "self_share": found.self_ns[seen] / found.whole_ns,
        "total_share": found.total_ns[seen] / found.whole_ns,
        "samples": found.samples[seen],
    }
    if found.self_interval and found.total_interval:
        any_ns = found.wall_any_ns
        columns["wall_any_ns"] = np.full(len(seen), np.nan) if any_ns is None else any_ns[seen]
        for name, (low, high) in (("self", found.self_interval), ("total", found.total_interval)):
            columns |= {f"{name}_share_low": low[seen], f"{name}_share_high": high[seen]}
    table = pd.DataFrame(columns, index=seen)
    names = [name for name in ("function", "module", "file", "line") if name in columns]
    order = ["self_ns", "total_ns", *names]
    rising = [False, False] + [True] * len(names)
    return table.sort_values(order, ascending=rising, kind="stable")


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
