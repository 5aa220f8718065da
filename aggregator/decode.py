"""One recording as numpy columns: what a sample file says, before it is joined with others."""

from __future__ import annotations

import numpy as np

from flamespan.aggregator import summing
from flamespan.aggregator.blocks import (
    CPU_TICKS,
    FLAGS,
    PASS_ASLEEP,
    PASS_MISSED,
    PASS_SAMPLES,
    PASS_TICKS,
    PASS_UNOBSERVED,
    SPAN,
    STACK,
    STATE,
    THREAD,
    WALL_EXTRA,
    SampleBlocks,
)
from flamespan.aggregator.content import Columns, Content, empty_columns, joined
from flamespan.aggregator.data import Bytes, no_outages
from flamespan.aggregator.definitions import DefinitionBlocks, UnusualError
from flamespan.aggregator.stacktree import Ints
from flamespan.profiler.model import MAX_THREADS, Definitions, Flag, Recording
from flamespan.profiler.samplefile import SampleReader

_RUN = 1 << 20
"""So many samples are decoded at a time."""


def read_content(reader: SampleReader, *, keep_samples: bool = True) -> Content:
    """Decode a whole sample file; what it refers to but lost is replaced by ``<lost>``.

    Without ``keep_samples`` samples are summed as they are read (see ``summing``).
    """
    try:
        reading, whole = _read(reader, keep_samples, DefinitionBlocks())
    except _UnusualFileError:
        reading, whole = _read(reader, keep_samples, None)
    content = Content(
        path=reader.path,
        header=whole.header,
        columns=reading.finished(),
        tables=whole.tables,
        spans=whole.spans,
        stats=whole.stats,
        end=whole.end,
        loss=whole.loss,
        epoch_ns=whole.header.start_wall_ns - whole.header.start_monotonic_ns,
        passes=reading.passes,
        late=reading.late,
        missed=reading.missed,
        unobserved_ns=max(0, reading.unobserved_ns - reading.asleep_ns),
        asleep_ns=reading.asleep_ns,
        outages=reading.outages(),
    )
    content.outages[:, 0] += content.epoch_ns
    content.columns.time_ns += content.epoch_ns
    if content.passes:
        content.first_ns = reading.first_ns + content.epoch_ns
        content.last_ns = reading.last_ns + content.epoch_ns
    _set_times(content)
    _replace_lost(content)
    return content


class _UnusualFileError(Exception):
    """Definitions that ``DefinitionBlocks`` does not read."""


def _read(
    reader: SampleReader, keep_samples: bool, defining: DefinitionBlocks | None
) -> tuple[Reading, Recording]:
    """All blocks of the file; its frames and stacks by ``defining``, where that is given."""
    reading = Reading(keep_samples=keep_samples)
    if defining is None:
        return reading, reader.read(reading.take)

    def define(payload: bytes, strings: dict[int, str]) -> Definitions:
        try:
            return defining.take(payload, strings)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise _UnusualFileError from error  # else the reader would count the block as lost

    whole = reader.read(reading.take, define)
    try:
        defining.add_to(whole.tables)
    except UnusualError as error:
        raise _UnusualFileError from error
    return reading, whole


class Reading:
    """Takes a file's SAMPLES blocks and makes columns of them, a run of blocks at a time.

    Times are monotonic here: the clocks' offset may be told by a later header.
    """

    def __init__(self, *, keep_samples: bool) -> None:
        self.passes = self.late = self.missed = self.unobserved_ns = self.asleep_ns = 0
        self.first_ns = self.last_ns = 0
        self._blocks = SampleBlocks()
        self._kept: list[Columns] = []
        self._outages: list[Ints] = [no_outages()]
        self._summing = None if keep_samples else summing.Summing()

    def take(self, payload: bytes) -> None:
        """Take in the payload of one block; ValueError where it makes no sense."""
        self._blocks.add(payload)
        if self._blocks.samples >= _RUN:
            self._decode()

    def finished(self) -> Columns:
        """The columns of all blocks."""
        if self._blocks.passes:
            self._decode()
        if self._summing is not None:
            return self._summing.columns() or empty_columns()
        return joined(self._kept)

    def outages(self) -> Ints:
        """See ``data.Process``; monotonic times."""
        return np.concatenate(self._outages)

    def _decode(self) -> None:
        blocks = self._blocks
        ticks, counts = blocks.take(PASS_TICKS).astype(np.int64), blocks.take(PASS_SAMPLES)
        unobserved = blocks.take(PASS_UNOBSERVED)
        passed = np.cumsum(ticks)
        starts = np.cumsum([0, *blocks.passes[:-1]])
        before = np.r_[0, passed][starts]
        tick_ns = blocks.per_pass(blocks.tick_ns)
        start = blocks.per_pass(blocks.start_ticks) - np.repeat(before, blocks.passes)
        time = (start + passed) * tick_ns
        wall, extra = np.repeat(ticks - unobserved, counts), blocks.take(WALL_EXTRA)
        if extra.any():
            wall = wall + extra
        tick = np.repeat(tick_ns, counts) if len(set(blocks.tick_ns)) > 1 else tick_ns[:1]
        columns = Columns(
            time_ns=np.repeat(time, counts),
            wall_ns=np.maximum(wall, 0) * tick,
            cpu_ns=np.maximum(blocks.take(CPU_TICKS), 0) * tick,
            stack=blocks.take(STACK).astype(np.int32, copy=False),
            span_id=blocks.take(SPAN).astype(np.int64),
            thread=blocks.take(THREAD).astype(np.int32, copy=False),
            state=blocks.take(STATE).astype(np.uint8),
            flags=blocks.take(FLAGS).astype(np.uint8),
        )
        if len(time):
            self._count(columns, time, ticks, tick_ns, counts)
            self.missed += int(blocks.take(PASS_MISSED).sum())
            self._note_unobserved(
                time - ticks * tick_ns, unobserved * tick_ns, blocks.take(PASS_ASLEEP) * tick_ns
            )
        blocks.clear()
        if self._summing is None:
            self._kept.append(columns)
        else:
            self._summing.add(columns)

    def _note_unobserved(self, begin: Ints, lost: Ints, asleep: Ints) -> None:
        """Of a gap it is the first part: the engine charges the last one."""
        self.unobserved_ns += int(lost.sum())
        self.asleep_ns += int(asleep.sum())
        columns = np.stack([begin, lost, np.minimum(asleep, lost)], axis=1).astype(np.int64)
        self._outages.append(columns[lost > 0])

    def _count(
        self, columns: Columns, time: Ints, ticks: Ints, tick_ns: Ints, counts: Ints
    ) -> None:
        if not self.passes:
            self.first_ns = int(time[0] - ticks[0] * tick_ns[0])
        self.last_ns = int(time[-1])
        self.passes += len(ticks)
        self.late += _late_passes(columns.flags, counts)


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
