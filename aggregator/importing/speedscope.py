"""speedscope's JSON, sampled and evented profiles of any producer.

Each profile of the file is a thread on one time axis; the empty stack is time in which it did
nothing that is told. The frame for the thread that py-spy puts below all others is taken off. A
frame's line is where its function begins or where it was running: the exporter says (ours), or
the file as a whole (see ``building.are_running``).
Format: https://github.com/jlfwong/speedscope/wiki/Importing-from-custom-sources
"""

from __future__ import annotations

import os
import re
from typing import Any

from flamespan.aggregator.importing import Imported
from flamespan.aggregator.importing.building import (
    COUNTS,
    Builder,
    are_running,
    checked_unit,
    unit_of,
)
from flamespan.aggregator.importing.values import Place

_PY_SPY_ROOT = re.compile(r"thread \((?:0x[0-9A-Fa-f]+|\d+)\)(?:: .*)?\Z", re.S)
_PY_SPY = re.compile(
    r'(?:Process (\d{1,18})(?::"(.*)")? )?Thread (0x[0-9A-Fa-f]{1,16}|\d{1,18})(?: "(.*)")?\Z', re.S
)


def knows(values: list[Any]) -> bool:
    """Whether these JSON values are a speedscope file."""
    only = values[0] if len(values) == 1 and isinstance(values[0], dict) else {}
    shared = only.get("shared")
    return (
        isinstance(only.get("profiles"), list) and isinstance(shared, dict) and "frames" in shared
    )


def read_values(path: str | os.PathLike[str], values: list[Any], unit_ns: int | None) -> Imported:
    """The profiles of a speedscope file. Raises SampleFileError with the place of what is wrong."""
    file = Place(path, values[0])
    builder = Builder(path, "speedscope", os.path.getsize(path) * 64)
    frames = _frames(file, builder)
    for profile in file.get("profiles").each():
        kind = profile.get("type").text()
        thread = _thread(profile.get("name").text(), builder)
        unit = _unit(profile, checked_unit(unit_ns), builder)
        if kind == "sampled":
            _read_sampled(profile, frames, thread, unit, builder)
        elif kind == "evented":
            _read_evented(profile, frames, thread, unit, builder)
        else:
            raise profile.get("type").error(f"{kind[:40]!r} is neither sampled nor evented")
    return builder.finished()


def _frames(file: Place, builder: Builder) -> list[int]:
    described = []
    for frame in file.get("shared").get("frames").each():
        place = frame.get("name").text() or "?", frame.get("file").text(), frame.get("line").line()
        described.append(place)
    ours = str(file.value.get("exporter", "")).startswith("flamespan@")
    running = not ours and are_running(described)
    if described and not ours:
        what = "were running, so where they begin is unknown" if running else "begin"
        builder.note(f"lines are taken as where functions {what}")
    functions = [builder.function(n, f, 0 if running else line) for n, f, line in described]
    return [
        builder.frame(function, line)
        for function, (_, _, line) in zip(functions, described, strict=True)
    ]


def _thread(name: str, builder: Builder) -> int:
    """A profile is a thread; py-spy's names hold its number and its process."""
    match = _PY_SPY.match(name)
    if not match:
        return builder.thread(len(builder.imported.tables.threads), name)
    pid, command, number, said = match.groups()
    process = builder.process(pid or "", int(pid or 0), command or "")
    ident = int(number, 0) if number.startswith("0x") else 0
    native = 0 if ident else int(number)
    key = len(builder.imported.tables.threads)
    return builder.thread(key, said or f"thread {number}", ident, native, process)


def _unit(profile: Place, unit_ns: int | None, builder: Builder) -> int:
    name = profile.get("unit").text()
    known = unit_of(name)
    if known is not None:
        return known
    if name == "bytes":
        raise profile.get("unit").error("bytes of memory, not time: nothing to weigh time by")
    if unit_ns is None:
        builder.note(COUNTS)
    return unit_ns or 1


def _read_sampled(
    profile: Place, frames: list[int], thread: int, unit: int, builder: Builder
) -> None:
    samples, weights = profile.get("samples"), profile.get("weights")
    if len(samples.items()) != len(weights.items()):
        raise profile.error(f"{len(samples.value)} samples but {len(weights.value)} weights")
    now = 0
    known: dict[tuple[Any, ...], int] = {}
    for index, sample in enumerate(samples.value):
        weight = _in_ns(weights, index, unit)
        now += weight
        if not weight or sample == []:
            continue
        try:
            key = tuple(sample)
            stack = known.get(key)
        except TypeError:
            raise samples.at(index).error("is no list of frames") from None
        if stack is None:
            stack = known[key] = _path(samples.at(index), frames, builder)
        builder.add(stack, weight, thread, time_ns=now)


def _path(sample: Place, frames: list[int], builder: Builder) -> int:
    used = [frames[sample.at(i).index(len(frames))] for i in range(len(sample.items()))]
    tables = builder.imported.tables
    root = tables.functions[tables.frame_function[used[0]]]
    thread = not root.file and _PY_SPY_ROOT.match(root.name)
    return builder.path(used[1:] if thread else used)


def _in_ns(weights: Place, index: int, unit: int) -> int:
    value = weights.value[index]
    if type(value) is not int:
        value = weights.at(index).number()
    if value < 0:
        raise weights.at(index).error(f"a negative weight ({value})")
    return value * unit if type(value) is int else round(value * unit)


def _read_evented(
    profile: Place, frames: list[int], thread: int, unit: int, builder: Builder
) -> None:
    start = profile.get("startValue").number()
    before, open_frames, nodes = start, list[int](), [0]
    for event in [*profile.get("events").each(), None]:
        at = event.get("at") if event else profile.get("endValue")
        now = at.number()
        if event and now < before:
            raise at.error(f"{now} is before the event that precedes it ({before})")
        if now > before and open_frames:
            begin, end = (round((time - start) * unit) for time in (before, now))
            builder.add(nodes[-1], end - begin, thread, time_ns=end)
        before = max(now, before)
        if event:
            _open_or_close(event, frames, open_frames, nodes, builder)


def _open_or_close(
    event: Place, frames: list[int], open_frames: list[int], nodes: list[int], builder: Builder
) -> None:
    kind, frame = event.get("type").text(), event.get("frame").index(len(frames))
    if kind == "O":
        open_frames.append(frame)
        nodes.append(builder.stack(nodes[-1], frames[frame]))
    elif kind == "C" and open_frames and open_frames[-1] == frame:
        open_frames.pop()
        nodes.pop()
    elif kind == "C":
        raise event.error(f"closes frame {frame}, which is not the innermost open one")
    else:
        raise event.get("type").error(f"{kind[:40]!r} is neither O nor C")
