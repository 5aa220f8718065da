"""flamespan's profiler: records the process it runs in, sample by sample, span by span.

    from flamespan import profiler

    profiler.start("profiles/")
    with profiler.transaction("GET /cart", op="http.server"):
        with profiler.span("db.query", "select * from cart"):
            ...
    profiler.stop()

Importing this loads nothing but names; sampler and recorder come with ``start()``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flamespan.profiler.active import Span
    from flamespan.profiler.errors import FlamespanError, SampleFileError, UsageError
    from flamespan.profiler.session import Profiler, flush, is_recording, start, stop
    from flamespan.profiler.spans import (
        current_span,
        set_measurement,
        set_tag,
        set_transaction_name,
        span,
        transaction,
    )

__all__ = [
    "FlamespanError",
    "Profiler",
    "SampleFileError",
    "Span",
    "UsageError",
    "current_span",
    "flush",
    "is_recording",
    "set_measurement",
    "set_tag",
    "set_transaction_name",
    "span",
    "start",
    "stop",
    "transaction",
]

_HOMES = {
    **dict.fromkeys(("FlamespanError", "SampleFileError", "UsageError"), "errors"),
    **dict.fromkeys(("Profiler", "flush", "is_recording", "start", "stop"), "session"),
    "Span": "active",
    **dict.fromkeys(
        (
            "current_span",
            "set_measurement",
            "set_tag",
            "set_transaction_name",
            "span",
            "transaction",
        ),
        "spans",
    ),
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
