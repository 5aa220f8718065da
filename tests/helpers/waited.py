"""Recordings of the native engine in which transactions wait: what is booked to whom."""

from __future__ import annotations

import time
from collections import Counter, defaultdict

from flamespan import profiler
from flamespan.profiler.model import State
from helpers import recordings

WAITING = (State.AWAITING, State.LOOP_WAIT)
MS = 1_000_000


def spin(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def record(folder, main, rate_hz=500, **options):
    with profiler.Profiler(folder, rate_hz, engine="native", **options) as running:
        main()
    return recordings.read(running.path)


def waits(recording):
    """Of each transaction: wall of each (state, stack, description of the span) it waited in."""
    spans = recordings.spans(recording)
    found = defaultdict(Counter)
    for row in recordings.rows(recording):
        if row.state in WAITING:
            names = tuple(name.rpartition(".")[2] for name in row.stack)
            what = spans[row.span].description or spans[row.span].name
            found[root(spans, row.span).name][row.state, names, what] += row.wall_ns
    return found


def root(spans, span):
    while spans[span].parent:
        span = spans[span].parent
    return spans[span]


def ends(recording):
    return {span.id: span.end_ns for span in recording.spans.ended}


def seen(rows, state, *names, during=None):
    return sum(
        wall
        for (was, stack, what), wall in rows.items()
        if was == state and stack[: len(names)] == names and during in (None, what)
    )


def checked_sums(recording):
    """The time booked to each transaction against its duration: off by no more than an interval at
    either end, or by what the passes there were late; what nothing could be told of is known.
    """
    spans = recordings.spans(recording)
    passes, booked = [], defaultdict(int)
    for samples in recording.samples:
        now = samples.start_ticks
        for gap, unobserved in zip(samples.pass_ticks, samples.pass_unobserved, strict=True):
            now += gap
            passes.append(
                (now * samples.tick_ns, gap * samples.tick_ns, unobserved * samples.tick_ns)
            )
    for row in recordings.rows(recording):
        if row.span:
            whole = root(spans, row.span)
            booked[whole.id] += min(row.wall_ns, row.time_ns - whole.start_ns)
    checked = 0
    for span, end_ns in ends(recording).items():
        start_ns = spans[span].start_ns
        if spans[span].parent:
            continue
        around = [gap for at, gap, _ in passes if at > start_ns and at - gap < end_ns]
        lost = sum(lost for at, _, lost in passes if start_ns < at <= end_ns)
        slack = 2 * max(around, default=10 * MS) + lost + 2 * MS
        assert abs(booked[span] - (end_ns - start_ns)) <= slack, spans[span]
        checked += 1
    return checked
