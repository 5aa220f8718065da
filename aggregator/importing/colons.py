"""Frames written as ``file:function:line``, as austin and CPython's own sampler do."""

from __future__ import annotations

from flamespan.aggregator.importing.building import Builder

_NO_FILES = ("~", "")


def frame_of(builder: Builder, text: str) -> int:
    """The frame of ``text``; the line is the running one. Markers (``:GC:``) have no file."""
    file, name, line = _parts(text)
    function = builder.function(name or "?", "" if file in _NO_FILES else file)
    return builder.frame(function, line)


def _parts(text: str) -> tuple[str, str, int]:
    before, colon, last = text.rpartition(":")
    if not colon:
        return "", text, 0
    file, _, name = before.rpartition(":")
    line = int(last) if last.isascii() and last.isdigit() and len(last) < 10 else 0
    if not line and file in _NO_FILES:
        return "", f"<{name.strip('<>').lower()}>", 0
    return file, name, line
