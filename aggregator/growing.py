"""A sample file that is still being written: what it defined, and its samples of late.

Only what is new is read from the file, and samples and spans that are older than asked for are
forgotten, so following a recording for a day costs as much as following it for a minute.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from flamespan.aggregator.blocks import span_of
from flamespan.aggregator.content import Columns, Content, joined
from flamespan.aggregator.decode import Reading
from flamespan.profiler.model import (
    Definitions,
    End,
    Header,
    SpanEnd,
    SpanEvents,
    SpanStart,
    Stats,
    Tables,
)
from flamespan.profiler.samplefile import SampleReader


@dataclass(slots=True)
class Piece:
    """The samples that one refresh found; times are monotonic nanoseconds."""

    columns: Columns
    passes: int
    missed: int
    first_ns: int
    last_ns: int
    asleep_ns: int


class GrowingFile:
    """Follows one sample file. ``keep_ns``: how far back samples and ended spans are kept.

    It may be changed.
    Raises SampleFileError where the file is no sample file. ``header``, ``tables``, ``stats``
    and ``end`` are those of the file so far; ``stats_ns`` is when the counters were told, and
    ``last_ns`` when something was last written (both monotonic, 0: not yet).
    """

    def __init__(self, path: str, keep_ns: int) -> None:
        self.path = path
        self.tables = Tables()
        self.stats = Stats()
        self.end: End | None = None
        self.stats_ns = self.last_ns = 0
        self.keep_ns = keep_ns
        self._reader = SampleReader(path)
        self.header: Header = self._reader.header
        self.pieces: deque[Piece] = deque()
        self._started: dict[int, SpanStart] = {}
        self._ended: dict[int, SpanEnd] = {}
        self._payloads: deque[tuple[int, bytes]] = deque()
        self._size = -1

    @property
    def epoch_ns(self) -> int:
        """Added to a monotonic time it gives unix time."""
        return self.header.start_wall_ns - self.header.start_monotonic_ns

    def refresh(self) -> bool:
        """Take in what was written since the last time; whether there was anything.

        Raises SampleFileError where the file is gone.
        """
        size = _size(self.path)
        if size == self._size:
            return False
        first = self._size < 0
        self._size = size
        for block in self._reader.blocks(self._take) if first else self._reader.more():
            self._add(block)
        self._decode()
        self._forget()
        return True

    def content(self) -> Content:
        """What is kept, as if it were all that the file holds."""
        pieces, epoch_ns = list(self.pieces), self.epoch_ns
        columns = self._placed(joined([piece.columns for piece in pieces]))
        times = [time for piece in pieces for time in (piece.first_ns, piece.last_ns)]
        ends = [self.end.time_ns] if self.end else []
        return Content(
            path=self.path,
            header=self.header,
            columns=columns,
            tables=self.tables,
            spans=SpanEvents(list(self._started.values()), list(self._ended.values())),
            stats=self.stats,
            end=self.end,
            epoch_ns=epoch_ns,
            passes=sum(piece.passes for piece in pieces),
            missed=sum(piece.missed for piece in pieces),
            asleep_ns=sum(piece.asleep_ns for piece in pieces),
            first_ns=min(times, default=self.header.start_monotonic_ns) + epoch_ns,
            last_ns=max([self.last_ns, self.header.start_monotonic_ns, *ends]) + epoch_ns,
        )

    def _placed(self, columns: Columns) -> Columns:
        """Unix times; what was lost with its block is the empty stack, and nobody's thread."""
        nobody = max(self.tables.threads, default=-1) + 1
        return replace(
            columns,
            time_ns=columns.time_ns + self.epoch_ns,
            stack=np.where(columns.stack < len(self.tables.stacks), columns.stack, 0),
            thread=np.minimum(columns.thread, nobody),
        )

    def _take(self, payload: bytes) -> None:
        """A block of samples: decoded when all is read, unless it is too old by then."""
        _, self.last_ns = span_of(payload)
        self._payloads.append((self.last_ns, payload))
        while self._payloads[0][0] < self.last_ns - self.keep_ns:
            self._payloads.popleft()

    def _add(self, block: object) -> None:
        if isinstance(block, Definitions):
            with contextlib.suppress(ValueError):  # ids that no loss explains: damage
                self.tables.add(block)
        elif isinstance(block, SpanEvents):
            self._started.update((start.id, start) for start in block.started)
            self._ended.update((end.id, end) for end in block.ended)
        elif isinstance(block, Stats):
            self.stats, self.stats_ns = block, self.last_ns
        elif isinstance(block, End):
            self.end = block
        elif isinstance(block, Header):
            self.header = block

    def _decode(self) -> None:
        if not self._payloads:
            return
        reading = Reading(keep_samples=True)
        for _, payload in self._payloads:
            with contextlib.suppress(ValueError):  # a block that makes no sense
                reading.take(payload)
        self._payloads.clear()
        columns = reading.finished()
        if reading.passes:
            self.pieces.append(
                Piece(
                    columns,
                    reading.passes,
                    reading.missed,
                    reading.first_ns,
                    reading.last_ns,
                    reading.asleep_ns,
                )
            )

    def _forget(self) -> None:
        until_ns = max(self.last_ns, self.end.time_ns if self.end else 0) - self.keep_ns
        while self.pieces and self.pieces[0].last_ns < until_ns:
            self.pieces.popleft()
        gone = [id_ for id_, end in self._ended.items() if end.end_ns < until_ns]
        for id_ in gone:
            del self._ended[id_]
            self._started.pop(id_, None)


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
