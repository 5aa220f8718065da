"""The definitions of DESIGN section 3, computed slowly and obviously on lists of names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

Stack = tuple[str, ...]
Samples = list[tuple[Stack, int]]


def functions(samples: Samples, shown: Samples | None = None) -> dict[str, list[int]]:
    """[self, total] per function; self from ``shown`` where a view changed the stacks."""
    result: dict[str, list[int]] = {}
    for stack, weight in samples:
        for name in set(stack):
            result.setdefault(name, [0, 0])[1] += weight
    for stack, weight in shown or samples:
        if stack:
            result.setdefault(stack[-1], [0, 0])[0] += weight
    return result


def fold(samples: Samples) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for stack, weight in samples:
        sums[";".join(stack)] += weight
    return {stack: weight for stack, weight in sums.items() if weight}


def collapse_direct(samples: Samples) -> Samples:
    return [
        (tuple(name for i, name in enumerate(stack) if i == 0 or stack[i - 1] != name), weight)
        for stack, weight in samples
    ]


def collapse_cycles(samples: Samples) -> Samples:
    return [(_erase_loops(stack), weight) for stack, weight in samples]


def _erase_loops(stack: Iterable[str]) -> Stack:
    path: list[str] = []
    for name in stack:
        if name in path:
            del path[path.index(name) :]
        path.append(name)
    return tuple(path)


def keep(samples: Samples, wanted: set[str], stand_in: str) -> tuple[Samples, int]:
    """The one-sided view, and the nanoseconds whose leaf was taken out."""
    kept, rehomed = [], 0
    for stack, weight in samples:
        rest = tuple(name for name in stack if name in wanted)
        kept.append((rest or (stand_in,), weight))
        rehomed += weight if stack[-1] not in wanted else 0
    return kept, rehomed


def tree(samples: Samples) -> dict[Stack, list[int]]:
    """[self, total] of every path from the root."""
    nodes: dict[Stack, list[int]] = {}
    for stack, weight in samples:
        for depth in range(1, len(stack) + 1):
            nodes.setdefault(stack[:depth], [0, 0])[1] += weight
        nodes[stack][0] += weight
    return nodes


def bottom_up(samples: Samples) -> dict[Stack, int]:
    """Total of every path from a leaf up to its callers."""
    nodes: Counter[Stack] = Counter()
    for stack, weight in samples:
        upward = stack[::-1]
        for depth in range(1, len(upward) + 1):
            nodes[upward[:depth]] += weight
    return {path: weight for path, weight in nodes.items() if weight}
