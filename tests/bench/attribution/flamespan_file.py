"""What a sample file says of each transaction."""

from __future__ import annotations

from pathlib import Path

from attribution import marks
from attribution.seen import Seen
from flamespan.profiler.model import Recording, Samples, SpanStart, State, Tables
from flamespan.profiler.samplefile import SampleReader


def read(path: Path, seen: Seen) -> None:
    """Count every row that its stack tells the transaction of; sum all rows by transaction."""
    recording = SampleReader(path).read()
    seen.interval_ns = recording.header.interval_ns
    spans = _Spans(recording)
    marked = _Marked(recording.tables)
    sums: dict[int, int] = {}
    last_ns: dict[int, int] = {}
    for samples in recording.samples:
        for row, time_ns, wall_ns in _rows(samples):
            span = samples.span[row]
            root = spans.root(span)
            if root is not None:
                # A transaction's first sample is cut at its start.
                inside_ns = min(wall_ns, time_ns - root.start_ns)
                sums[root.id] = sums.get(root.id, 0) + inside_ns
                last_ns[root.id] = time_ns
            mark = marked.of(samples.stack[row])
            if mark is not None:
                name = None if root is None else int(root.name)
                seen.add(mark, name, spans.description(span))
                seen.states[State(samples.state[row]).name.lower()] += 1
    for end in sorted(recording.spans.ended, key=lambda end: end.id):
        start = spans.start.get(end.id)
        if start is not None and not start.parent:
            tail_ns = max(0, end.end_ns - last_ns.get(end.id, start.start_ns))
            took = (sums.get(end.id, 0), tail_ns, end.end_ns - start.start_ns)
            seen.sums.setdefault(int(start.name), []).append(took)


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
