"""From what was seen to the figures of a table's line."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from attribution.seen import Seen


@dataclass(frozen=True)
class Figures:
    """Samples whose stack is inside a transaction, and the shares that went wrong (0..1).

    ``foreign`` is the share of another transaction among the attributed ones, ``wrong_span`` of
    another span of the right transaction; ``nobodys`` the share of all that are nobody's, None
    where the profiler does not keep those.
    """

    attributed: int
    foreign: float
    wrong_span: float
    nobodys: float | None


@dataclass(frozen=True)
class SumRule:
    """Time in which a transaction had a sample, of any state and thread, against its duration.

    Median and worst absolute difference in sampling intervals. A transaction's last sample is at
    most an interval before its end, or as long as the pass there came late: ``late`` is the worst
    difference, but for time in which the process did not run, in intervals that are as long as the
    gap in which the transaction ended, where that is longer. ``unexplained`` is the worst where
    the time that is known to be in no sample is counted: after a transaction's last sample
    (``tail_ns``) and while the process did not run (``unobserved_ns``). ``over_all`` is the
    difference with those over all transactions, as a share of their durations. ``twice`` is what
    samples of a transaction have beyond that time, since several threads worked for it at once, as
    the same share: thread-seconds are more than seconds. Where one task or thread at a time works
    for a transaction it must be 0.
    """

    transactions: int
    median: float
    worst: float
    late: float
    unexplained: float
    over_all: float
    twice: float


def figures(seen: Seen) -> Figures:
    attributed = seen.right + seen.foreign
    return Figures(
        attributed,
        seen.foreign / max(1, attributed),
        seen.wrong_span / max(1, seen.right),
        None if seen.nobodys is None else seen.nobodys / max(1, attributed + seen.nobodys),
    )


def sum_rule(seen: Seen) -> SumRule | None:
    """None where the profiler's samples have no weights."""
    all_took = [took for of_number in seen.sums.values() for took in of_number]
    if not all_took:
        return None
    interval_ns = seen.interval_ns
    off = [abs(took.sampled_ns - took.duration_ns) for took in all_took]
    late = [
        abs(took.sampled_ns + took.lost_ns - took.duration_ns) / max(took.gap_ns, interval_ns)
        for took in all_took
    ]
    left = [abs(took.sampled_ns + took.beside_ns - took.duration_ns) for took in all_took]
    wanted_ns = sum(took.duration_ns for took in all_took)
    told_ns = sum(took.sampled_ns + took.beside_ns for took in all_took)
    return SumRule(
        len(off),
        statistics.median(off) / interval_ns,
        max(off) / interval_ns,
        max(late),
        max(left) / interval_ns,
        told_ns / wanted_ns - 1,
        sum(took.thread_ns - took.sampled_ns for took in all_took) / wanted_ns,
    )
