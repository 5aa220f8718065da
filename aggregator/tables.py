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
    t = profile.tables
    group = Group(profile, t.frame_function, len(t.function_name))
    beyond = t.function_beyond_self_ns if profile.weight_clock == "wall" else None
    return _table(group, lambda seen: code(t, seen, t.function_line[seen]), quick, beyond)


def lines(profile: Profile, *, quick: bool = False) -> pd.DataFrame:
    """One row per line seen; columns as ``functions``, ``line`` being the line that ran."""
    t = profile.tables
    each = np.arange(len(t.frame_line), dtype=np.int32)
    group = Group(profile, each, len(each))
    return _table(group, lambda seen: code(t, t.frame_function[seen], t.frame_line[seen]), quick)


def code(t: Tables, functions: Ids, lines: Ids) -> dict[str, Sequence[Any]]:
    """The columns that say which code a row is; ``functions`` and ``lines`` are per row."""
    return {
        "function": [t.function_name[i] for i in functions],
        "module": [t.function_module[i] for i in functions],
        "file": [t.function_file[i] for i in functions],
        "line": lines.tolist(),
        "origin": [Origin(t.function_origin[i]).label for i in functions],
    }


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

    return _table(group, described, quick)


@dataclass(frozen=True, eq=False)
class Group:
    """Which row of a table each frame belongs to, and how many rows there can be."""

    profile: Profile
    of_frame: Ids
    size: int

    @cached_property
    def outermost(self) -> Bools:
        """Which counted nodes are the first of their group on the way from the root."""
        return self.profile.counted.tree.outermost(self.of_frame)

    @cached_property
    def held(self) -> Membership:
        """The groups on each of the profile's distinct stacks."""
        counted = self.profile.counted
        of_node = self.of_frame[counted.tree.key]
        place = counted.place[self.profile.units.stacks]
        return on_path(counted.tree, place, of_node, self.outermost, self.size)


def _self_and_total(group: Group) -> tuple[Ints, Ints, Ints]:
    """Self ns, total ns and samples of each group of frames, from distinct stacks."""
    profile = group.profile
    own = np.zeros(group.size, np.int64)
    leaf = group.of_frame[profile.shown.tree.key]
    np.add.at(own, leaf, _without_root(profile.shown_weights()[0]))
    counted = profile.counted
    outermost = np.flatnonzero(group.outermost)
    whose = group.of_frame[counted.tree.key[outermost]]
    sums = []
    for values in profile.stack_weights:
        moved = np.zeros(len(counted.tree), np.int64)
        np.add.at(moved, counted.place, values)
        summed = np.zeros(group.size, np.int64)
        np.add.at(summed, whose, counted.tree.inclusive(moved)[outermost])
        sums.append(summed)
    return own, sums[0], sums[1]


def _without_root(weights: Ints) -> Ints:
    """Node 0 (no frame at all) has a key, but belongs to no function."""
    below: Ints = np.r_[0, weights[1:]]
    return below


def _table(
    group: Group,
    described: Callable[[Ids], Mapping[str, object]],
    quick: bool,
    beyond_self_ns: Ints | None = None,
) -> pd.DataFrame:
    profile, weights = group.profile, _self_and_total(group)
    if beyond_self_ns is not None:
        own, total, samples = weights
        weights = own, total + np.where(samples > 0, beyond_self_ns, 0), samples
    seen = np.flatnonzero(weights[2])
    own, total, samples = (values[seen] for values in weights)
    whole = profile.total_ns or 1
    columns = dict(described(seen)) | {
        "self_ns": own,
        "total_ns": total,
        "self_share": own / whole,
        "total_share": total / whole,
        "samples": samples,
    }
    if not quick:
        columns["wall_any_ns"] = np.full(len(seen), np.nan)
        if profile.selected.summed is None:
            columns["wall_any_ns"] = wall_any(profile, group.held, weights[1])[seen]
        columns |= _intervals(group, (weights[0] / whole, weights[1] / whole), seen)
    table = pd.DataFrame(columns)
    names = [name for name in ("function", "module", "file", "line") if name in columns]
    order = ["self_ns", "total_ns", *names]
    rising = [False, False] + [True] * len(names)
    return table.sort_values(order, ascending=rising, kind="stable", ignore_index=True)


def _intervals(group: Group, shares: tuple[Floats, Floats], seen: Ids) -> dict[str, Floats]:
    """The 95 % intervals of self and total shares."""
    units, shown = group.profile.units, group.profile.shown
    leaves = shown.place[units.stacks]
    of_leaf = np.where(leaves > 0, group.of_frame[shown.tree.key[leaves]], -1)
    memberships = (alone(of_leaf, group.size), group.held)
    found: dict[str, Floats] = {}
    for name, membership, share in zip(("self", "total"), memberships, shares, strict=True):
        low, high = intervals(units, membership, share)
        found |= {f"{name}_share_low": low[seen], f"{name}_share_high": high[seen]}
    return found


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
