"""Foreign recordings: which format a file has, and its rows in our words.

``detect`` looks at the first bytes, ``import_file`` gives an ``Imported``: plain columns over
``profiler.model.Tables`` that ``aggregator.load`` turns into a Profile. One module a format.
"""

from __future__ import annotations

import importlib
import os
from array import array
from dataclasses import dataclass, field

from flamespan.aggregator.importing.source import unpacked_head
from flamespan.profiler.model import SpanEvents, Tables

HEAD_BYTES = 1 << 16
"""How much of a file ``detect`` wants to see (less if the file is shorter)."""

IMPORTERS: dict[str, str] = {
    "json": "flamespan.aggregator.importing.jsonfile",
    "pstats": "flamespan.aggregator.importing.pstats",
    "pprof": "flamespan.aggregator.importing.pprof",
    "austin": "flamespan.aggregator.importing.austin",
    "cpython": "flamespan.aggregator.importing.cpython",
    "collapsed": "flamespan.aggregator.importing.collapsed",
}
"""Format name -> module with ``detects(head) -> bool`` and ``read(path, unit_ns) -> Imported``.

Asked in this order: what comes later would take a file of what comes before it for its own.
"""


@dataclass(frozen=True, slots=True)
class ImportedProcess:
    """A process that a foreign file names (``pid`` 0: unknown)."""

    pid: int
    command: str


@dataclass(slots=True)
class Imported:
    """What a foreign file holds.

    ``tables`` has functions, frames, stacks and threads with ids as in a sample file: they
    count up from 1, node 0 of ``tables.stacks`` is the empty stack, a parent stands before its
    children. A function's ``first_line`` is 0 where the format only knows the running line,
    which is then the frame's; where it only knows the first line, the frame has that one.

    Columns, a row each, in the order of the file: ``stack`` (node), ``weight_ns``, ``thread``
    (index into ``tables.threads``; index 0 is there when the file names no threads), ``time_ns``
    (end of the time a row stands for) or None where the format keeps no times, ``cpu_ns`` or None
    where it keeps no CPU time, ``state`` (a ``model.State``; may be empty: unknown), ``span`` (the
    id of a span in ``spans``; may be empty). ``thread_process[i]`` is the index into ``processes``
    of thread ``i``. ``beyond_self_ns`` is, by function id, the time that a format without stacks
    adds to the self time to give the total.
    """

    path: str
    format: str
    tables: Tables = field(default_factory=Tables)
    stack: array[int] = field(default_factory=lambda: array("I"))
    weight_ns: array[int] = field(default_factory=lambda: array("q"))
    thread: array[int] = field(default_factory=lambda: array("I"))
    time_ns: array[int] | None = None
    cpu_ns: array[int] | None = None
    state: array[int] = field(default_factory=lambda: array("B"))
    span: array[int] = field(default_factory=lambda: array("q"))
    spans: SpanEvents = field(default_factory=SpanEvents)
    beyond_self_ns: dict[int, int] = field(default_factory=dict)
    processes: list[ImportedProcess] = field(default_factory=list)
    thread_process: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def detect(head: bytes) -> str | None:
    """Name of the importer that knows a file which begins with ``head``; None: none does."""
    head = unpacked_head(head)
    for name, module in IMPORTERS.items():
        if importlib.import_module(module).detects(head):
            return name
    return None


def import_file(path: str | os.PathLike[str], name: str, unit_ns: int | None = None) -> Imported:
    """Read ``path`` with the importer called ``name``.

    ``unit_ns``: how many nanoseconds one unit of the file's weights stands for, in formats that
    do not say (py-spy raw at 100 Hz: 10_000_000). None takes the numbers as nanoseconds.

    Raises SampleFileError with file, line or offset, and reason.
    """
    imported: Imported = importlib.import_module(IMPORTERS[name]).read(path, unit_ns)
    return imported
