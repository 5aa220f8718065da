"""What spans are made of: in C where there is the C core, else in Python (``purespans``).

``active`` calls ``bind`` with what they need of the rest, and ``record_into`` to begin and end.
The native engine reads ``id``, ``end_ns`` and ``parent`` of the active span from outside, without
the GIL, so they lie at fixed places there (``native/spantype.h``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flamespan.profiler import columns

if TYPE_CHECKING:
    from flamespan.profiler.engine._native import (
        Scope,
        SpanCore,
        SpanQueue,
        activate,
        bind,
        deactivate,
        finish,
        record_into,
        reopen,
        span,
        transaction,
    )
else:
    try:
        from flamespan.profiler.engine._native import (
            Scope,
            SpanCore,
            SpanQueue,
            activate,
            bind,
            deactivate,
            delta_planes,
            finish,
            id_planes,
            record_into,
            reopen,
            span,
            transaction,
        )

        columns.use_core(delta_planes, id_planes)
    except ImportError:
        from flamespan.profiler.engine.purespans import (
            Scope,
            SpanCore,
            SpanQueue,
            activate,
            bind,
            deactivate,
            finish,
            record_into,
            reopen,
            span,
            transaction,
        )

__all__ = [
    "Scope",
    "SpanCore",
    "SpanQueue",
    "activate",
    "bind",
    "deactivate",
    "finish",
    "record_into",
    "reopen",
    "span",
    "transaction",
]
