"""Single keys from a terminal, as they are pressed."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections.abc import Callable, Iterator

from flamespan.profiler.errors import UsageError

Pressed = Callable[[float], str]
"""Waits up to so many seconds for a key; "" where none came."""


@contextlib.contextmanager
def keys() -> Iterator[Pressed]:
    """Keys one at a time and unseen, while the block lasts; afterwards the terminal is as it was.

    Raises UsageError on Windows, which has no such terminals.
    """
    try:
        import termios  # noqa: PLC0415 - not on Windows
        import tty  # noqa: PLC0415
    except ImportError:
        raise UsageError("flamespan top follows on Unix terminals only: use --batch N") from None
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    waiting: list[str] = []

    def pressed(seconds: float) -> str:
        if not waiting and select.select([descriptor], [], [], seconds)[0]:
            got = os.read(descriptor, 1024).decode("utf-8", "ignore")
            # Arrows and the like come as sequences that mean nothing here; Esc comes alone.
            waiting.extend([] if got.startswith("\x1b") and len(got) > 1 else got)
        return waiting.pop(0) if waiting else ""

    try:
        tty.setcbreak(descriptor)
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
