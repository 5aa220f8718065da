"""speedscope's JSON: one ``sampled`` profile per thread in time order, in nanoseconds.

All threads share one time axis: a thread begins with the empty stack until its first sample and
ends with it after its last. Time that is not in view (idle, other transactions) is the empty
stack too, so what is not empty adds up to the profile's total exactly. By the CPU or waiting
clock there is no such axis: a thread's samples follow one another without gaps. Neighbours with
equal stacks are one sample. Threads with nothing in view are left out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import numpy as np

from flamespan.aggregator import exporting
from flamespan.aggregator.stacktree import Ids, Ints, StackTree, rebuild

if TYPE_CHECKING:
    from flamespan.aggregator.data import Tables
    from flamespan.aggregator.profile import Profile

SCHEMA = "https://www.speedscope.app/file-format-schema.json"

MANY_SAMPLES = 200_000
"""More samples of one thread than this make speedscope slow or crash."""

_EMPTY = 0


class _Timeline(NamedTuple):
    """One thread: stacks (nodes of the function tree, 0 = idle) and how long each lasted."""

    name: str
    stacks: Ids
    weights: Ints


def write(profile: Profile, file: TextIO) -> None:
    """Write ``profile`` to ``file``. Warns where a thread is too long for speedscope."""
    tree, timelines = _timelines(profile)
    longest = max((len(line.stacks) for line in timelines), default=0)
    if longest > MANY_SAMPLES:
        exporting.warn(
            f"a thread has {longest} samples: speedscope is slow beyond {MANY_SAMPLES}; choose a "
            "part of the recording (a transaction, a thread, a stretch of time)"
        )
    frames, texts = _frames_and_stacks(profile.tables, tree, timelines)
    busy = [int(line.weights[line.stacks != _EMPTY].sum()) for line in timelines]
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
    for place, line in enumerate(timelines):
        file.write(",\n" if place else "\n")
        _write_profile(line, texts, file)
    file.write("\n]}\n")


def _write_profile(line: _Timeline, texts: dict[int, str], file: TextIO) -> None:
    head = {
        "type": "sampled",
        "name": line.name,
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": int(line.weights.sum()),
    }
    file.write(json.dumps(head, ensure_ascii=False)[:-1])
    file.write(', "samples": [')
    file.write(",".join([texts[stack] for stack in line.stacks.tolist()]))
    file.write('], "weights": [')
    file.write(",".join(map(str, line.weights.tolist())))
    file.write("]}")


def _frames_and_stacks(
    tables: Tables, tree: StackTree, timelines: list[_Timeline]
) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """The frames that are used, one a function, and each stack as JSON text."""
    frames: dict[int, int] = {}
    texts = {_EMPTY: "[]"}
    used = np.unique(np.concatenate([line.stacks for line in timelines]))
    for stack in used[used != _EMPTY].tolist():
        numbers = [frames.setdefault(key, len(frames)) for key in tree.path(stack)]
        texts[stack] = f"[{','.join(map(str, numbers))}]"
    return [_frame(tables, function) for function in frames], texts


def _frame(tables: Tables, function: int) -> dict[str, Any]:
    """Optional keys are left out rather than null: the schema wants that."""
    frame: dict[str, Any] = {"name": tables.function_name[function] or "?"}
    if tables.function_file[function]:
        frame["file"] = tables.function_file[function]
    if tables.function_line[function] > 0:
        frame["line"] = int(tables.function_line[function])
    return frame


def _timelines(profile: Profile) -> tuple[StackTree, list[_Timeline]]:
    """The shown stacks by function, and what each thread with weight did of them."""
    rows, weights = profile.selected, profile.weights_ns
    shown = profile.shown
    tree, place = rebuild(shown.tree.parent, profile.tables.frame_function[shown.tree.key])
    stacks = place[shown.place[rows.stack]].astype(np.int32)
    # A sample without any frame is not idle: it needs a stack of its own.
    stacks[stacks == _EMPTY] = len(tree)
    tree = StackTree(np.r_[tree.parent, 0].astype(np.int32), np.r_[tree.key, 0].astype(np.int32))
    seen = np.flatnonzero(weights > 0)
    if not len(seen):
        return tree, [_Timeline("nothing in view", np.zeros(0, np.int32), np.zeros(0, np.int64))]
    order = seen[np.lexsort((rows.time_ns[seen], rows.thread[seen]))]
    thread = rows.thread[order]
    starts = rows.time_ns - weights
    origin = int(starts[seen].min())
    end = int(rows.time_ns[seen].max()) - origin
    timelines = []
    for part in np.split(order, np.flatnonzero(np.diff(thread)) + 1):
        name = _thread_name(profile, int(rows.thread[part[0]]))
        if profile.weight_clock == "wall":
            padded = _padded(stacks[part], weights[part], starts[part] - origin, end)
        else:
            padded = stacks[part], weights[part]
        timelines.append(_Timeline(name, *_merged(*padded)))
    return tree, timelines


def _padded(stacks: Ids, weights: Ints, starts: Ints, end: int) -> tuple[Ids, Ints]:
    """Put the empty stack before, between and after samples, so that each begins at its start.

    A sample that would begin before the one before it ends begins there instead, and the next
    empty stretch is shorter: weights are never changed.
    """
    before = np.cumsum(weights) - weights
    late = np.maximum(np.maximum.accumulate(starts - before), 0)
    gaps = np.diff(late, prepend=0)
    tail = max(end - int(late[-1]) - int(weights.sum()), 0)
    both = np.empty(2 * len(weights) + 1, np.int64)
    both[:-1:2], both[1::2], both[-1] = gaps, weights, tail
    filled = np.zeros(len(both), np.int32)
    filled[1::2] = stacks
    return filled, both


def _merged(stacks: Ids, weights: Ints) -> tuple[Ids, Ints]:
    """Without samples of no length, and with equal neighbours as one."""
    stacks, weights = stacks[weights > 0], weights[weights > 0]
    first = np.flatnonzero(np.r_[True, stacks[1:] != stacks[:-1]])
    return stacks[first], np.add.reduceat(weights, first)


def _thread_name(profile: Profile, thread: int) -> str:
    """The thread's name, with its process where there are several."""
    row = profile.tables.threads[thread]
    name = row.name or "thread"
    alike = [other for other in profile.tables.threads if other.name == row.name]
    if len(profile.processes) > 1:
        name += f" (process {profile.processes[row.process].header.pid})"
    elif len(alike) > 1:
        name += f" ({row.native_id or row.ident})"
    return name
