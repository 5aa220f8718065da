"""Which sample files are being written: a lock says so for as long as the writer has them open."""

from __future__ import annotations

import contextlib
import os
import sys
import time

if sys.platform != "win32":
    import fcntl

STILL_S = 10.0
"""A file that nobody wrote to for so long is taken as closed where the system has no locks."""


def lock(descriptor: int) -> None:
    """Say that a file is being written, for as long as it is open."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


def is_closed(path: str, modified: float) -> bool:
    """Whether nobody writes the file; ``modified`` is when it was last written to (unix time)."""
    if sys.platform == "win32":
        return time.time() - modified > STILL_S
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)
