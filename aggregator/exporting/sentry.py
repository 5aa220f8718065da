"""A profile chunk of Sentry's sample format, version 2, as its SDKs send it.

Sentry charges the time from one sample of a thread to the next to the first of the two, so a
sample stands at the *beginning* of the time its stack lasted; an empty stack ends it. Times are
unix seconds as doubles, exact to a microsecond; frames carry running lines and ``in_app``. A
chunk is of one process and of at most 66 seconds. Spans are not held: Sentry joins a chunk with
them by thread and time.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from flamespan.aggregator import exporting
from flamespan.aggregator.data import Origin
from flamespan.aggregator.timeline import NO_STACK, NOTHING, ThreadTimeline, timelines

if TYPE_CHECKING:
    from flamespan.aggregator.data import Tables
    from flamespan.aggregator.profile import Profile

LONGEST_NS = 66_000_000_000
"""Sentry refuses longer chunks."""


def write(profile: Profile, file: TextIO) -> None:
    """Write ``profile`` as one chunk to ``file``."""
    lines = timelines(profile, lines=True)
    if len({profile.tables.threads[line.thread].process for line in lines.threads}) > 1:
        exporting.warn("a Sentry chunk is of one process: choose one (--process)")
    if max((int(line.weights_ns.sum()) for line in lines.threads), default=0) > LONGEST_NS:
        exporting.warn(
            "Sentry takes chunks of up to 66 s, this one is longer: narrow it (--between)"
        )
    frames: dict[int, int] = {}
    stacks: dict[int, int] = {}
    listed: list[list[int]] = []
    samples: list[dict[str, Any]] = []
    for line in lines.threads:
        for stack in np.unique(line.stacks).tolist():
            if stack not in stacks:
                stacks[stack] = len(stacks)
                path = [] if stack == NOTHING else lines.path(stack)
                listed.append([frames.setdefault(frame, len(frames)) for frame in reversed(path)])
        empty = stacks.setdefault(NOTHING, len(stacks))
        if empty == len(listed):
            listed.append([])
        samples += _samples(profile, line, lines.start_ns, stacks)
    samples.sort(key=lambda sample: sample["timestamp"])
    json.dump(_chunk(profile, samples, listed, list(frames)), file, ensure_ascii=False)
    file.write("\n")


def _thread_id(profile: Profile, thread: int) -> str:
    row = profile.tables.threads[thread]
    return str(row.native_id or row.ident or thread)


def _samples(
    profile: Profile, line: ThreadTimeline, start_ns: int, stacks: dict[int, int]
) -> list[dict[str, Any]]:
    """One sample where each stack begins, and an empty one where the last one ends."""
    begins = start_ns + np.r_[0, np.cumsum(line.weights_ns)]
    thread = _thread_id(profile, line.thread)
    shown = [*line.stacks.tolist(), NOTHING]
    return [
        {"timestamp": time_ns / 1e9, "thread_id": thread, "stack_id": stacks[stack]}
        for stack, time_ns in zip(shown, begins.tolist(), strict=True)
    ]


def _chunk(
    profile: Profile, samples: list[dict[str, Any]], stacks: list[list[int]], frames: list[int]
) -> dict[str, Any]:
    header = profile.processes[0].header if profile.processes else None
    session = header.session_id if header else ""
    first = samples[0]["timestamp"] if samples else 0
    threads = profile.tables.threads
    return {
        "version": "2",
        "platform": "python",
        "profiler_id": hashlib.md5(session.encode(), usedforsecurity=False).hexdigest(),
        "chunk_id": hashlib.md5(
            f"{session} {first} {len(samples)}".encode(), usedforsecurity=False
        ).hexdigest(),
        "client_sdk": {"name": "flamespan", "version": exporting.version()},
        "release": header.release if header else "",
        "environment": header.environment if header else "",
        "profile": {
            "samples": samples,
            "stacks": stacks,
            "frames": [_frame(profile.tables, frame) for frame in frames],
            "thread_metadata": {
                _thread_id(profile, number): {"name": row.name}
                for number, row in enumerate(threads)
            },
        },
        "measurements": {},
        "debug_meta": {"images": []},
    }


def _frame(tables: Tables, frame: int) -> dict[str, Any]:
    if frame < 0:
        return {"function": NO_STACK, "in_app": False}
    function = int(tables.frame_function[frame])
    path, module = tables.function_file[function], tables.function_module[function]
    known = {
        "function": tables.function_name[function] or "?",
        "module": module,
        "filename": path.replace("\\", "/").rpartition("/")[2],
        "abs_path": path,
        "lineno": int(tables.frame_line[frame]),
    }
    in_app = bool(tables.function_origin[function] == Origin.APPLICATION)
    return {key: value for key, value in known.items() if value} | {"in_app": in_app}
