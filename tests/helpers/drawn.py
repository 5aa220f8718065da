"""Profiles drawn as text: ``("main;a:3;b", 10)`` becomes a sample file and is loaded from it.

A frame is ``name`` or ``name:line``. Functions live in ``/app/code.py`` unless ``origin`` calls
them "system", which puts them into ``/lib/code.py``, the recording's standard library.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flamespan.aggregator import Profile, load
from flamespan.profiler.model import (
    Definitions,
    End,
    Flag,
    Function,
    Header,
    Samples,
    SpanEvents,
    State,
    Stats,
    Thread,
)
from flamespan.profiler.samplefile import SampleWriter

STATES = {state.name.lower(): state for state in State}
PATHS = {"stdlib": "/lib", "cwd": "/app", "sys_path": ["/app", "/lib"]}
EPOCH_NS = 1_700_000_000_000_000_000
"""Unix time of monotonic 0 in drawn recordings."""


@dataclass
class Seen:
    """What a pass saw of a thread or a suspended task; ``wall`` ticks if not those of the pass."""

    thread: int
    stack: str
    state: str = "running"
    span: int = 0
    wall: int | None = None
    cpu: int = 0
    holds: bool = False


class Drawing:
    """Interns drawn stacks and writes passes; one pass per ``add`` unless ``threads`` says more."""

    def __init__(self, origin: Mapping[str, str] | None = None, tick_ns: int = 1) -> None:
        self.definitions = Definitions()
        self.samples = Samples(tick_ns=tick_ns)
        self.spans = SpanEvents()
        self.stats = Stats()
        self.now = 0
        self._origin = origin or {}
        self._functions: dict[str, int] = {}
        self._frames: dict[tuple[int, int], int] = {}
        self._nodes: dict[tuple[int, int], int] = {}

    def stack(self, drawn: str) -> int:
        node = 0
        for frame in drawn.split(";") if drawn else []:
            key = (node, self._frame(frame))
            if key not in self._nodes:
                self._nodes[key] = len(self._nodes) + 1
                self.definitions.stack_parent.append(node)
                self.definitions.stack_frame.append(key[1])
            node = self._nodes[key]
        return node

    def _frame(self, drawn: str) -> int:
        name, _, line = drawn.partition(":")
        if name not in self._functions:
            self._functions[name] = len(self._functions) + 1
            folder = "/lib" if self._origin.get(name) == "system" else "/app"
            pseudo = name.startswith("<") and name.endswith(">")
            file = "" if pseudo else f"{folder}/code.py"
            self.definitions.functions.append(Function(name, file, 0 if pseudo else 1))
        key = (self._functions[name], int(line or 1))
        if key not in self._frames:
            self._frames[key] = len(self._frames) + 1
            self.definitions.frame_function.append(key[0])
            self.definitions.frame_line.append(key[1])
        return self._frames[key]

    def thread(self, index: int, name: str) -> None:
        self.definitions.threads.append(Thread(index, 100 + index, 200 + index, name, index == 0))

    def add_pass(
        self,
        wall: int,
        seen: Sequence[tuple[int, str]],
        *,
        state: str = "running",
        span: int = 0,
        cpu: int | None = None,
        missed: int = 0,
        flags: int = 0,
    ) -> None:
        """A pass ``wall`` ticks after the one before, that saw ``(thread, stack)`` pairs."""
        s = self.samples
        self.now += wall
        s.pass_ticks.append(wall)
        s.pass_samples.append(len(seen))
        s.pass_unobserved.append(0)
        s.pass_missed.append(missed)
        for thread, stack in seen:
            s.thread.append(thread)
            s.stack.append(self.stack(stack))
            s.span.append(span)
            s.wall_extra.append(0)
            s.cpu_ticks.append((wall if state == "running" else 0) if cpu is None else cpu)
            s.state.append(STATES[state])
            s.flags.append(flags)

    def add_rows(self, wall: int, rows: Iterable[Seen]) -> None:
        """A pass ``wall`` ticks after the one before, whose rows differ in more than the stack."""
        s = self.samples
        self.now += wall
        s.pass_ticks.append(wall)
        s.pass_unobserved.append(0)
        s.pass_missed.append(0)
        before = len(s)
        for row in rows:
            s.thread.append(row.thread)
            s.stack.append(self.stack(row.stack))
            s.span.append(row.span)
            s.wall_extra.append(0 if row.wall is None else row.wall - wall)
            s.cpu_ticks.append(row.cpu)
            s.state.append(STATES[row.state])
            s.flags.append(Flag.HOLDS_GIL if row.holds else 0)
        s.pass_samples.append(len(s) - before)

    def write(self, path: Path, header: Header | None = None) -> Path:
        if not self.definitions.threads:
            self.thread(0, "MainThread")
        header = header or Header(
            session_id=path.name, pid=7, interval_ns=10, start_wall_ns=EPOCH_NS, paths=PATHS
        )
        writer = SampleWriter(path, header)
        writer.flush(self.definitions, self.samples, self.spans, self.stats)
        writer.close(End("stop", self.now * self.samples.tick_ns))
        return path

    def profile(self) -> Profile:
        with tempfile.TemporaryDirectory() as folder:
            return load(self.write(Path(folder) / "drawn.fspan"))


def draw(samples: Iterable[Sequence[object]], origin: Mapping[str, str] | None = None) -> Profile:
    """A profile of one thread from ``(stack, weight[, state])`` rows."""
    drawing = Drawing(origin)
    for stack, weight, *state in samples:
        drawing.add_pass(int(str(weight)), [(0, str(stack))], state=str([*state, "running"][0]))
    return drawing.profile()


def folded(profile: Profile) -> dict[str, int]:
    """``profile.folded()`` with bare function names."""
    names: dict[str, int] = {}
    for stack, weight in profile.folded().items():
        bare = re.sub(r" \(/\w+/code\.py:1\)", "", stack)
        names[bare] = names.get(bare, 0) + weight
    return names


def functions(profile: Profile) -> dict[str, list[int]]:
    """``{name: [self, total]}`` of the functions table."""
    table = profile.functions()
    rows = zip(table["function"], table["self_ns"], table["total_ns"], strict=True)
    return {name: [own, total] for name, own, total in rows}
