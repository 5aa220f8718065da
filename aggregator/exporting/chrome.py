"""Chrome's trace events as JSON, for https://ui.perfetto.dev and chrome://tracing.

Each thread's stacks in time order as nested begin and end events (a box from when a function was
first seen on the stack to when it no longer was; callers before callees, which events that carry a
duration could not promise), spans as asynchronous events of their own tracks, since spans of
concurrent tasks overlap. Times are microseconds from the beginning of the recording, with three
decimals where there are any: nanoseconds. Format: "Trace Event Format", sections "Duration Events"
and "Async Events".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TextIO

import numpy as np

from flamespan.aggregator import exporting
from flamespan.aggregator.data import Origin
from flamespan.aggregator.exporting.spans import lanes, said
from flamespan.aggregator.timeline import NO_STACK, NOTHING, ThreadTimeline, Timelines, timelines

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

_PIECES = 300
"""Texts that are written at a time: some hundred kilobytes, which stay in the processor's cache."""

MANY_CHANGES = 200_000
"""More changes of stacks than this make files of hundreds of megabytes."""


def write(profile: Profile, file: TextIO) -> None:
    """Write ``profile`` to ``file``, event by event. Warns where that is very many."""
    lines = timelines(profile)
    changes = sum(len(line.stacks) for line in lines.threads)
    if changes > MANY_CHANGES:
        exporting.warn(
            f"the stacks change {changes} times: the file will be large and slow to open; choose a "
            "part of the recording (a transaction, a thread, a stretch of time)"
        )
    spans = profile.tables.spans
    starts = [lines.start_ns] if lines.threads else []
    starts += spans.start_ns[profile.span_mask].tolist()
    origin_ns = min(starts, default=0)
    head = {
        "displayTimeUnit": "ms",
        "otherData": {
            "name": exporting.title(profile),
            "clock": profile.weight_clock,
            "start_unix_ns": str(origin_ns),
            "exporter": f"flamespan@{exporting.version()}",
        },
    }
    file.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "traceEvents": [\n')
    events = [*_names(profile, lines), *_spans(profile, origin_ns)]
    file.write(",\n".join(json.dumps(event, ensure_ascii=False) for event in events))
    shift = lines.start_ns - origin_ns
    paths = _Paths(profile, lines)
    for line in lines.threads:
        file.writelines(_boxes(profile, paths, line, shift))
    file.write("\n]}\n")


def _ids(profile: Profile, thread: int) -> dict[str, int]:
    """Process and thread number of an event; a thread without a number has its row's."""
    row = profile.tables.threads[thread]
    pid = profile.processes[row.process].header.pid or row.process + 1
    return {"pid": pid, "tid": row.native_id or row.ident or thread + 1}


def _names(profile: Profile, lines: Timelines) -> Iterator[dict[str, object]]:
    for number, process in enumerate(profile.processes):
        pid = process.header.pid or number + 1
        name = process.header.service or process.header.program or f"process {pid}"
        yield {"ph": "M", "name": "process_name", "pid": pid, "args": {"name": name}}
    for line in lines.threads:
        ids = _ids(profile, line.thread)
        yield {"ph": "M", "name": "thread_name", **ids, "args": {"name": line.name}}


def _spans(profile: Profile, origin_ns: int) -> Iterator[dict[str, object]]:
    spans = profile.tables.spans
    for row, lane in lanes(profile):
        process = int(spans.process[row])
        common = {
            "cat": "span",
            "name": spans.name[row] or spans.op[row] or "span",
            "id2": {"local": f"{spans.id[spans.transaction[row]]:#x}.{lane}"},
            "pid": profile.processes[process].header.pid or process + 1,
        }
        for phase, time in (("b", spans.start_ns[row]), ("e", spans.end_ns[row])):
            args = {"args": said(profile, row)} if phase == "b" else {}
            yield {"ph": phase, **common, "ts": (int(time) - origin_ns) / 1e3, **args}


class _Paths:
    """What is said of the boxes of each stack, root first; functions are described once."""

    def __init__(self, profile: Profile, lines: Timelines) -> None:
        self._profile, self.lines = profile, lines
        self._described: dict[int, str] = {}
        self._known: dict[int, list[str]] = {NOTHING: []}

    def of(self, stack: int) -> list[str]:
        path = self._known.get(stack)
        if path is None:
            path = self._known[stack] = [self._box(fn) for fn in self.lines.path(stack)]
        return path

    def _box(self, function: int) -> str:
        said = self._described.get(function)
        if said is None:
            said = self._described[function] = f"{_described(self._profile, function)}}}"
        return said


def _boxes(profile: Profile, paths: _Paths, line: ThreadTimeline, shift_ns: int) -> Iterator[str]:
    """The thread's events as JSON in time order, each after a comma; those of a moment together.

    In long pieces: what a file does for each piece takes its time.
    """
    ids = _compact(_ids(profile, line.thread))[1:-1]
    ends = np.cumsum(line.weights_ns) + shift_ns
    times = [*(ends - line.weights_ns).tolist(), int(ends[-1]) if len(ends) else 0]
    stacks = np.r_[NOTHING, line.stacks, NOTHING]
    shared = paths.lines.tree.shared_depth(stacks[:-1], stacks[1:]).tolist()
    part: list[str] = []
    open_boxes = 0
    for stack, same, time_ns in zip(stacks[1:].tolist(), shared, times, strict=True):
        path = paths.of(stack)
        whole, rest = divmod(time_ns, 1000)
        decimals = f".{rest:03}" if rest else ""
        at = f',\n{{{ids},"ts":{whole}{decimals},"ph":'
        part.append((at + '"E"}') * (open_boxes - same))
        if len(path) > same:
            begin = at + '"B",'
            part += begin, begin.join(path[same:])
        open_boxes = len(path)
        if len(part) > _PIECES:
            yield "".join(part)
            part.clear()
    yield "".join(part)


def _described(profile: Profile, function: int) -> str:
    """Name, origin and place of a function's box (-1: no stack), as JSON without its braces."""
    if function < 0:
        return _compact({"name": NO_STACK, "cat": "runtime"})[1:-1]
    tables = profile.tables
    event = {
        "name": tables.function_name[function] or "?",
        "cat": Origin(tables.function_origin[function]).label,
        "args": {
            "file": tables.function_file[function],
            "line": int(tables.function_line[function]),
        },
    }
    return _compact(event)[1:-1]


def _compact(event: Mapping[str, object]) -> str:
    """JSON without blanks: there are millions of events."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))
