"""Calls the phases of a program and keeps the books of their time, without being in the way.

Wall time is read around every call: that clock costs nothing to read. A thread's CPU clock is a
system call, and there a kernel likes to switch threads: a profiler that waits for a processor, or
for the thread to stop, would come to see the program there instead of where it comes without a
ledger. So the CPU clock is read only when the program has just waited, and nobody waited for it.
What it shows is shared out among the phases since the reading before, by their wall time.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

BETWEEN = "(between)"
"""What the driver itself needs between two phases: about a microsecond each."""

DRIVER = "drive_truth"
"""Name of the function that calls the phases: a stack without it is not of the program."""


@dataclass(frozen=True)
class Call:
    """A call of a phase to be made; ``waits`` is whether the phase does."""

    function: Callable[[int], object]
    size: int
    waits: bool

    @property
    def name(self) -> str:
        return self.function.__name__


@dataclass
class Ledger:
    """Nanoseconds: wall of each call; where the CPU clock stood at first, after waits, at last."""

    calls: list[Call]
    wall: list[int] = field(default_factory=list)
    cpu_clock: list[int] = field(default_factory=list)
    total_ns: int = 0

    def truth(self) -> dict[str, dict[str, float]]:
        """Nanoseconds by clock ("wall", "cpu") and phase: what a profiler should have seen."""
        wall: Counter[str] = Counter()
        for call, took in zip(self.calls, self.wall, strict=True):
            wall[call.name] += took
        between = self.total_ns - wall.total()
        return {
            "wall": {**wall, BETWEEN: between},
            "cpu": {**dict.fromkeys(wall, 0.0), **self._cpu(), BETWEEN: between},
        }

    def granted(self) -> float:
        """Which part of the time that it had work the program had a processor for it."""
        cpu = self._cpu()
        working = {call.name for call in self.calls if not call.waits}
        pairs = zip(self.calls, self.wall, strict=True)
        wall = sum(took for call, took in pairs if not call.waits)
        return sum(cpu[name] for name in working) / max(1, wall)

    def _cpu(self) -> dict[str, float]:
        stretches = self._stretches()
        # What a wait costs is seen where one follows another.
        alone: dict[str, list[int]] = defaultdict(list)
        for work, wait, cpu in stretches:
            if not work:
                alone[wait].append(cpu)
        cost = {wait: statistics.fmean(seen) for wait, seen in alone.items()}
        usual = statistics.fmean(cost.values()) if cost else 0.0
        found: dict[str, float] = defaultdict(float)
        for work, wait, cpu in stretches:
            waiting: float = cpu
            if work:
                waiting = min(cpu, cost.get(wait, usual)) if wait else 0
            found[wait or BETWEEN] += waiting
            for name, took in work.items():
                found[name] += (cpu - waiting) * took / work.total()
        return found

    def _stretches(self) -> list[tuple[Counter[str], str, int]]:
        """Wall time of work by phase, the wait that came then ("": the end), CPU time of both."""
        stretches, work, readings = [], Counter[str](), iter(self.cpu_clock)
        before = next(readings)
        for call, took in zip(self.calls, self.wall, strict=True):
            if not call.waits:
                work[call.name] += took
                continue
            now = next(readings)
            stretches.append((work, call.name, now - before))
            before, work = now, Counter()
        return [*stretches, (work, "", next(readings) - before)]


def drive_truth(calls: list[Call]) -> Ledger:
    """Make every call and keep the books, in the thread that works.

    So the truth contains what a profiler costs the phases: it is what happened in this run, not
    what should have.
    """
    ledger = Ledger(calls)
    steps = [(call.function, call.size, call.waits) for call in calls]
    book, book_cpu = ledger.wall.append, ledger.cpu_clock.append
    clock, cpu_clock = time.perf_counter_ns, time.thread_time_ns
    book_cpu(cpu_clock())
    began = clock()
    for function, size, waits in steps:
        before = clock()
        function(size)
        book(clock() - before)
        if waits:
            book_cpu(cpu_clock())
    ledger.total_ns = clock() - began
    book_cpu(cpu_clock())
    return ledger
