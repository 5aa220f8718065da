"""Functions whose names say whose work it is: every stack tells what its sample must carry.

Inside transaction 17 all code runs below ``inside_of_17``; what it computes in the transaction
itself is ``part_t_of_17``, in its span "b" ``part_b_of_17``, in "c" inside of "b" ``part_c_of_17``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

OWN = "t"
"""The part that is in no span but the transaction itself."""

PARTS = (OWN, "b", "c")
_MARK = re.compile(r"(?:inside|part_([a-z]))_of_(\d+)")

_SOURCE = """
def part_{part}_of_{number}(seconds):
    until = now() + seconds
    while now() < until:
        pass
"""
_INSIDE = """
def inside_of_{number}(body):
    return body()
"""
_INSIDE_ASYNC = """
async def inside_of_{number}(body):
    return await body()
"""


@dataclass(frozen=True)
class Marks:
    """The functions of one transaction; each part computes for so many seconds."""

    number: int
    inside: Callable[[Callable[[], Any]], Any]
    inside_async: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]
    part: dict[str, Callable[[float], None]] = field(default_factory=dict)


def make(number: int) -> Marks:
    """Fresh functions of their own names."""
    part = {
        name: _compile(_SOURCE.format(part=name, number=number), f"part_{name}_of_{number}")
        for name in PARTS
    }
    inside = f"inside_of_{number}"
    return Marks(
        number,
        _compile(_INSIDE.format(number=number), inside),
        _compile(_INSIDE_ASYNC.format(number=number), inside),
        part,
    )


def _compile(source: str, name: str) -> Any:
    scope: dict[str, Any] = {"now": time.perf_counter}
    exec(source, scope)
    return scope[name]


def read(leaf_first: Iterable[str]) -> tuple[int, str] | None:
    """Transaction and part ("" where the stack tells none) of a stack; None: of no transaction."""
    for name in leaf_first:
        found = _MARK.search(name) if "_of_" in name else None
        if found:
            return int(found[2]), found[1] or ""
    return None
