"""What one recording holds as numpy columns, before it is joined with others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields

import numpy as np

from flamespan.aggregator.data import Bytes, no_outages
from flamespan.aggregator.stacktree import Ids, Ints
from flamespan.profiler.model import End, Header, Loss, SpanEvents, Stats, Tables


@dataclass(slots=True)
class Columns:
    """Samples of one file; ids are the file's own, times unix nanoseconds.

    ``samples`` is how many samples each row sums (see ``summing``), ``wait_ns`` the sum of their
    wall without CPU time; None: a row is a sample.
    """

    time_ns: Ints
    wall_ns: Ints
    cpu_ns: Ints
    stack: Ids
    span_id: Ints
    thread: Ids
    state: Bytes
    flags: Bytes
    samples: Ints | None = None
    wait_ns: Ints | None = None


@dataclass(slots=True)
class Content:
    """All that one file holds. ``epoch_ns`` added to a monotonic time gives unix time.

    ``outages``: see ``data.Process``. ``beyond_self_ns``: see ``Imported`` (only formats without
    stacks have it).
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
    outages: Ints = field(default_factory=no_outages)
    first_ns: int = 0
    last_ns: int = 0


def empty_columns() -> Columns:
    """No samples."""
    ints, ids, bytes_ = np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8)
    return Columns(ints, ints, ints, ids, ints, ids, bytes_, bytes_)


def joined(parts: Sequence[Columns]) -> Columns:
    """The samples of all parts (none of them summed), in their order."""
    if len(parts) < 2:
        return parts[0] if parts else empty_columns()
    names = [column.name for column in fields(Columns) if column.default is MISSING]
    return Columns(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
