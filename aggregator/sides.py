"""All code, the application's and the system's: tables of the three views, computed together.

A view of one side keeps every total of the functions it shows, so that totals, the time with any
thread, their intervals and times per transaction are found once. Only self times differ, and what
the stand-ins have: the stacks without a frame of their side.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from flamespan.aggregator.data import Origin
from flamespan.aggregator.distribution import Held, held_by
from flamespan.aggregator.stacktree import Bools, StackTree
from flamespan.aggregator.tables import Sums, by_function, function_rows
from flamespan.aggregator.units import Membership, intervals
from flamespan.aggregator.wallany import wall_any

if TYPE_CHECKING:
    import pandas as pd

    from flamespan.aggregator.data import Tables
    from flamespan.aggregator.profile import Profile

SIDES = ("all", "application", "system")


def views(profile: Profile) -> dict[str, Profile]:
    """A profile that shows all code (its ``side`` is None) by each of SIDES."""
    return dict(
        zip(SIDES, (profile, profile.application_frames(), profile.system_frames()), strict=True)
    )


def shown(tables: Tables, side: str) -> Bools:
    """The functions that a view of this side can show."""
    application = tables.function_origin == Origin.APPLICATION
    functions = np.ones(len(application), bool)
    if side != "all":
        functions = application.copy() if side == "application" else ~application
    functions[tables.frame_function[-2:]] = side == "application", side == "system"
    return functions


def function_tables(by_side: dict[str, Profile]) -> dict[str, pd.DataFrame]:
    """``tables.function_rows`` of each of ``views``."""
    profile = by_side["all"]
    group, units, whole = by_function(profile), profile.units, profile.total_ns or 1
    held = with_stand_ins(profile.tables, group.on_stacks(units.stacks))
    total, samples = (values.copy() for values in group.totals)
    on = np.repeat(units.stacks, np.diff(held.first))
    for stand_in in profile.tables.frame_function[-2:]:
        stacks = on[held.group == stand_in]
        total[stand_in], samples[stand_in] = (w[stacks].sum() for w in profile.stack_weights)
    any_ns = wall_any(profile, held, total) if profile.selected.summed is None else None
    of_total = intervals(units, held, total / whole)
    made = {}
    for side, view in by_side.items():
        own = group.own(view)
        seen = np.where(shown(profile.tables, side), samples, 0)
        of_own = group.own_intervals(view, own)
        made[side] = function_rows(view, Sums(whole, own, total, seen, any_ns, of_own, of_total))
    return made


def held_by_all(profile: Profile) -> Held:
    """``distribution.held`` of the views at once; ``Held.of`` the ``shown`` is that of one."""
    inside = profile.in_transactions()
    held = by_function(inside).on_stacks(inside.units.stacks)
    return held_by(inside.units, with_stand_ins(profile.tables, held))


def with_stand_ins(tables: Tables, held: Membership) -> Membership:
    """``held``, and each stack with frames of one side only in the other side's stand-in, too."""
    system, application = tables.frame_function[-2:].tolist()
    count = len(held.first) - 1
    stack = np.repeat(np.arange(count), np.diff(held.first))
    ours = (tables.function_origin == Origin.APPLICATION)[held.group]
    has_ours, has_others = np.zeros(count, bool), np.zeros(count, bool)
    has_ours[stack[ours]] = True
    has_others[stack[~ours]] = True
    bare = has_ours != has_others
    at = np.flatnonzero(bare)
    more = np.where(has_ours[at], application, system)
    group = np.insert(held.group, held.first[at + 1], more).astype(np.int32)
    return Membership(held.first + np.r_[0, np.cumsum(bare)], group, held.size)


def pruned(profile: Profile) -> Profile:
    """The same view with the stacks of its own samples alone: its tables are made the faster.

    ``recorded`` are those samples, too, so that it cannot say who else held the GIL.
    """
    tables, tree = profile.tables, profile.tables.tree
    used = tree.with_callers(profile.rows.stack)
    number = np.cumsum(used, dtype=np.int32) - 1
    less = StackTree(number[tree.parent[used]], tree.key[used])
    rows = profile.rows.on(number[profile.rows.stack])
    return replace(profile, tables=replace(tables, tree=less), rows=rows, recorded=rows)
