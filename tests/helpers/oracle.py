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


def focus(samples: Samples, function: str) -> Samples:
    """Samples with the function, from its outermost call on."""
    return [(stack[stack.index(function) :], w) for stack, w in samples if function in stack]


def hide(samples: Samples, hidden: set[str], stand_in: str) -> Samples:
    return [
        (tuple(name for name in stack if name not in hidden) or (stand_in,), weight)
        for stack, weight in samples
    ]


def callers(samples: Samples, function: str) -> dict[str, list[int]]:
    """[self of the function, total] per caller of its outermost call."""
    found: dict[str, list[int]] = {}
    for stack, weight in samples:
        if function in stack:
            at = stack.index(function)
            row = found.setdefault(stack[at - 1] if at else "<no caller>", [0, 0])
            row[0] += weight if stack[-1] == function else 0
            row[1] += weight
    return found


def callees(samples: Samples, function: str) -> dict[str, list[int]]:
    """[self of the callee, total] per callee of the function's outermost call."""
    found: dict[str, list[int]] = {}
    for stack, weight in focus(samples, function):
        callee = stack[1] if len(stack) > 1 else "<itself>"
        row = found.setdefault(callee, [0, 0])
        row[0] += weight if stack[-1] == callee or callee == "<itself>" else 0
        row[1] += weight
    return found


def wall_any(seen: list[tuple[int, int, Stack]]) -> dict[str, int]:
    """Nanoseconds in which any of ``(begin, end, stack)`` had each function, one by one."""
    moments: dict[str, set[int]] = {}
    for begin, end, stack in seen:
        for name in set(stack):
            moments.setdefault(name, set()).update(range(begin, end))
    return {name: len(found) for name, found in moments.items()}


def per_unit(seen: list[tuple[int, Stack, int]]) -> dict[str, dict[int, int]]:
    """Total time per function in each unit, of ``(unit, stack, weight)``."""
    found: dict[str, dict[int, int]] = {}
    for unit, stack, weight in seen:
        for name in set(stack):
            units = found.setdefault(name, {})
            units[unit] = units.get(unit, 0) + weight
    return found


def percentile(values: list[int], q: float) -> int:
    """The smallest value that at least the share ``q`` of the values does not exceed."""
    ordered = sorted(values)
    return next(v for i, v in enumerate(ordered, 1) if i >= q * len(ordered) - 1e-9)


def share_error(units: list[tuple[int, int]]) -> float:
    """Standard error of sum(y)/sum(m) over units (y, m): linearised variance of a ratio."""
    whole = sum(m for _, m in units)
    ratio = sum(y for y, _ in units) / whole
    count = sum(m > 0 for _, m in units)
    spread = sum((y - ratio * m) ** 2 for y, m in units)
    return float((count / (count - 1) * spread) ** 0.5 / whole)


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


Unit = tuple[str, int, int]
"""A transaction's name, its time in one function, its time in all."""


def standardised(base: list[Unit], new: list[Unit], few: int) -> dict[str, tuple[float, ...]]:
    """Base, new and error of a function's mean time, and of its share, in one mix of names."""
    names = sorted({name for name, *_ in base} & {name for name, *_ in new})
    sides = [
        {name: [(y, m) for n, y, m in side if n == name] for name in names} for side in (base, new)
    ]
    counts = [{name: len(side[name]) for name in names} for side in sides]
    raw = {n: counts[0][n] * counts[1][n] / (counts[0][n] + counts[1][n]) for n in names}
    mix = {name: weight / sum(raw.values()) for name, weight in raw.items()}

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    def squares(values: list[float]) -> float:
        return sum((value - mean(values)) ** 2 for value in values)

    def error(residuals: list[dict[str, list[float]]], scales: list[float]) -> float:
        variance = 0.0
        for name in names:
            both = residuals[0][name] + residuals[1][name]
            for side, scale in zip(residuals, scales, strict=True):
                values = side[name]
                pooled = min(len(other[name]) for other in residuals) < few
                spread = (
                    squares(both) / max(len(both) - 1, 1)
                    if pooled
                    else squares(values) / (len(values) - 1)
                )
                variance += (mix[name] * scale) ** 2 * spread / len(values)
        return variance**0.5

    times = [{name: [float(y) for y, _ in side[name]] for name in names} for side in sides]
    levels = [sum(mix[name] * mean(side[name]) for name in names) for side in times]
    wholes = [sum(mix[name] * mean([m for _, m in side[name]]) for name in names) for side in sides]
    shares = [level / whole for level, whole in zip(levels, wholes, strict=True)]
    rest = [
        {name: [y - share * m for y, m in side[name]] for name in names}
        for side, share in zip(sides, shares, strict=True)
    ]
    return {
        "time": (*levels, error(times, [1, 1])),
        "share": (*shares, error(rest, [1 / whole for whole in wholes])),
    }
