"""Collapsed ("folded") stacks: ``frame;frame;frame nanoseconds`` a line, root first.

A frame is ``name (file:first line)``, or the name alone where there is no file. Lines are sorted
by stack and their weights add up to the profile's total. Threads, times and spans are not held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

import numpy as np

from flamespan.aggregator.stacktree import rebuild
from flamespan.aggregator.timeline import NO_STACK

if TYPE_CHECKING:
    from flamespan.aggregator.data import Tables
    from flamespan.aggregator.profile import Profile


def write(profile: Profile, file: TextIO) -> None:
    """Write the shown stacks of ``profile`` to ``file``."""
    for stack, weight_ns in sorted(_stacks(profile).items()):
        file.write(f"{stack} {weight_ns}\n")


def _stacks(profile: Profile) -> dict[str, int]:
    tables = profile.tables
    shown = profile.shown.tree
    tree, place = rebuild(shown.parent, tables.frame_function[shown.key])
    weights = np.zeros(len(tree), np.int64)
    np.add.at(weights, place, profile.shown_weights()[0])
    labels: dict[int, str] = {}
    stacks: dict[str, int] = {}
    for node in np.flatnonzero(weights):
        path = tree.path(int(node))
        for function in path:
            if function not in labels:
                labels[function] = label(tables, function)
        stack = ";".join(labels[function] for function in path) or NO_STACK
        # Two functions may differ in what the format cannot hold: their stacks are one line.
        stacks[stack] = stacks.get(stack, 0) + int(weights[node])
    return stacks


def label(tables: Tables, function: int) -> str:
    """The frame's text: nothing in it parts frames or lines, and a reader finds name and file."""
    text = tables.label(function)
    if not tables.function_file[function] and text.endswith(")"):
        text += " (:0)"  # else the end of the name would be read as a file
    # Every kind of line end a reader may know, not only \n.
    return " ".join(text.replace(";", ":").splitlines()) or "?"
