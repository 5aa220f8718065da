"""Imported foreign profiles in the shape of our own recordings, so that one join serves both."""

from __future__ import annotations

import os

import numpy as np

from flamespan.aggregator.decode import Columns, Content
from flamespan.aggregator.importing import Imported, ImportedProcess
from flamespan.aggregator.stacktree import Ids, Ints
from flamespan.profiler.model import Header, State

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
            cpu_ns=np.zeros(int(mine.sum()), np.int64),
            stack=np.asarray(imported.stack).astype(np.int32)[mine],
            span_id=np.zeros(int(mine.sum()), np.int64),
            thread=thread[mine],
            state=np.full(int(mine.sum()), State.UNKNOWN, np.uint8),
            flags=np.zeros(int(mine.sum()), np.uint8),
        )
        found.append(_content(imported, process, columns))
    return found


def _content(imported: Imported, process: ImportedProcess, columns: Columns) -> Content:
    service = process.command or os.path.basename(imported.path)
    header = Header(pid=process.pid, service=service, engine={"name": imported.format})
    content = Content(imported.path, header, columns, imported.tables)
    content.notes = list(imported.notes)
    if imported.time_ns is None:
        content.notes.append(f"{imported.path}: {UNTIMED}")
    if len(columns.time_ns):
        content.first_ns = int((columns.time_ns - columns.wall_ns).min())
        content.last_ns = int(columns.time_ns.max())
    return content


def _times(imported: Imported, thread: Ids, weight: Ints) -> Ints:
    """The file's times, or each thread's rows one after the other from 0."""
    if imported.time_ns is not None:
        return np.asarray(imported.time_ns).astype(np.int64)
    time = np.zeros(len(weight), np.int64)
    for index in np.unique(thread):
        mine = thread == index
        time[mine] = np.cumsum(weight[mine])
    return time
