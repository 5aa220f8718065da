"""Functions of two profiles side by side: which of the one is which of the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from flamespan.aggregator.data import Tables
from flamespan.aggregator.stacktree import Ids


@dataclass(frozen=True, eq=False)
class Matched:
    """All functions of two profiles: ``of_base[f]`` and ``of_new[f]`` are places in ``tables``.

    ``tables`` describes each function as the new profile does, where that has it.
    """

    tables: Tables
    of_base: Ids
    of_new: Ids


def match(base: Tables, new: Tables) -> Matched:
    """Match functions by module (else file) and qualified name, not by where they stand.

    A function whose first line moved because code above it changed is the same function. Where
    one name stands several times (lambdas), equal first lines go together, then the rest in
    order. Stand-ins match each other.
    """
    place = {f: i for i, f in enumerate(range(len(new.function_name)))}
    found = np.full(len(base.function_name), -1, np.int32)
    there = _by_name(new)
    for name, ours in _by_name(base).items():
        for one, other in _pairs(base, ours, new, there.get(name, [])):
            found[one] = place[other]
    alone = np.flatnonzero(found < 0)
    found[alone] = len(place) + np.arange(len(alone))
    return Matched(_joined(base, new, alone), found, np.arange(len(place), dtype=np.int32))


def _by_name(t: Tables) -> dict[tuple[str, str], list[int]]:
    found: dict[tuple[str, str], list[int]] = {}
    for f, name in enumerate(t.function_name):
        found.setdefault((t.function_module[f] or t.function_file[f], name), []).append(f)
    return found


def _pairs(base: Tables, ours: list[int], new: Tables, theirs: list[int]) -> list[tuple[int, int]]:
    """Functions of one name: equal lines first, then the rest in order of their lines."""
    by_line = {int(new.function_line[f]): f for f in reversed(theirs)}
    pairs = []
    for f in ours:
        other = by_line.pop(int(base.function_line[f]), None)
        if other is not None:
            pairs.append((f, other))
    taken = {f for pair in pairs for f in pair[:1]}, {f for pair in pairs for f in pair[1:]}
    left = sorted(set(ours) - taken[0], key=lambda f: (base.function_line[f], f))
    right = sorted(set(theirs) - taken[1], key=lambda f: (new.function_line[f], f))
    return pairs + list(zip(left, right, strict=False))


def _joined(base: Tables, new: Tables, alone: Ids) -> Tables:
    """The new profile's functions, then those that only the base has; a frame each."""
    count = len(new.function_name) + len(alone)
    return replace(
        new,
        function_name=[*new.function_name, *(base.function_name[f] for f in alone)],
        function_file=[*new.function_file, *(base.function_file[f] for f in alone)],
        function_module=[*new.function_module, *(base.function_module[f] for f in alone)],
        function_line=np.r_[new.function_line, base.function_line[alone]],
        function_origin=np.r_[new.function_origin, base.function_origin[alone]],
        frame_function=np.arange(count, dtype=np.int32),
        frame_line=np.zeros(count, np.int32),
    )
