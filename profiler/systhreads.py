"""Threads of the system and their locks, also where gevent or eventlet put greenlets for them.

Both replace what ``_thread`` and ``threading`` offer by greenlets of one thread. A sampler among
those would run only when the program it watches lets it.
"""

from __future__ import annotations

import _thread
import importlib.machinery
import importlib.util
import threading
from collections.abc import Callable
from types import BuiltinFunctionType, ModuleType
from typing import Any

_own: ModuleType | None = None


def are_replaced() -> bool:
    """Whether ``threading`` would start something else than a thread of the system."""
    return not isinstance(_thread.start_new_thread, BuiltinFunctionType)


def primitives() -> Any:
    """The module ``_thread`` as it came, or a fresh one where that was changed."""
    global _own  # noqa: PLW0603 - made once, if ever
    if not are_replaced():
        return _thread
    if _own is None:
        spec = importlib.machinery.BuiltinImporter.find_spec("_thread")
        if spec is None or spec.loader is None:  # no module of C: nothing to make anew
            return _thread
        _own = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(_own)
    return _own


def allocate_lock() -> _thread.LockType:
    """A lock that stops the thread, not just a greenlet."""
    lock: _thread.LockType = primitives().allocate_lock()
    return lock


def sleep(seconds: float) -> None:
    """Let other threads run, but no other greenlet."""
    lock = allocate_lock()
    lock.acquire()
    lock.acquire(timeout=seconds)


get_ident: Callable[[], int] = primitives().get_ident
"""The ident of the thread that runs, never of a greenlet."""


def is_main(ident: int, native_id: int) -> bool:
    """Whether the thread is the main one; both ids are the system's own."""
    main = threading.main_thread()
    # gevent gives the main thread the ident of its greenlet.
    return main.ident == ident or (bool(native_id) and main.native_id == native_id)


class SystemThread(threading.Thread):
    """A daemon thread that is one of the system in any case."""

    def __init__(self, target: Callable[..., None], args: tuple[Any, ...], name: str) -> None:
        super().__init__(target=target, args=args, name=name, daemon=True)
        self._call = (target, args)
        self._raw_ident = 0
        self._ended: _thread.LockType | None = None

    @property
    def ident(self) -> int | None:
        """None before the start."""
        return self._raw_ident or super().ident

    def start(self) -> None:
        """Begin to run. Raises RuntimeError where the system gives no thread."""
        if not are_replaced():
            super().start()
            return
        self._ended = allocate_lock()
        self._ended.acquire()
        self._raw_ident = primitives().start_new_thread(self._run_raw, ())

    def run(self) -> None:
        """Call the target."""
        try:
            super().run()
        finally:
            if are_replaced():  # since the start: ``threading`` will look us up by another ident
                known: dict[int, threading.Thread] = threading._active  # type: ignore[attr-defined]
                known.pop(get_ident(), None)
                known[threading.get_ident()] = self

    def _run_raw(self) -> None:
        assert self._ended is not None
        target, args = self._call
        try:
            target(*args)
        finally:
            self._ended.release()

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, at most ``timeout`` seconds; returns at once inside of it."""
        if self.ident == get_ident():
            return
        if self._ended is None:
            super().join(timeout)
        elif self._ended.acquire(timeout=-1 if timeout is None else timeout):
            self._ended.release()
