"""speedscope's JSON: one ``sampled`` profile per thread in time order, in nanoseconds.

All threads share one time axis: a thread begins with the empty stack until its first sample and
ends with it after its last. Time that is not in view (idle, other transactions) is the empty
stack too, so what is not empty adds up to the profile's total exactly. By the CPU or waiting
clock there is no such axis: a thread's samples follow one another without gaps. Threads with
nothing in view are left out. So are tasks that await or wait for their loop, even where these
states are asked for: many of them do so at once, which one thread's order cannot hold. Spans,
running lines and origins are not held.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from flamespan.aggregator import exporting
from flamespan.aggregator.timeline import (
    NO_STACK,
    NOTHING,
    ThreadTimeline,
    Timelines,
    timelines,
)

if TYPE_CHECKING:
    from flamespan.aggregator.data import Tables
    from flamespan.aggregator.profile import Profile

SCHEMA = "https://www.speedscope.app/file-format-schema.json"

DEEPEST = 3000
"""speedscope visits stacks by recursion: deeper ones overflow the browser's own."""

MANY_SAMPLES = 200_000
"""More samples of one thread than this make speedscope slow or crash."""


def write(profile: Profile, file: TextIO) -> None:
    """Write ``profile`` to ``file``. Warns where a thread is too long for speedscope."""
    lines = timelines(profile)
    longest = max((len(line.stacks) for line in lines.threads), default=0)
    if longest > MANY_SAMPLES:
        exporting.warn(
            f"a thread has {longest} samples: speedscope is slow beyond {MANY_SAMPLES}; choose a "
            "part of the recording (a transaction, a thread, a stretch of time), or the format "
            "speedscope-merged"
        )
    if lines.suspended_ns:
        exporting.warn(
            f"{lines.suspended_ns / 1e9:.3f} s of suspended tasks left out: they overlap in a "
            "thread, which time order cannot hold (collapsed, svg, json and html hold them)"
        )
    write_timelines(profile, lines, file)


def write_timelines(profile: Profile, lines: Timelines, file: TextIO) -> None:
    """Write ``lines`` as a speedscope file, a profile per thread."""
    deepest = max((int(lines.tree.depth[line.stacks].max()) for line in lines.threads), default=0)
    if deepest > DEEPEST:
        exporting.warn(
            f"a stack has {deepest} frames: speedscope fails beyond {DEEPEST}; fold repeats "
            "(--recursion) or choose the application's frames (--application)"
        )
    # speedscope refuses a file without any profile.
    none = np.zeros(0, np.int32)
    threads = lines.threads or [ThreadTimeline(0, "nothing in view", none, none.astype(np.int64))]
    frames, texts = _frames_and_stacks(profile.tables, lines, threads)
    busy = [line.busy_ns for line in threads]
    head = {
        "$schema": SCHEMA,
        "exporter": f"flamespan@{exporting.version()}",
        "name": f"{exporting.title(profile)} ({profile.weight_clock} time)",
        "activeProfileIndex": busy.index(max(busy)),
        "shared": {"frames": frames},
    }
    # Written piece by piece: a sample is the text of its stack, made once per distinct stack.
    file.write(json.dumps(head, ensure_ascii=False)[:-1])
    file.write(', "profiles": [')
    for place, line in enumerate(threads):
        file.write(",\n" if place else "\n")
        _write_profile(line, texts, file)
    file.write("\n]}\n")


def _write_profile(line: ThreadTimeline, texts: dict[int, str], file: TextIO) -> None:
    head = {
        "type": "sampled",
        "name": line.name,
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": int(line.weights_ns.sum()),
    }
    file.write(json.dumps(head, ensure_ascii=False)[:-1])
    file.write(', "samples": [')
    file.write(",".join([texts[stack] for stack in line.stacks.tolist()]))
    file.write('], "weights": [')
    file.write(",".join(map(str, line.weights_ns.tolist())))
    file.write("]}")


def _frames_and_stacks(
    tables: Tables, lines: Timelines, threads: list[ThreadTimeline]
) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """The frames that are used, one a function, and each stack as JSON text."""
    frames: dict[int, int] = {}
    texts = {NOTHING: "[]"}
    used = np.unique(np.concatenate([line.stacks for line in threads]))
    for stack in used[used != NOTHING].tolist():
        numbers = [frames.setdefault(function, len(frames)) for function in lines.path(stack)]
        texts[stack] = f"[{','.join(map(str, numbers))}]"
    return [_frame(tables, function) for function in frames], texts


def _frame(tables: Tables, function: int) -> dict[str, Any]:
    """Optional keys are left out rather than null: the schema wants that."""
    if function < 0:
        return {"name": NO_STACK}
    frame: dict[str, Any] = {"name": tables.function_name[function] or "?"}
    if tables.function_file[function]:
        frame["file"] = tables.function_file[function]
    if tables.function_line[function] > 0:
        frame["line"] = int(tables.function_line[function])
    return frame
