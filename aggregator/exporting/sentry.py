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
    from flamespan.aggregator.stacktree import Ints

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
    samples = _Samples()
    for line in lines.threads:
        for stack in np.unique(line.stacks).tolist():
            if stack not in stacks:
                stacks[stack] = len(stacks)
                path = [] if stack == NOTHING else lines.path(stack)
                listed.append([frames.setdefault(frame, len(frames)) for frame in reversed(path)])
        empty = stacks.setdefault(NOTHING, len(stacks))
        if empty == len(listed):
            listed.append([])
        samples.add(_thread_id(profile, line.thread), line, lines.start_ns, stacks)
    first, texts = samples.ordered()
    chunk = _chunk(profile, first, len(texts), listed, list(frames))
    # The samples are made as text, which takes a fraction of what a dictionary each would.
    mark = '"samples": []'
    before, _, after = json.dumps(chunk, ensure_ascii=False).partition(mark)
    file.write(f"{before}{mark[:-1]}")
    file.write(", ".join(texts))
    file.write(f"]{after}\n")


def _thread_id(profile: Profile, thread: int) -> str:
    row = profile.tables.threads[thread]
    return str(row.native_id or row.ident or thread)


class _Samples:
    """The samples of all threads: times, and what else each says as JSON."""

    def __init__(self) -> None:
        self._times: list[Ints] = []
        self._said: list[str] = []

    def add(self, thread: str, line: ThreadTimeline, start_ns: int, stacks: dict[int, int]) -> None:
        """One sample where each stack begins, and an empty one where the last one ends."""
        self._times.append(start_ns + np.r_[0, np.cumsum(line.weights_ns)])
        said = {
            stack: f', "thread_id": {json.dumps(thread)}, "stack_id": {stacks[stack]}}}'
            for stack in [*np.unique(line.stacks).tolist(), NOTHING]
        }
        self._said += [said[stack] for stack in [*line.stacks.tolist(), NOTHING]]

    def ordered(self) -> tuple[float, list[str]]:
        """The first time in unix seconds, and each sample as JSON, in order of time."""
        seconds = np.concatenate([np.zeros(0, np.int64), *self._times]) / 1e9
        order = np.argsort(seconds, kind="stable")
        distinct, which = np.unique(seconds, return_inverse=True)
        times = [f'{{"timestamp": {time!r}' for time in distinct.tolist()]
        said = self._said
        texts = [
            times[at] + said[place]
            for at, place in zip(which[order].tolist(), order.tolist(), strict=True)
        ]
        return (float(distinct[0]) if texts else 0), texts


def _chunk(
    profile: Profile, first: float, samples: int, stacks: list[list[int]], frames: list[int]
) -> dict[str, Any]:
    """All but the samples: ``first`` is the time of the first, ``samples`` is their number."""
    header = profile.processes[0].header if profile.processes else None
    session = header.session_id if header else ""
    threads = profile.tables.threads
    return {
        "version": "2",
        "platform": "python",
        "profiler_id": hashlib.md5(session.encode(), usedforsecurity=False).hexdigest(),
        "chunk_id": hashlib.md5(
            f"{session} {first} {samples}".encode(), usedforsecurity=False
        ).hexdigest(),
        "client_sdk": {"name": "flamespan", "version": exporting.version()},
        "release": header.release if header else "",
        "environment": header.environment if header else "",
        "profile": {
            "samples": [],
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
