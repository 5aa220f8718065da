"""What a sampler remembers of each thread: its row in the file, its CPU clock, its last sample."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from flamespan.profiler import systhreads
from flamespan.profiler.model import NO_SPAN, Thread

HAS_THREAD_CLOCKS = sys.platform == "linux" and hasattr(time, "clock_gettime_ns")
"""Whether the CPU clock of another thread can be read."""

_clock_ns = getattr(time, "clock_gettime_ns", None)

_of_forked: dict[int, int] = {}


def after_fork() -> None:
    """In a child process: note who the thread that forked is now; ``threading`` does not."""
    _of_forked.clear()
    _of_forked[threading.get_ident()] = threading.get_native_id()


def native_id(thread: threading.Thread) -> int:
    """The system's number of a thread that has begun, 0 if it is not known yet."""
    return _of_forked.get(thread.ident or 0) or thread.native_id or 0


class SeenThread:
    """One thread, from the first sample of it to the last."""

    __slots__ = (
        "clock",
        "cpu_ns",
        "flags",
        "ident",
        "index",
        "leaf",
        "name",
        "native_id",
        "span",
        "stack",
    )

    def __init__(self, index: int, ident: int) -> None:
        self.index = index
        self.ident = ident
        self.native_id = 0
        self.name = ""
        self.clock = 0
        self.cpu_ns = 0
        self.stack = -1
        self.leaf = 0
        self.flags = 0
        self.span: Any = NO_SPAN

    def identify(self) -> bool:
        """Look up name and system id; whether something is new since the last time.

        Idents and system ids come from threading's own table, never from a system call on an
        ident that may be dead (that is undefined behaviour).
        """
        thread = threading._active.get(self.ident)  # type: ignore[attr-defined]
        if thread is None:
            name, number = self.name or f"thread {self.ident}", self.native_id
        else:
            name, number = thread.name, native_id(thread)
        changed = (name, number) != (self.name, self.native_id)
        self.name = name
        if number != self.native_id:
            self.native_id = number
            # The kernel's number of a thread's CPU clock: it refuses those of dead or foreign
            # threads, so a wrong one is an error here, never another process's clock.
            self.clock = (~number << 3) | 6 if HAS_THREAD_CLOCKS else 0
        return changed

    def is_replaced(self) -> bool:
        """Whether the ident now belongs to another thread, this one being dead."""
        thread = threading._active.get(self.ident)  # type: ignore[attr-defined]
        return bool(thread and self.native_id) and native_id(thread) != self.native_id

    def is_same(self) -> bool:
        """Whether the ident still means this thread: idents are used again, system ids rarely."""
        thread = threading._active.get(self.ident)  # type: ignore[attr-defined]
        return thread is None or not self.native_id or native_id(thread) == self.native_id

    def read_cpu_ns(self) -> int:
        """CPU time since the thread began; -1: unknown."""
        if not self.clock or _clock_ns is None:
            return -1
        try:
            return int(_clock_ns(self.clock))
        except OSError:
            return -1

    def row(self) -> Thread:
        """The thread as the file tells it."""
        is_main = systhreads.is_main(self.ident, self.native_id)
        return Thread(self.index, self.ident, self.native_id, self.name, is_main)
