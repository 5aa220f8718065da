"""Rows of a comparison: the function, line, module or file that a frame of either side is of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flamespan.aggregator.data import Origin, Tables
from flamespan.aggregator.match import Matched, match
from flamespan.aggregator.stacktree import Ids
from flamespan.aggregator.tables import code
from flamespan.profiler.errors import UsageError

BY = ("function", "module", "file", "line")


@dataclass(frozen=True, eq=False)
class Aligned:
    """Frames of two profiles by common rows.

    ``of_base[frame]`` and ``of_new[frame]`` are rows; ``columns`` say what each row is, as the
    new profile has it where it has it. ``functions`` and ``rows`` are pairs: the matched functions
    that each row is of. ``names`` are the columns that tell rows apart.
    """

    matched: Matched
    names: tuple[str, ...]
    columns: Mapping[str, Sequence[Any]]
    size: int
    of_base: Ids
    of_new: Ids
    functions: Ids
    rows: Ids


def align(base: Tables, new: Tables, by: str) -> Aligned:
    """The rows of a comparison by function, module, file or line. UsageError for another word."""
    if by not in BY:
        raise UsageError(f"no comparison by {by!r}; there are {', '.join(BY)}")
    matched = match(base, new)
    if by == "line":
        return _by_line(base, new, matched)
    return _by_function(base, new, matched, by)


def _by_function(base: Tables, new: Tables, matched: Matched, by: str) -> Aligned:
    t = matched.tables
    every = np.arange(len(t.function_name))
    if by == "function":
        row, columns, size = every, code(t, every, t.function_line), len(every)
    else:
        keys = _moved(_named(t, by), t, len(new.function_name))
        distinct = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        row, size = np.array([distinct[key] for key in keys], np.int32), len(distinct)
        labels = [Origin(origin).label for _, origin in distinct]
        columns = {by: [name for name, _ in distinct], "origin": labels}
    return Aligned(
        matched,
        ("function", "file", "line") if by == "function" else (by,),
        columns,
        size,
        row[matched.of_base[base.frame_function]],
        row[matched.of_new[new.frame_function]],
        every,
        row,
    )


def _named(t: Tables, by: str) -> list[str]:
    """The module or file of each function, called as in ``tables.modules`` and ``files``."""
    columns = zip(t.function_module, t.function_file, t.function_name, strict=True)
    if by == "module":
        return [module or file or name for module, file, name in columns]
    return [file or name for _, file, name in columns]


def _moved(names: list[str], t: Tables, known: int) -> list[tuple[str, int]]:
    """Name and origin of each function, those that only the base has (from ``known`` on) placed.

    A function that vanished from a module belongs to what that module is now: another folder,
    installed where it was not before. Else the file it stood in would seem to have vanished, too.
    """
    keys = list(zip(names, t.function_origin.tolist(), strict=True))
    there = set(keys[:known])
    by_module = _first(zip(t.function_module[:known], keys, strict=False))
    by_name = _first((key[0], key) for key in keys[:known])
    for f in range(known, len(keys)):
        if keys[f] not in there:
            found = by_name.get(names[f]) or by_module.get(t.function_module[f] or names[f])
            keys[f] = found or keys[f]
    return keys


def _first(pairs: Iterable[tuple[str, tuple[str, int]]]) -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for name, value in pairs:
        if name:
            found.setdefault(name, value)
    return found


def _by_line(base: Tables, new: Tables, matched: Matched) -> Aligned:
    """Lines match by function and by how far they are from its first line.

    So code that moved as a whole is the same code. Where a side does not know where a function
    begins, its lines match by number.
    """
    t = matched.tables
    begins = np.zeros((2, len(t.function_name)), np.int64)
    begins[0, matched.of_base] = base.function_line
    begins[1, matched.of_new] = new.function_line
    ours, theirs = np.unique(matched.of_base), np.unique(matched.of_new)
    both = np.intersect1d(ours, theirs, assume_unique=True)
    begins[:, both[(begins[:, both] == 0).any(axis=0)]] = 0
    sides = [
        (of[side.frame_function], side.frame_line.astype(np.int64))
        for side, of in ((new, matched.of_new), (base, matched.of_base))
    ]
    function = np.concatenate([f for f, _ in sides]).astype(np.int64)
    line = np.concatenate([numbers for _, numbers in sides])
    begin = np.r_[begins[1, sides[0][0]], begins[0, sides[1][0]]]
    # A line that is not known (0) is no distance from anything.
    away = np.where(line > 0, line - begin, np.iinfo(np.int32).min)
    _, first, row = np.unique(
        np.stack([function, away], axis=1), axis=0, return_index=True, return_inverse=True
    )
    row = row.reshape(-1).astype(np.int32)
    columns = code(t, function[first], line[first])
    split, rows = len(new.frame_line), np.arange(len(first))
    names = ("function", "file", "line")
    return Aligned(
        matched, names, columns, len(first), row[split:], row[:split], function[first], rows
    )
