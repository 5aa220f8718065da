"""Sentry's sample format: version 1 (a profile of a transaction) and 2 (chunks), as JSON.

Also whole envelopes, an item a line; several chunks of one file are joined. A sample stands at
the moment it was taken: the time since the pass before it is charged to it, as everywhere in
flamespan (Sentry charges the time after it; see docs/sampling-in-detail.md). Chunks that
flamespan exported say when stacks began, and are read that way. ``in_app`` is not kept: whose
code a function is follows from its path. Format: getsentry/vroom, ``internal/sample``.
"""

from __future__ import annotations

import datetime
import os
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from flamespan.aggregator.importing import Imported
from flamespan.aggregator.importing.building import Builder
from flamespan.aggregator.importing.values import Place
from flamespan.profiler.model import SpanEnd, SpanStart


@dataclass(frozen=True, slots=True)
class _Sample:
    """A thread's stack (None: none) at a moment in nanoseconds."""

    time_ns: int
    thread: int
    stack: int | None


def knows(values: list[Any]) -> bool:
    """Whether these JSON values are a Sentry profile, a chunk, or an envelope with some."""
    return bool(_bodies(values))


def _bodies(values: list[Any]) -> list[Any]:
    wrapped = [value.get("chunk", value) for value in values if isinstance(value, dict)]
    return [value for value in wrapped if isinstance(value, dict) and _is_profile(value)]


def _is_profile(value: dict[str, Any]) -> bool:
    profile = value.get("profile")
    return isinstance(profile, dict) and {"samples", "stacks", "frames"} <= set(profile)


def read_values(path: str | os.PathLike[str], values: list[Any], _unit_ns: int | None) -> Imported:
    """The samples of all profiles of a file. SampleFileError names the place of what is wrong."""
    builder = Builder(path, "sentry", os.path.getsize(path) * 64)
    bodies = _bodies(values)
    for number, body in enumerate(bodies):
        place = Place(path, body, f"profile {number}" if len(bodies) > 1 else "")
        _Reading(place, builder).read()
    return builder.finished()


class _Reading:
    """One profile or chunk of a file."""

    def __init__(self, body: Place, builder: Builder) -> None:
        self.body = body
        self.builder = builder
        self.profile = body.get("profile")
        sdk = body.value.get("client_sdk")
        self.ours = isinstance(sdk, dict) and sdk.get("name") == "flamespan"
        self.start_ns = _started(body)
        name = str(body.value.get("release") or "")
        self.process = builder.process("", 0, name and f"release {name}")

    def read(self) -> None:
        stacks = self._stacks()
        samples = [self._sample(place, stacks) for place in self.profile.get("samples").each()]
        samples.sort(key=lambda sample: sample.time_ns)
        rows = _forward(samples) if self.ours else _backward(samples)
        for sample, weight_ns in rows:
            if sample.stack is not None:
                self.builder.add(
                    sample.stack,
                    weight_ns,
                    sample.thread,
                    time_ns=sample.time_ns + (weight_ns if self.ours else 0),
                )
        self._transactions(samples)

    def _stacks(self) -> list[int | None]:
        frames = [self._frame(frame) for frame in self.profile.get("frames").each()]
        found: list[int | None] = []
        for stack in self.profile.get("stacks").each():
            used = [place.index(len(frames)) for place in stack.each()]
            path = [frames[number] for number in reversed(used)]
            found.append(self.builder.path(path) if path else None)
        return found

    def _frame(self, frame: Place) -> int:
        file = frame.get("abs_path").text() or frame.get("filename").text()
        name = frame.get("function").text() or frame.get("raw_function").text() or "?"
        function = self.builder.function(name, file)
        return self.builder.frame(function, frame.get("lineno").line())

    def _sample(self, sample: Place, stacks: list[int | None]) -> _Sample:
        stack = stacks[sample.get("stack_id").index(len(stacks))]
        thread = self._thread(sample.get("thread_id"))
        if sample.value.get("timestamp") is not None:
            # Doubles hold today's seconds to a quarter of a microsecond.
            time_ns = round(sample.get("timestamp").number() * 1e6) * 1000
            return _Sample(time_ns, thread, stack)
        elapsed = sample.get("elapsed_since_start_ns").number()
        return _Sample(self.start_ns + round(elapsed), thread, stack)

    def _thread(self, place: Place) -> int:
        key = str(place.value)[:40]
        metadata = self.profile.value.get("thread_metadata")
        known = metadata.get(key) if isinstance(metadata, dict) else None
        name = known.get("name") if isinstance(known, dict) else None
        number = int(key) if key.isascii() and key.isdigit() and len(key) < 19 else 0
        said = name if isinstance(name, str) and name else f"thread {key}"
        return self.builder.thread(key, said, number, 0, self.process)

    def _transactions(self, samples: list[_Sample]) -> None:
        """Version 1: the transactions a profile was taken in, and their samples."""
        listed = self.body.value.get("transactions") or [self.body.value.get("transaction")]
        imported = self.builder.imported
        imported.span.extend([0] * (len(imported.stack) - len(imported.span)))
        for told in listed if isinstance(listed, list) else []:
            if not isinstance(told, dict) or not isinstance(told.get("name"), str) or not samples:
                continue
            number = len(imported.spans.started) + 1
            first = self._time(told.get("relative_start_ns"), samples[0].time_ns)
            last = self._time(told.get("relative_end_ns"), samples[-1].time_ns)
            thread = str(told.get("active_thread_id", ""))[:40]
            self._span(number, told["name"], max(last, first), first, thread)

    def _time(self, value: object, otherwise: int) -> int:
        """A time relative to the profile's start, which may be told as text."""
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
            value = int(value)
        known = type(value) is int and 0 <= value < 1 << 62
        return self.start_ns + int(str(value)) if known else otherwise

    def _span(self, number: int, name: str, last_ns: int, first_ns: int, thread: str) -> None:
        imported = self.builder.imported
        row = self._thread(Place(imported.path, thread)) if thread else 0
        ident = imported.tables.threads[row].ident
        spans = imported.spans
        spans.started.append(SpanStart(number, 0, ident, name, "", "", first_ns))
        spans.ended.append(SpanEnd(number, last_ns, ""))
        for place, time_ns in enumerate(imported.time_ns or ()):
            if first_ns < time_ns <= last_ns and imported.thread[place] == row:
                imported.span[place] = number


def _started(body: Place) -> int:
    """Unix time (ns) that a version 1 profile counts from; 0 where it does not say."""
    said = body.value.get("timestamp")
    try:
        time = datetime.datetime.fromisoformat(said) if isinstance(said, str) else None
        return round(time.timestamp() * 1e6) * 1000 if time else 0
    except (ValueError, OverflowError, OSError):
        return 0


def _backward(samples: list[_Sample]) -> list[tuple[_Sample, int]]:
    """Each sample with the time since the pass before; the first pass with the median of these."""
    times = sorted({sample.time_ns for sample in samples})
    if not times:
        return []
    steps = sorted(b - a for a, b in pairwise(times))
    first = steps[len(steps) // 2] if steps else 0
    since = dict(zip(times, [first, *(b - a for a, b in pairwise(times))], strict=True))
    return [(sample, since[sample.time_ns]) for sample in samples]


def _forward(samples: list[_Sample]) -> list[tuple[_Sample, int]]:
    """Each sample with the time to its thread's next one; the last one has none."""
    by_thread = defaultdict(list)
    for sample in samples:
        by_thread[sample.thread].append(sample)
    rows = []
    for own in by_thread.values():
        rows += [(a, b.time_ns - a.time_ns) for a, b in pairwise(own)]
    return [(sample, weight) for sample, weight in rows if weight]
