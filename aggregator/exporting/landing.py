"""How a file lands: written beside its place, then renamed, so a failure leaves the old one."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, Any

from flamespan.profiler.errors import UsageError


def land(
    path: str | os.PathLike[str], write: Callable[[IO[Any]], None], *, binary: bool = False
) -> None:
    """Have ``write`` write the file at ``path``, whole or not at all.

    A path that is no regular file (a pipe, /dev/stdout) is written to directly; a link stays a
    link. Raises UsageError for a path that cannot be written.
    """
    path = os.path.realpath(path)
    if os.path.isdir(path):
        raise UsageError(f"{path}: is a folder; name the file to write")
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with _open(path, binary=binary) as file:
                write(file)
        else:
            _write_beside(path, write, binary=binary)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def _write_beside(path: str, write: Callable[[IO[Any]], None], *, binary: bool) -> None:
    beside = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{os.getpid()}.tmp")
    try:
        with _open(beside, binary=binary) as file:
            write(file)
        os.replace(beside, path)
    except BaseException:
        # The half-written file is of no use; the error that stopped it is what matters.
        if os.path.exists(beside):
            os.unlink(beside)
        raise


def _open(path: str, *, binary: bool) -> IO[Any]:
    if binary:
        return open(path, "wb")
    return open(path, "w", encoding="utf-8", errors="backslashreplace", newline="\n")
