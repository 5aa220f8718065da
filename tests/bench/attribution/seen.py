"""What a profiler said of the samples that stacks tell the transaction of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from attribution.marks import OWN


@dataclass(frozen=True)
class Took:
    """Nanoseconds of one transaction.

    sampled: in which it had a sample. beside: of what is known to be in none: from the last of them
    to its end (the tail), and ``lost``, while the process did not run. duration: of itself. thread:
    of its samples, which is more where threads work side by side. gap: between the two passes in
    which it ended.
    """

    sampled_ns: int
    beside_ns: int
    duration_ns: int
    thread_ns: int
    gap_ns: int
    lost_ns: int


@dataclass
class Seen:
    """Counts of samples. ``nobodys`` is None where a profiler does not keep such samples.

    right, foreign, nobodys: with the transaction of their stack, with another, with none.
    wrong_span: of the right ones, those in another span than their stack tells.
    sums: number → what became of each transaction of that number, in order.
    """

    right: int = 0
    foreign: int = 0
    nobodys: int | None = 0
    wrong_span: int = 0
    states: Counter[str] = field(default_factory=Counter)
    sums: dict[int, list[Took]] = field(default_factory=dict)
    interval_ns: int = 0

    def add(self, mark: tuple[int, str], got: int | None, span: str | None = None) -> None:
        """One sample: what its stack tells, and what the profiler told. ``span`` None: nothing."""
        number, part = mark
        if got is None:
            self.nobodys = (self.nobodys or 0) + 1
        elif got != number:
            self.foreign += 1
        else:
            self.right += 1
            self.wrong_span += bool(part) and span is not None and (span or OWN) != part
