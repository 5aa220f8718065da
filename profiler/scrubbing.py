"""The application's say over texts: names, descriptions and tags pass through it to the file."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from flamespan.profiler.spancolumns import SpanColumns

Scrub = Callable[[str, str, str], "str | None"]
"""``(kind, key, text)`` → what is written instead; None: nothing is.

``kind`` is "name" (of a transaction), "description" (of a span) or "tag"; ``key`` is the op of the
transaction or span, or the tag's key.
"""

FAILED = "<not scrubbed>"
"""Written where the function failed: what it did not see is not written."""

DROPPED_NAME = "<dropped>"
"""The name of a transaction whose name was dropped: it must have one."""

MAX_KNOWN = 10_000


class Scrubber:
    """Asks the application's function, once for each different text; ``errors`` counts failures.

    It is asked by who writes the file, not by the code that sets a name or tag. ``function`` may be
    "module:function", imported when the first text comes.
    """

    def __init__(self, function: Scrub | str) -> None:
        self.errors = 0
        self._function = function
        self._known: dict[tuple[str, str, str], str | None] = {}

    def clean(self, events: SpanColumns) -> SpanColumns:
        """The events as they are written."""
        ids, parents, threads, names, ops, descriptions, starts = events.started
        names = self._texts("name", ops, names, DROPPED_NAME)
        descriptions = self._texts("description", ops, descriptions, "")
        started = (ids, parents, threads, names, ops, descriptions, starts)
        said = (self._text("tag", key, text) for _, key, text in zip(*events.tags, strict=True))
        kept = [
            (number, key, text)
            for number, key, text in zip(*events.tags[:2], said, strict=True)
            if text is not None
        ]
        tags = tuple(map(list, zip(*kept, strict=True))) or ([], [], [])
        return SpanColumns(started, events.ended, tags, events.measurements)

    def _texts(self, kind: str, keys: list[str], texts: list[str], dropped: str) -> list[str]:
        return [
            text and (self._text(kind, key, text) or dropped)
            for key, text in zip(keys, texts, strict=True)
        ]

    def _text(self, kind: str, key: str, text: str) -> str | None:
        asked = (kind, key, text)
        if asked in self._known:
            return self._known[asked]
        try:
            said = self._checked(self._resolved()(kind, key, text))
        except Exception:  # nothing of ours may fail the recording, nor let the text through
            if not self.errors:
                logging.getLogger("flamespan").warning(
                    "scrub failed; the texts it fails for are not written", exc_info=True
                )
            self.errors += 1
            return FAILED
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[asked] = said
        return said

    def _resolved(self) -> Scrub:
        if isinstance(self._function, str):
            module, _, name = self._function.partition(":")
            self._function = found = attrgetter(name)(importlib.import_module(module))
            return found  # type: ignore[no-any-return] # what it is shows when it is called
        return self._function

    def _checked(self, said: Any) -> str | None:
        if said is None or isinstance(said, str):
            return said
        raise TypeError(f"scrub gave {said!r}: give text, or None to drop it")


def is_scrub(given: object) -> bool:
    """Whether this can be the option: a function, or "module:function"."""
    if not isinstance(given, str):
        return callable(given)
    module, _, name = given.partition(":")
    return all(part.isidentifier() for part in (*module.split("."), *name.split(".")))
