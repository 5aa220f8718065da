"""Time that no pass can tell of: the process did not run, or its sampler slept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flamespan.aggregator.stacktree import Ids, Ints

if TYPE_CHECKING:
    from flamespan.aggregator.data import Process
    from flamespan.aggregator.profile import Profile

Window = tuple[int, int]
"""From when to when (unix time, nanoseconds)."""


def beside_samples(profile: Profile, listed: Ids) -> dict[str, Ints]:
    """What no sample stands for of each listed transaction (rows of ``Tables.spans``).

    unobserved_ns lies between its start and its last sample, tail_ns is behind that; of both
    only what lies in the view's window. Its last sample is that of the recording, so windows
    that touch add up, and what else the view leaves out changes nothing.
    """
    spans = profile.tables.spans
    low, high = profile.window or (np.iinfo(np.int64).min, np.iinfo(np.int64).max)
    last = _last_ns(profile)[listed]
    begin = np.clip(spans.start_ns[listed], low, high)
    until = np.maximum(np.clip(last, low, high), begin)
    lost = np.zeros(len(listed), np.int64)
    for number, process in enumerate(profile.processes):
        mine = np.flatnonzero(spans.process[listed] == number)
        lost[mine] = lost_until(process.outages, until[mine])
        lost[mine] -= lost_until(process.outages, begin[mine])
    tail = np.clip(spans.end_ns[listed], low, high) - until
    return {"unobserved_ns": lost, "tail_ns": np.maximum(tail, 0)}


def _last_ns(profile: Profile) -> Ints:
    """When each transaction had its last sample; its start where it had none."""
    spans, rows = profile.tables.spans, profile.recorded
    inside = np.flatnonzero(rows.span >= 0)
    last = spans.start_ns.copy()
    np.maximum.at(last, spans.transaction[rows.span[inside]], rows.time_ns[inside])
    return last


def lost_until(outages: Ints, time_ns: Ints) -> Ints:
    """The nanoseconds of outages (see ``Process.outages``) up to each time."""
    begin, lost = outages[:, 0], outages[:, 1]
    before = np.searchsorted(begin, time_ns)
    after = np.r_[0, begin + lost][before] - time_ns
    until: Ints = np.r_[0, np.cumsum(lost)][before] - np.maximum(after, 0) * (before > 0)
    return until


def unobserved_ns(process: Process, window: Window | None) -> int:
    """Time in which the process cannot have run; its sampler's sleep is none of it."""
    if window is None:
        return process.unobserved_ns
    edges = np.array(window, np.int64)
    asleep = process.outages[:, [0, 2]]
    awake = np.diff(lost_until(process.outages, edges)) - np.diff(lost_until(asleep, edges))
    return max(0, int(awake[0]))
