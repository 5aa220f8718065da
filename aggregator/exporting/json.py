"""JSON: the whole answer in one object, for programs that read it without flamespan.

    {"flamespan": version, "name": …, "info": {…}         see ``Profile.info``
     "functions": [{function, module, file, line, origin, self_ns, total_ns, …}]
     "transactions": [{transaction, op, count, …}]
     "tree": {"direction": "top-down", parent, depth, function, self_ns, total_ns, samples}}

The tree's columns are lists of equal length in depth-first order: ``parent`` is a position in
them (the root, position 0, is its own), ``function`` one in "functions" (-1 for the root).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from flamespan.aggregator import exporting

if TYPE_CHECKING:
    import pandas as pd

    from flamespan.aggregator.calltree import CallTree
    from flamespan.aggregator.profile import Profile


def write(profile: Profile, file: TextIO) -> None:
    """Write info, functions, transactions and the top-down call tree to ``file``."""
    functions = profile.functions()
    answer = {
        "flamespan": exporting.version(),
        "name": exporting.title(profile),
        "info": profile.info(),
        "functions": records(functions),
        "transactions": records(profile.transactions()),
        "tree": _tree(profile.tree(), functions),
    }
    # In one piece: dumps() runs in C, dump() does not.
    file.write(json.dumps(answer, default=plain, ensure_ascii=False, separators=(",", ":")))
    file.write("\n")


def _tree(tree: CallTree, functions: pd.DataFrame) -> dict[str, Any]:
    identity = zip(functions["function"], functions["file"], functions["line"], strict=True)
    position = {key: place for place, key in enumerate(identity)}
    t = tree.tables
    keys = zip(t.function_name, t.function_file, t.function_line.tolist(), strict=True)
    place = np.array([position.get(key, -1) for key in keys], np.int64)
    return {
        "direction": tree.direction,
        "parent": tree.parent,
        "depth": tree.depth,
        "function": [-1, *place[tree.function[1:]].tolist()],
        "self_ns": tree.self_ns,
        "total_ns": tree.total_ns,
        "samples": tree.samples,
    }


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's rows as dictionaries of plain Python values; what is unknown (NaN) is None."""
    return [
        {str(key): None if value != value else value for key, value in row.items()}  # noqa: PLR0124
        for row in table.to_dict("records")
    ]


def plain(value: object) -> object:
    """What ``json`` does not know: numpy's numbers and arrays."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    return str(value)
