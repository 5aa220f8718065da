"""What wall time was spent on: at work, or waiting, and for what.

Every row has one state, and its wall time goes to one column by it, so the columns of a table
add up to ``recorded_ns`` exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flamespan.aggregator.data import Rows
from flamespan.aggregator.grouping import grouped
from flamespan.aggregator.stacktree import Bools, Ints
from flamespan.profiler.model import State

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

WAITS = {
    "gil_wait_ns": State.GIL_WAIT,
    "blocked_ns": State.IDLE,
    "awaiting_ns": State.AWAITING,
    "loop_wait_ns": State.LOOP_WAIT,
}
"""Columns of one state each; what is in none of them ran, on a processor or not."""

COLUMNS = ("on_cpu_ns", "other_ns", *WAITS)


def waiting(profile: Profile, by: str = "transaction", *, instances: bool = False) -> pd.DataFrame:
    """What the wall time in view was spent on, whatever the chosen states and clock.

    ``by`` is transaction, span, function (the leaf, as shown) or thread; UsageError else.
    Rows that waited longest come first, with ``instances`` in order of start. Columns: what the
    row is (transactions and spans: count and duration_ns too; each one: row, id, start_ns,
    duration_ns), recorded_ns, and what it adds up from:

    - on_cpu_ns: the CPU time of rows that ran
    - other_ns: the rest of those: runnable without a processor, or in a state nobody could tell
    - gil_wait_ns: waiting for the GIL
    - blocked_ns: a thread that was blocked in input, output, a lock, a sleep
    - awaiting_ns: a task that was suspended until something it awaits is there
    - loop_wait_ns: a task that could go on and waited for its event loop

    Transactions have two columns of time beside it that no sample stands for: unobserved_ns, in
    which the process was stopped or got no processor for so long that nobody is charged for it, and
    tail_ns, from their last sample in the recording to their end. The three are the duration, where
    one thread at a time worked for the transaction and all of its samples were kept; in a window
    (``Profile.between``) they are what of it lies there.

    A span has the time of the spans inside it too; of spans with one op and description that
    lie in each other it counts once. Several threads of one transaction add up.
    """
    groups = grouped(profile, profile.rows, by, instances=instances)
    rows = groups.rows
    sums = {name: groups.sums(chosen, values) for name, (chosen, values) in _parts(rows).items()}
    recorded = sum(sums.values(), np.zeros(groups.count, np.int64))
    table = pd.DataFrame({**groups.columns, "recorded_ns": recorded, **sums, **groups.beside})
    if instances:
        return table.sort_values(["start_ns", "row"], ignore_index=True)
    table["least"] = sums["on_cpu_ns"] - recorded
    ordered = table.sort_values(["least", *groups.names], ignore_index=True)
    return ordered.drop(columns="least")


def _parts(rows: Rows) -> dict[str, tuple[Bools, Ints]]:
    """For each column the rows that belong to it and what each of them adds."""
    ran = ~np.isin(rows.state, np.array(list(WAITS.values()), np.uint8))
    # Now and then a row is given CPU time that was used before it began.
    on_cpu: Ints = rows.wall_ns - rows.wait_ns
    parts = {"on_cpu_ns": (ran, on_cpu), "other_ns": (ran, rows.wall_ns - on_cpu)}
    waits = {name: (rows.state == state, rows.wall_ns) for name, state in WAITS.items()}
    return {**parts, **waits}
