"""What a test wants to know of sample files: read them, follow stacks, sum by function."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flamespan.profiler.model import Recording, Samples, SpanStart, State
from flamespan.profiler.samplefile import SampleReader


def read(path: str | Path) -> Recording:
    return SampleReader(path).read()


def read_one(folder: str | Path) -> Recording:
    """The only sample file in ``folder``."""
    (path,) = Path(folder).glob("*.fspan")
    return read(path)


@dataclass(frozen=True)
class Row:
    """One sample, with names."""

    time_ns: int
    thread: str
    stack: tuple[str, ...]
    lines: tuple[int, ...]
    span: int
    wall_ns: int
    cpu_ns: int
    state: State
    flags: int


def rows(recording: Recording) -> Iterator[Row]:
    for samples in recording.samples:
        yield from rows_of(samples, recording)


def rows_of(samples: Samples, recording: Recording) -> Iterator[Row]:
    tables, tick = recording.tables, samples.tick_ns
    now, at = samples.start_ticks, 0
    for number, count in enumerate(samples.pass_samples):
        now += samples.pass_ticks[number]
        charged = samples.pass_ticks[number] - samples.pass_unobserved[number]
        for i in range(at, at + count):
            frames = tables.stacks.frames(samples.stack[i])
            yield Row(
                now * tick,
                tables.threads[samples.thread[i]].name,
                tuple(tables.functions[tables.frame_function[f]].name for f in frames),
                tuple(tables.frame_line[f] for f in frames),
                samples.span[i],
                (charged + samples.wall_extra[i]) * tick,
                samples.cpu_ticks[i] * tick,
                State(samples.state[i]),
                samples.flags[i],
            )
        at += count


def wall_by_function(recording: Recording, thread: str = "MainThread") -> Counter[str]:
    """Wall nanoseconds that each function was anywhere on the stack of ``thread``."""
    total: Counter[str] = Counter()
    for row in rows(recording):
        if row.thread == thread:
            for name in set(row.stack):
                total[name] += row.wall_ns
    return total


def spans(recording: Recording) -> dict[int, SpanStart]:
    return {span.id: span for span in recording.spans.started}


def run_python(
    code: str, *arguments: str, timeout: float = 60, **options: object
) -> subprocess.CompletedProcess[str]:
    """A program in a fresh interpreter; warnings are errors there too."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **options,
    )
