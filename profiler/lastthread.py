"""The end of a process that no main thread ends: a child of a fork in another thread.

Once that thread returns, and all it has started, Python runs nothing at exit, and the process is
over with its last thread. So no thread of ours may be that one: the recording has to end with the
last thread of the application.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from flamespan.profiler import systhreads

_forks_aside = False  # the fork under way is in another thread than the main one
_has_no_main = False
_local = systhreads.primitives()._local()


class _Guard:
    """What a thread holds until it ends."""

    def __init__(self, at_end: Callable[[], object]) -> None:
        self._at_end = at_end

    def __del__(self) -> None:
        if is_over():
            self._at_end()


def before_fork() -> None:
    """Note what thread forks: in the child it counts as the main one."""
    global _forks_aside  # noqa: PLW0603 - from here to the end of the fork
    thread = threading._active.get(systhreads.get_ident())  # type: ignore[attr-defined]
    # A thread of C's that calls Python ends, for Python, with each call.
    is_known = thread is not None and not isinstance(thread, threading._DummyThread)
    _forks_aside = is_known and thread is not threading.main_thread()


def in_child(at_end: Callable[[], object]) -> None:
    """Have ``at_end`` called when this thread ends, if it leaves no other of the application."""
    global _has_no_main  # noqa: PLW0603 - and its children have none, either
    _has_no_main = _has_no_main or _forks_aside
    if _has_no_main and not hasattr(_local, "guard"):
        _local.guard = _Guard(at_end)


def is_over() -> bool:
    """Whether no thread is left that will end this process: there are this one and ours."""
    if not _has_no_main:
        return False
    others = sys._current_frames().keys() - {systhreads.get_ident()}
    known = threading._active  # type: ignore[attr-defined]
    return all(isinstance(known.get(ident), systhreads.SystemThread) for ident in others)
