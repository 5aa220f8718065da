"""The part of a span that samplers read: in C where there is the C core, else in Python.

The native engine reads ``id``, ``end_ns`` and ``parent`` of the active span from outside, without
the GIL, so they lie at fixed places there (``native/spantype.c``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flamespan.profiler.engine._native import SpanCore
else:
    try:
        from flamespan.profiler.engine._native import SpanCore
    except ImportError:

        class SpanCore:
            """The same in Python."""

            __slots__ = ("end_ns", "id", "parent")

            parent: Any
            id: int
            end_ns: int


__all__ = ["SpanCore"]
