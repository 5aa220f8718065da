"""JSON profiles: which of the formats a file has is told by its keys, then that format reads it."""

from __future__ import annotations

import importlib
import os
from typing import Any

from flamespan.aggregator.importing import Imported
from flamespan.aggregator.importing.source import encoding_of, read_json
from flamespan.profiler.errors import SampleFileError

READERS = {
    "speedscope": "flamespan.aggregator.importing.speedscope",
    "sentry": "flamespan.aggregator.importing.sentry",
}
"""Format name -> module with ``knows(values)`` and ``read_values(path, values, size, unit_ns)``."""


def detects(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a JSON object."""
    text = head[:256].decode(encoding_of(head), "replace").lstrip()
    return text[:1] == "{" and text[1:].lstrip()[:1] in ('"', "}", "")


def read(path: str | os.PathLike[str], unit_ns: int | None = None) -> Imported:
    """Read whichever JSON profile is at ``path``; see the formats' modules.

    Raises SampleFileError with what is there instead if it is none.
    """
    values = read_json(path)
    for module in READERS.values():
        reader = importlib.import_module(module)
        if reader.knows(values):
            imported: Imported = reader.read_values(path, values, unit_ns)
            return imported
    raise SampleFileError(path, None, f"JSON of no profile format that is known ({_said(values)})")


def _said(values: list[Any]) -> str:
    if not values or not isinstance(values[0], dict):
        return "no object"
    if "traceEvents" in values[0]:
        return "Chrome's trace events: these can be written but not read"
    if "preprocessedProfileVersion" in str(values[0].get("meta", ""))[:2000]:
        return "a Firefox profile: these can be written but not read"
    keys = ", ".join(sorted(map(str, values[0]))[:8])
    return f"keys: {keys}"[:200] if keys else "an empty object"
