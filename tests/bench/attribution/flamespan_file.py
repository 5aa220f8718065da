"""What a sample file says of each transaction."""

from __future__ import annotations

import bisect
from pathlib import Path

from attribution import marks
from attribution.seen import Seen, Took
from flamespan.profiler.model import Recording, Samples, SpanStart, State, Tables
from flamespan.profiler.samplefile import SampleReader

Stretches = list[tuple[int, int]]
SUSPENDED = (State.AWAITING, State.LOOP_WAIT)


def read(path: Path, seen: Seen) -> None:
    """Count every row that its stack tells the transaction of; sum all rows by transaction."""
    recording = SampleReader(path).read()
    seen.interval_ns = recording.header.interval_ns
    spans = _Spans(recording)
    marked = _Marked(recording.tables)
    inside: dict[int, dict[tuple[int, bool], Stretches]] = {}
    last_ns: dict[int, int] = {}
    passes = _Passes()
    for samples in recording.samples:
        passes.add(samples)
        for row, time_ns, wall_ns in _rows(samples):
            span = samples.span[row]
            root = spans.root(span)
            if root is not None:
                # A transaction's first sample is cut at its start.
                begin = max(time_ns - wall_ns, root.start_ns)
                who = samples.thread[row], samples.state[row] in SUSPENDED
                stretches = inside.setdefault(root.id, {}).setdefault(who, [])
                stretches.append((begin, max(begin, time_ns)))
                last_ns[root.id] = time_ns
            mark = marked.of(samples.stack[row])
            if mark is not None:
                name = None if root is None else int(root.name)
                seen.add(mark, name, spans.description(span))
                seen.states[State(samples.state[row]).name.lower()] += 1
    for end in sorted(recording.spans.ended, key=lambda end: end.id):
        start = spans.start.get(end.id)
        if start is not None and not start.parent:
            last = last_ns.get(end.id, start.start_ns)
            lost_ns = passes.lost_ns(start.start_ns, last)
            sum_ns, twice_ns = _added_up(list(inside.get(end.id, {}).values()))
            # What overlaps fills what is missed elsewhere: it was told late. Then it is no overlap.
            room_ns = max(0, last - start.start_ns - lost_ns)
            took = Took(
                sampled_ns=max(sum_ns - twice_ns, min(sum_ns, room_ns)),
                beside_ns=max(0, end.end_ns - last) + lost_ns,
                duration_ns=end.end_ns - start.start_ns,
                thread_ns=sum_ns,
                gap_ns=passes.gap_ns(end.end_ns),
                lost_ns=passes.lost_ns(start.start_ns, end.end_ns),
            )
            seen.sums.setdefault(int(start.name), []).append(took)


def _added_up(of_each: list[Stretches]) -> tuple[int, int]:
    """Nanoseconds of all samples, and of these what several threads or tasks had at the same time.

    A row of one thread may be told some intervals late: only those of different ones overlap.
    """
    whole = sum(until - begin for times in of_each for begin, until in times)
    apart = sum(_covered(times) for times in of_each)
    return whole, apart - _covered([stretch for times in of_each for stretch in times])


def _covered(times: Stretches) -> int:
    """Nanoseconds that lie in at least one of the stretches."""
    covered, at = 0, 0
    for begin, until in sorted(times):
        covered += max(0, until - max(begin, at))
        at = max(at, until)
    return covered


class _Passes:
    """When there were passes, and the time that none could tell of: the process did not run."""

    def __init__(self) -> None:
        self._ends: list[int] = []
        self._gaps: list[int] = []
        self._lost: list[tuple[int, int]] = []

    def add(self, samples: Samples) -> None:
        now = samples.start_ticks
        for ticks, lost in zip(samples.pass_ticks, samples.pass_unobserved, strict=True):
            now += ticks
            self._ends.append(now * samples.tick_ns)
            self._gaps.append((ticks - lost) * samples.tick_ns)
            if lost:
                self._lost.append(((now - ticks) * samples.tick_ns, lost * samples.tick_ns))

    def lost_ns(self, start_ns: int, end_ns: int) -> int:
        """As far as it lies between the two: at the beginning of the gap in which it was."""
        return sum(max(0, min(end_ns, at + lost) - max(start_ns, at)) for at, lost in self._lost)

    def gap_ns(self, at_ns: int) -> int:
        """How long after the pass before the first one at or behind ``at_ns`` came; 0: none did."""
        place = bisect.bisect_left(self._ends, at_ns)
        return self._gaps[place] if place < len(self._gaps) else 0


def _rows(samples: Samples):
    """(row, time, wall nanoseconds): a row of a parked thread may stand for many passes."""
    at, now = 0, samples.start_ticks
    for number, count in enumerate(samples.pass_samples):
        now += samples.pass_ticks[number]
        charged = samples.pass_ticks[number] - samples.pass_unobserved[number]
        for row in range(at, at + count):
            yield row, now * samples.tick_ns, (charged + samples.wall_extra[row]) * samples.tick_ns
        at += count


class _Spans:
    def __init__(self, recording: Recording) -> None:
        self.start: dict[int, SpanStart] = {span.id: span for span in recording.spans.started}

    def root(self, span: int) -> SpanStart | None:
        found = self.start.get(span)
        while found is not None and found.parent:
            found = self.start.get(found.parent)
        return found

    def description(self, span: int) -> str:
        return self.start[span].description if span in self.start else ""


class _Marked:
    """Marks of stacks, each looked up once."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._known: dict[int, tuple[int, str] | None] = {}

    def of(self, stack: int) -> tuple[int, str] | None:
        if stack not in self._known:
            tables = self._tables
            frames = reversed(tables.stacks.frames(stack))
            names = (tables.functions[tables.frame_function[f]].name for f in frames)
            self._known[stack] = marks.read(names)
        return self._known[stack]
