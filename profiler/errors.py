"""The errors a caller of flamespan can meet; every message says what to do next."""

from __future__ import annotations

import os


class FlamespanError(Exception):
    """Base of everything flamespan raises on purpose."""

    exit_code = 2


class UsageError(FlamespanError):
    """The caller asked for something that cannot be: a wrong option, name or state."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class SampleFileError(FlamespanError):
    """A file cannot be read as a recording.

    Attributes: ``path`` of the file, ``offset`` in bytes (lines for text formats; None where
    the whole file is meant) and the ``reason`` in words.
    """

    def __init__(self, path: str | os.PathLike[str], offset: int | None, reason: str) -> None:
        self.path = os.fspath(path)
        self.offset = offset
        self.reason = reason
        place = "" if offset is None else f" at {offset}"
        super().__init__(f"{self.path}{place}: {reason}")
