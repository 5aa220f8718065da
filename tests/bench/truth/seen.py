"""What a profiler saw of a program, by phase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from truth.ledger import BETWEEN, DRIVER


class Seen:
    """Weights by phase; a stack belongs to the phase nearest its leaf.

    ``samples`` is how often the profiler looked at the program's thread.
    """

    def __init__(self, phases: Iterable[str]) -> None:
        self.phases = frozenset(phases)
        self.wall: Counter[str] = Counter()
        self.cpu: Counter[str] = Counter()
        self.samples = 0

    def add(
        self, leaf_first: Iterable[str], *, wall: float = 0, cpu: float = 0, samples: int = 0
    ) -> None:
        """Book one stack of function names; one outside the program is not counted at all."""
        phase = self._phase(leaf_first)
        if phase is not None:
            self.wall[phase] += wall
            self.cpu[phase] += cpu
            self.samples += samples

    def _phase(self, leaf_first: Iterable[str]) -> str | None:
        for name in leaf_first:
            if name in self.phases:
                return name
            if name == DRIVER:
                return BETWEEN
        return None

    def to_json(self) -> dict[str, Any]:
        return {"wall": self.wall, "cpu": self.cpu, "samples": self.samples}
