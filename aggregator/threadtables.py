"""Tables of threads and processes: how long each was seen, and in which state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flamespan.aggregator.data import Rows
from flamespan.aggregator.stacktree import Ids, Ints
from flamespan.profiler.model import State

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile


def threads(profile: Profile) -> pd.DataFrame:
    """One row per thread with samples in view, whatever its state, busiest first.

    Columns: thread, pid, is_main, samples, wall_ns, cpu_ns, and the wall time in each state:
    running_ns, gil_wait_ns, idle_ns, gc_ns, awaiting_ns, loop_wait_ns, unknown_ns. wall_ns is all
    of these but awaiting_ns and loop_wait_ns: those are of suspended tasks whose loop the thread
    runs, any number of them at a time (task-seconds), not what the thread did.
    """
    rows, tables = profile.rows, profile.tables
    samples, sums = _by_state(rows, rows.thread, len(tables.threads))
    seen = [int(i) for i in np.flatnonzero(samples)]
    listed = [tables.threads[i] for i in seen]
    table = pd.DataFrame(
        {
            "thread": [row.name for row in listed],
            "pid": [tables.processes[row.process].header.pid for row in listed],
            "is_main": np.array([row.is_main for row in listed], bool),
            "samples": samples[seen],
        }
        | {name: values[seen] for name, values in sums.items()}
    )
    order = ["cpu_ns", "wall_ns", "thread"]
    return table.sort_values(order, ascending=[False, False, True], ignore_index=True)


def processes(profile: Profile) -> pd.DataFrame:
    """One row per recorded process, busiest first, those without samples in view too.

    Columns: pid, service, host, program, duration_ns (from its first to its last moment),
    threads (with samples in view), samples, wall_ns, cpu_ns and the wall time in each state, as
    ``threads``: sums over its threads.
    """
    rows, tables = profile.rows, profile.tables
    count = len(tables.processes)
    process = np.array([thread.process for thread in tables.threads], np.int32)
    samples, sums = _by_state(rows, process[rows.thread] if len(rows) else rows.thread, count)
    threads_seen = np.bincount(process[np.unique(rows.thread)], minlength=count)
    headers = [found.header for found in tables.processes]
    lasted = [found.last_ns - found.first_ns for found in tables.processes]
    table = pd.DataFrame(
        {
            "pid": [header.pid for header in headers],
            "service": [header.service for header in headers],
            "host": [header.host for header in headers],
            "program": [header.program for header in headers],
            "duration_ns": np.array(lasted, np.int64),
            "threads": threads_seen,
            "samples": samples,
        }
        | sums
    )
    order = ["cpu_ns", "wall_ns", "pid"]
    return table.sort_values(order, ascending=[False, False, True], ignore_index=True)


def _by_state(rows: Rows, key: Ids, size: int) -> tuple[Ints, dict[str, Ints]]:
    """Samples per key; its wall and CPU time, and the wall time in each state."""
    by_state = np.zeros((size, len(State)), np.int64)
    np.add.at(by_state, (key, np.minimum(rows.state, len(State) - 1)), rows.wall_ns)
    cpu = np.zeros(size, np.int64)
    np.add.at(cpu, key, rows.cpu_ns)
    suspended = by_state[:, [State.AWAITING, State.LOOP_WAIT]].sum(axis=1)
    sums = {"wall_ns": by_state.sum(axis=1) - suspended, "cpu_ns": cpu}
    sums |= {f"{state.name.lower()}_ns": by_state[:, state] for state in State}
    samples = np.zeros(size, np.int64)
    np.add.at(samples, key, rows.samples)
    return samples, sums
