"""How a program tells a profiler of its transactions; a tool fills in what its profiler wants."""

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from attribution import marks
from attribution.marks import Marks

NUMBERS = 512
"""So many transactions have functions of their own; after that the oldest numbers come again."""


class Tracer:
    """Opens transactions and spans. This one tells nobody."""

    def transaction(self, number: int) -> AbstractContextManager[object]:
        return nullcontext()

    def span(self, description: str) -> AbstractContextManager[object]:
        return nullcontext()


@dataclass
class Book:
    """Numbers for transactions; ``begun`` is how many there were."""

    tracer: Tracer
    made: list[Marks] = field(default_factory=lambda: [marks.make(n) for n in range(NUMBERS)])
    begun: int = 0

    def __post_init__(self) -> None:
        self._next = itertools.cycle(self.made).__next__

    def begin(self) -> Marks:
        """The functions of the next transaction."""
        self.begun += 1
        return self._next()
