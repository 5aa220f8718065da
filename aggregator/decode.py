"""One recording as numpy columns: what a sample file says, before it is joined with others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from flamespan.aggregator.data import Bytes
from flamespan.aggregator.stacktree import Ids, Ints
from flamespan.profiler.model import (
    MAX_THREADS,
    End,
    Flag,
    Header,
    Loss,
    Samples,
    SpanEvents,
    Stats,
    Tables,
)
from flamespan.profiler.samplefile import SampleReader


@dataclass(slots=True)
class Columns:
    """Samples of one file; ids are the file's own, times unix nanoseconds."""

    time_ns: Ints
    wall_ns: Ints
    cpu_ns: Ints
    stack: Ids
    span_id: Ints
    thread: Ids
    state: Bytes
    flags: Bytes


@dataclass(slots=True)
class Content:
    """All that one file holds. ``epoch_ns`` added to a monotonic time gives unix time.

    ``beyond_self_ns``: see ``Imported`` (only formats without stacks have it).
    """

    path: str
    header: Header
    columns: Columns
    tables: Tables = field(default_factory=Tables)
    spans: SpanEvents = field(default_factory=SpanEvents)
    stats: Stats = field(default_factory=Stats)
    end: End | None = None
    loss: Loss = field(default_factory=Loss)
    beyond_self_ns: dict[int, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    epoch_ns: int = 0
    passes: int = 0
    late: int = 0
    missed: int = 0
    unobserved_ns: int = 0
    asleep_ns: int = 0
    first_ns: int = 0
    last_ns: int = 0


def read_content(reader: SampleReader) -> Content:
    """Decode a whole sample file; what it refers to but lost is replaced by ``<lost>``."""
    whole = reader.read()
    content = Content(
        path=reader.path,
        header=whole.header,
        columns=empty_columns(),
        tables=whole.tables,
        spans=whole.spans,
        stats=whole.stats,
        end=whole.end,
        loss=whole.loss,
        epoch_ns=whole.header.start_wall_ns - whole.header.start_monotonic_ns,
    )
    if whole.samples:
        _decode(whole.samples, content)
    _set_times(content)
    _replace_lost(content)
    return content


def empty_columns() -> Columns:
    """No samples."""
    ints, ids, bytes_ = np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8)
    return Columns(ints, ints, ints, ids, ints, ids, bytes_, bytes_)


def _decode(blocks: list[Samples], content: Content) -> None:
    def join(name: str, kind: type = np.int64) -> npt.NDArray[np.int64]:
        parts: Iterator[Ints] = (np.asarray(getattr(block, name)) for block in blocks)
        return np.concatenate(list(parts), dtype=kind, casting="unsafe")

    def per_pass(values: Iterable[int]) -> Ints:
        counts = [len(block.pass_ticks) for block in blocks]
        return np.repeat(np.fromiter(values, np.int64, len(blocks)), counts)

    ticks, counts = join("pass_ticks"), join("pass_samples")
    unobserved = join("pass_unobserved")
    passed = np.cumsum(ticks)
    starts = np.cumsum([0] + [len(block.pass_ticks) for block in blocks[:-1]])
    before = np.r_[0, passed][starts]
    tick_ns = per_pass(block.tick_ns for block in blocks)
    time = (per_pass(block.start_ticks for block in blocks) + passed - per_pass(before)) * tick_ns
    wall = ticks - unobserved
    tick_of_sample = np.repeat(tick_ns, counts)
    content.columns = Columns(
        time_ns=np.repeat(time, counts) + content.epoch_ns,
        wall_ns=np.maximum(np.repeat(wall, counts) + join("wall_extra"), 0) * tick_of_sample,
        cpu_ns=np.maximum(join("cpu_ticks"), 0) * tick_of_sample,
        stack=join("stack", np.int32).astype(np.int32),
        span_id=join("span"),
        thread=join("thread", np.int32).astype(np.int32),
        state=join("state", np.uint8).astype(np.uint8),
        flags=join("flags", np.uint8).astype(np.uint8),
    )
    content.passes = len(ticks)
    content.missed = int(join("pass_missed").sum())
    content.asleep_ns = sum(sum(block.pass_asleep) * block.tick_ns for block in blocks)
    content.unobserved_ns = max(0, int((unobserved * tick_ns).sum()) - content.asleep_ns)
    content.late = _late_passes(content.columns.flags, counts)
    content.first_ns = int(time[0] - ticks[0] * tick_ns[0]) + content.epoch_ns
    content.last_ns = int(time[-1]) + content.epoch_ns


def _late_passes(flags: Bytes, counts: Ints) -> int:
    late = np.flatnonzero(flags & Flag.LATE)
    return len(np.unique(np.searchsorted(np.cumsum(counts), late, side="right")))


def _set_times(content: Content) -> None:
    """First and last moment the file knows of, spans and the clean end included."""
    spans, epoch = content.spans, content.epoch_ns
    times = [span.start_ns + epoch for span in spans.started]
    times += [span.end_ns + epoch for span in spans.ended]
    times.append(content.header.start_wall_ns)
    if content.end is not None:
        times.append(content.end.time_ns + epoch)
    if content.passes:
        times += [content.first_ns, content.last_ns]
    content.first_ns, content.last_ns = min(times), max(times)


def _replace_lost(content: Content) -> None:
    """Samples whose stack was never defined stand on ``<lost>``; so for impossible threads."""
    stacks, columns = content.tables.stacks, content.columns
    gone = (columns.stack >= len(stacks)) | (columns.stack < 0)
    if gone.any():
        stacks.parent.append(0)
        stacks.frame.append(0)
        columns.stack[gone] = len(stacks) - 1
        content.notes.append(f"{content.path}: {int(gone.sum())} samples lost their stacks")
    nobody = (columns.thread < 0) | (columns.thread >= MAX_THREADS)
    columns.thread[nobody] = max(content.tables.threads, default=-1) + 1
