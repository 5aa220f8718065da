"""Phases of a program whose times are known: how long they are and in which order they come."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

T = TypeVar("T", str, bytes, list[float], list[dict[str, object]])


@dataclass(frozen=True)
class Phase:
    """A function to be told from the others, and how long its calls shall take.

    ``function`` takes a size; its time grows as ``size ** power``. A phase that ``waits`` takes
    microseconds. ``share`` is its part of the program's wall time, or among its like.
    """

    function: Callable[[int], object]
    share: float
    shortest_s: float
    longest_s: float
    power: float = 1.0
    waits: bool = False

    @property
    def name(self) -> str:
        return self.function.__name__

    def size(self, seconds: float, unit: float) -> int:
        """The size that takes ``seconds``; ``unit`` is what ``calibrate`` found."""
        return max(1, round(unit * seconds ** (1 / self.power)))

    def draw(self, random: Random) -> float:
        """Seconds of one call: any length in the range, each order of magnitude as likely."""
        return math.exp(random.uniform(math.log(self.shortest_s), math.log(self.longest_s)))


Plan = list[tuple[Phase, float]]


def cut(data: T, size: int) -> T:
    """So much of ``data``, again and again where it is too short."""
    return (data * (size // len(data) + 1))[:size]


def calibrate(phase: Phase) -> float:
    """The size of this phase that takes a second on this machine, by its own power law."""
    if phase.waits:
        return 1e6
    aim = math.sqrt(phase.shortest_s * phase.longest_s)
    size = 64
    while (took := _seconds(phase, size)) < aim / 3:
        size *= 2
    size = max(1, round(size * (aim / took) ** (1 / phase.power)))
    took = min(_seconds(phase, size) for _ in range(7))  # the least disturbed one
    return size / took ** (1 / phase.power)


def _seconds(phase: Phase, size: int) -> float:
    began = time.perf_counter()
    phase.function(size)
    return time.perf_counter() - began


def shuffled(phases: list[Phase], random: Random, seconds: float) -> Plan:
    """Calls of every phase that add up to its share of ``seconds``, in no order."""
    plan: Plan = []
    for phase in phases:
        wanted = phase.share * seconds
        drawn = [phase.draw(random)]
        while sum(drawn) < wanted:
            drawn.append(phase.draw(random))
        plan += [(phase, length * wanted / sum(drawn)) for length in drawn]
    random.shuffle(plan)
    return plan


def alternating(work: list[Phase], waits: list[Phase], random: Random, seconds: float) -> Plan:
    """One of ``work``, one of ``waits``, and so on; lengths even over each phase's range.

    Now and then one wait follows another: the ledger sees from those what waits cost.
    """
    plan: Plan = []
    total = 0.0
    while total < seconds:
        for phases in (work, waits, waits) if random.random() < 0.1 else (work, waits):
            (phase,) = random.choices(phases, [phase.share for phase in phases])
            plan.append((phase, random.uniform(phase.shortest_s, phase.longest_s)))
            total += plan[-1][1]
    return plan
