"""Which function of the hammer may call which, and the check of a sample file against that.

A rule line is a chain, ``spin_calls -> call_a@ -> call_b@, call_c@``: each name may call every
name of the next step. ``@`` stands for a number, which must be the same on both sides, so that
one line allows 64 families and forbids every mixture of them. Callers that are no function of
the hammer go by their qualified name or by ``*``; ``<root>`` calls the first frame of a stack;
``any`` is whatever a garbage collection or a trace function can interrupt.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import chain, pairwise, repeat
from operator import sub
from pathlib import Path

from flamespan.profiler.model import Definitions, End, Flag, Samples, Stats, Tables
from flamespan.profiler.samplefile import SampleReader

HERE = os.path.dirname(os.path.abspath(__file__))
ROOTS = {"Thread._bootstrap", "<module>"}
"""What stacks of threads begin with; one that begins elsewhere has lost its older frames."""

_NUMBER = re.compile(r"\d+")
_KIND = re.compile(r"([a-z]+)\d")


def generate(kind: str, template: str, families: int) -> dict[str, object]:
    """``families`` copies of the template's functions, ``@`` replaced by the copy's number."""
    made: dict[str, object] = {}
    for number in range(families):
        text = template.replace("@", str(number))
        exec(compile(text, f"<hammer:{kind}>", "exec"), made)
    return made


def is_ours(file: str) -> bool:
    """Whether the functions in ``file`` are under the rules; hammer.py only directs."""
    if file.startswith("<hammer:"):
        return True
    folder, name = os.path.split(os.path.abspath(file))
    return folder == HERE and name.startswith("hammer_")


class Graph:
    """The allowed edges."""

    def __init__(self, rules: str) -> None:
        self._pairs: set[tuple[str, str]] = set()
        for line in filter(None, map(str.strip, rules.splitlines())):
            steps = [[name.strip() for name in step.split(",")] for step in line.split("->")]
            for callers, callees in pairwise(steps):
                self._pairs |= {(caller, callee) for caller in callers for callee in callees}

    def allows(self, caller: str, callee: str, *, caller_is_ours: bool = True) -> bool:
        """Whether ``caller`` may stand right below ``callee`` on a stack."""
        wanted, numbers = _NUMBER.sub("@", callee), _NUMBER.findall(callee)
        if ("any", wanted) in self._pairs:
            return True
        if not caller_is_ours:
            return (caller, wanted) in self._pairs or ("*", wanted) in self._pairs
        if callee.startswith(f"{caller}.<locals>.<") and not callee.endswith("<lambda>"):
            return True  # a comprehension, in its function
        own = _NUMBER.findall(caller)
        same = not own or not numbers or own[0] == numbers[0]
        return same and (_NUMBER.sub("@", caller), wanted) in self._pairs

    def anywhere(self, callee: str) -> bool:
        """Whether ``callee`` may interrupt anything, even a thread with no frame."""
        return ("any", _NUMBER.sub("@", callee)) in self._pairs


@dataclass(slots=True)
class Kind:
    """Counts of one kind of worker. ``moving`` samples are those in which the thread ran.

    ``wall_ns`` is the time that the samples stand for, without those of forked children.
    """

    samples: int = 0
    moving: int = 0
    torn: int = 0
    impossible: int = 0
    wall_ns: int = 0


@dataclass
class Tally:
    """What all checked files hold."""

    graph: Graph
    kinds: dict[str, Kind] = field(default_factory=dict)
    edges: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    seen: set[tuple[str, str]] = field(default_factory=set)
    trouble: Counter[str] = field(default_factory=Counter)
    files: int = 0
    child_files: int = 0
    last_stats: Stats = field(default_factory=Stats)

    def check_folder(self, folder: str, pid: int) -> Stats:
        """Check all files there and delete them; the counters of the process ``pid``."""
        self.last_stats = Stats()
        for path in sorted(Path(folder).glob("*.fspan")):
            self._check_file(path, pid)
            path.unlink()
        return self.last_stats

    def _check_file(self, path: Path, pid: int) -> None:
        reader = SampleReader(path)
        of_child = reader.header.pid != pid
        self.files += 1
        self.child_files += of_child
        file = _File(self, of_child)
        ended = False
        for block in reader.blocks():
            if isinstance(block, Definitions):
                file.define(block)
            elif isinstance(block, Samples):
                file.count(block)
            elif isinstance(block, Stats) and not of_child:
                if block.passes >= self.last_stats.passes:
                    self.last_stats = block
            elif isinstance(block, End):
                ended = True
        if not ended and not of_child:  # children leave by os._exit
            self.trouble["file without an end"] += 1
        if reader.loss:
            self.trouble[f"damaged file: {reader.loss.reasons}"] += 1

    def kind(self, thread: str) -> tuple[str, Kind]:
        """The kind of worker that a thread of that name is."""
        match = _KIND.match(thread)
        name = match[1] if match else "other"
        return name, self.kinds.setdefault(name, Kind())

    def add(self, thread: str, count: int, torn: bool, moving: bool, bad: tuple | None) -> None:
        """``count`` equal samples of ``thread``; ``bad`` is the edge that cannot be."""
        name, kind = self.kind(thread)
        kind.samples += count
        kind.moving += count * moving
        kind.torn += count * torn
        if bad:
            kind.impossible += count
            self.edges[name, *bad] += count

    def caught(self) -> float:
        """How many of the edges made by crossing two seen ones the rules forbid, as a share.

        Proves that the check can fail: rules that allow everything would find nothing.
        """
        seen = sorted(self.seen)
        crossed = [
            (a[0], b[1])
            for place, a in enumerate(seen)
            for b in (seen[(place * 7 + step) % len(seen)] for step in (1, 97, 389))
            if (a[0], b[1]) not in self.seen
        ]
        return sum(not self.graph.allows(*edge) for edge in crossed) / max(1, len(crossed))


class _File:
    """The definitions of one file, each stack judged once, when it is defined."""

    def __init__(self, tally: Tally, of_child: bool) -> None:
        self._tally = tally
        self._of_child = of_child
        self._tables = Tables()
        self._bad: list[tuple[str, str] | None] = [None]
        self._function = [0]
        self._root = [0]
        self._ours: list[bool] = [False]
        self._verdicts: dict[tuple[int, int, int], tuple[str, str] | None] = {}

    def define(self, block: Definitions) -> None:
        tables, stacks = self._tables, self._tables.stacks
        tables.add(block)
        self._ours += [is_ours(row.file) for row in tables.functions[len(self._ours) :]]
        for node in range(len(self._bad), len(stacks)):
            parent = stacks.parent[node]
            function = tables.frame_function[stacks.frame[node]]
            root = self._root[parent] if parent else function
            self._function.append(function)
            self._root.append(root)
            bad = self._bad[parent]
            if bad is None and self._ours[function]:
                bad = self._judge(root, self._function[parent], function)
            self._bad.append(bad)

    def _judge(self, root: int, caller: int, callee: int) -> tuple[str, str] | None:
        key = (root, caller, callee)
        if key not in self._verdicts:
            self._verdicts[key] = self._edge(*key)
        return self._verdicts[key]

    def _edge(self, root: int, caller: int, callee: int) -> tuple[str, str] | None:
        functions, graph = self._tables.functions, self._tally.graph
        name, above = functions[callee].name, functions[caller].name
        if not caller:
            return None if graph.allows("<root>", name) else ("<root>", name)
        if not functions[caller].file and above.startswith("<"):
            return None  # <torn>, <N frames omitted>, <lost>: what stood there is not known
        if self._ours[caller]:
            self._tally.seen.add((above, name))
            return None if graph.allows(above, name) else (above, name)
        first = functions[root]
        begun = not first.file or first.name in ROOTS or graph.anywhere(name)
        if not begun:
            return (f"<root> {first.name} … {above}", name)
        return None if graph.allows(above, name, caller_is_ours=False) else (above, name)

    def count(self, samples: Samples) -> None:
        moved = map(bool, samples.cpu_ticks)
        rows = Counter(zip(samples.thread, samples.stack, samples.flags, moved, strict=True))
        for (thread, stack, flags, moving), count in rows.items():
            torn = bool(flags & Flag.TORN)
            if stack >= len(self._bad):
                self._tally.trouble["sample with a stack that is not defined"] += count
                continue
            self._tally.add(self._name(thread), count, torn, moving, self._bad[stack])
        if not self._of_child:
            self._time(samples)

    def _time(self, samples: Samples) -> None:
        """Sum up what the samples of each thread stand for."""
        charged = map(sub, samples.pass_ticks, samples.pass_unobserved)
        each = chain.from_iterable(map(repeat, charged, samples.pass_samples))
        walls: dict[int, int] = defaultdict(int)
        for thread, wall, extra in zip(samples.thread, each, samples.wall_extra, strict=True):
            walls[thread] += wall + extra
        for thread, wall in walls.items():
            kind = self._tally.kind(self._name(thread))[1]
            kind.wall_ns += wall * samples.tick_ns

    def _name(self, index: int) -> str:
        """The thread's name; every thread has to be defined before it has samples."""
        thread = self._tables.threads.get(index)
        if thread is None:
            self._tally.trouble["sample of a thread that is not defined"] += 1
            return "undefined"
        return thread.name
