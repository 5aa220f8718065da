"""Imported foreign profiles in the shape of our own recordings, so that one join serves both."""

from __future__ import annotations

import os
from array import array

import numpy as np

from flamespan.aggregator.content import Columns, Content
from flamespan.aggregator.importing import Imported, ImportedProcess
from flamespan.aggregator.stacktree import Ids, Ints
from flamespan.profiler.model import Header, State, Tables

UNTIMED = "the format keeps no times: order and position in time are not the program's"


def contents(imported: Imported) -> list[Content]:
    """One Content per process that the foreign file names (one if it names none)."""
    processes = imported.processes or [ImportedProcess(0, "")]
    thread = np.asarray(imported.thread).astype(np.int32)
    weight = np.asarray(imported.weight_ns).astype(np.int64)
    time = _times(imported, thread, weight)
    whose = np.zeros(int(thread.max(initial=-1)) + 1, np.int32)
    whose[: len(imported.thread_process)] = imported.thread_process[: len(whose)]
    found = []
    for index, process in enumerate(processes):
        mine = whose[thread] == index
        columns = Columns(
            time_ns=time[mine],
            wall_ns=weight[mine],
            cpu_ns=_filled(imported.cpu_ns, len(mine), 0).astype(np.int64)[mine],
            stack=np.asarray(imported.stack).astype(np.int32)[mine],
            span_id=_filled(imported.span, len(mine), 0).astype(np.int64)[mine],
            thread=thread[mine],
            state=_filled(imported.state, len(mine), State.UNKNOWN).astype(np.uint8)[mine],
            flags=np.zeros(int(mine.sum()), np.uint8),
        )
        found.append(_content(imported, process, columns, _tables_of(imported, index)))
    return found


def _tables_of(imported: Imported, process: int) -> Tables:
    """The file's tables with the threads of one process only."""
    whole, own = imported.tables, Tables()
    own.functions, own.stacks = whole.functions, whole.stacks
    own.frame_function, own.frame_line = whole.frame_function, whole.frame_line
    own.threads = {
        index: thread
        for index, thread in whole.threads.items()
        if not imported.processes or imported.thread_process[index] == process
    }
    return own


def _filled(column: array[int] | None, size: int, missing: int) -> Ints:
    """A column that a format may not have, made full with ``missing``."""
    known = np.asarray(column if column is not None else [], np.int64)
    full: Ints = np.r_[known, np.full(size - len(known), missing)].astype(np.int64)
    return full


def _content(
    imported: Imported, process: ImportedProcess, columns: Columns, tables: Tables
) -> Content:
    service = process.command or os.path.basename(imported.path)
    header = Header(pid=process.pid, service=service, engine={"name": imported.format})
    content = Content(imported.path, header, columns, tables, imported.spans)
    content.beyond_self_ns = imported.beyond_self_ns
    content.notes = list(imported.notes)
    if imported.time_ns is None:
        content.notes.append(f"{imported.path}: {UNTIMED}")
    if len(columns.time_ns):
        content.first_ns = int((columns.time_ns - columns.wall_ns).min())
        content.last_ns = int(columns.time_ns.max())
        _take_spans_in(content)
    return content


def _take_spans_in(content: Content) -> None:
    """A recording lasts as long as its spans do."""
    starts = [span.start_ns for span in content.spans.started]
    content.first_ns = min([content.first_ns, *starts])
    content.last_ns = max([content.last_ns, *(span.end_ns for span in content.spans.ended)])


def _times(imported: Imported, thread: Ids, weight: Ints) -> Ints:
    """The file's times, or each thread's rows one after the other from 0."""
    if imported.time_ns is not None:
        return np.asarray(imported.time_ns).astype(np.int64)
    time = np.zeros(len(weight), np.int64)
    for index in np.unique(thread):
        mine = thread == index
        time[mine] = np.cumsum(weight[mine])
    return time
