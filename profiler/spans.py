"""Transactions and spans: what the application says it is doing, and who is doing it now.

The active span lives in one ContextVar, so it follows tasks, copied contexts and threads by
Python's own rules. Beside it a table by thread serves samplers that cannot read contexts.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, TypeVar, cast

from flamespan.profiler import wrapping
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import NO_SPAN
from flamespan.profiler.spanlog import SpanLog

F = TypeVar("F", bound=Callable[..., Any])

ACTIVE: ContextVar[Span | None] = ContextVar("flamespan_span", default=None)
"""The span of the code that is running."""

BY_THREAD: dict[int, Span] = {}
"""Python's thread ident → the span that was last entered or left there."""

LOOPS: dict[int, Any] = {}
"""Python's thread ident → the asyncio loop that spans were entered in."""

_next_id = itertools.count(1).__next__
_log: SpanLog | None = None
_get_ident = threading.get_ident
_now_ns = time.monotonic_ns


def after_fork() -> None:
    """In a child process: only the thread that forked is left."""
    span = BY_THREAD.get(_get_ident())
    BY_THREAD.clear()
    LOOPS.clear()
    if span is not None:
        BY_THREAD[_get_ident()] = span


def record_into(log: SpanLog | None) -> None:
    """Send spans opened from now on to ``log``; None: nothing is recorded (and costs little)."""
    global _log  # noqa: PLW0603 - one recording per process, read on every span
    _log = log
    if log is None:
        BY_THREAD.clear()
        LOOPS.clear()


def forget() -> None:
    """After a fork, in the child: its parent's spans and threads are not its own."""
    record_into(None)
    ACTIVE.set(None)


class Span:
    """A transaction or span that is open, or was. Made by ``transaction()`` and ``span()``.

    ``id`` is 0 when nothing records; all methods may then still be called, to no effect.
    """

    __slots__ = (
        "_log",
        "description",
        "end_ns",
        "id",
        "name",
        "op",
        "parent",
        "start_ns",
        "status",
        "thread_ident",
    )

    def __init__(
        self, log: SpanLog | None, parent: Span | None, name: str, op: str, description: str
    ) -> None:
        self._log = log
        self.parent = parent
        self.name = name
        self.op = op
        self.description = description
        self.status = ""
        self.end_ns = 0
        if log is None:
            self.id = NO_SPAN
            self.thread_ident = self.start_ns = 0
        else:
            self.id = _next_id()
            self.thread_ident = _get_ident()
            self.start_ns = _now_ns()

    @property
    def transaction(self) -> Span:
        """The transaction that this span is part of, or is."""
        span = self
        while span.parent is not None:
            span = span.parent
        return span

    def set_tag(self, key: str, value: object) -> None:
        """Label the span; both are kept as text. A later value replaces an earlier one."""
        if self._log is not None:
            self._log.tag(self.id, key, value)

    def set_measurement(self, name: str, value: float, unit: str = "") -> None:
        """Attach a number with its unit ("byte", "millisecond"; "" for a plain count)."""
        if self._log is not None:
            self._log.measurement(self.id, name, value, unit)

    def set_status(self, status: str) -> None:
        """What the span ends with instead of "ok" or "error"."""
        if self._log is not None:
            self.status = status

    def open_ancestor(self) -> Span | None:
        """This span, or the nearest one around it that is still open."""
        span: Span | None = self
        while span is not None and span.end_ns:
            span = span.parent
        return span


NO_RECORDING = Span(None, None, "", "", "")
"""What ``with transaction(...) as span`` gives while nothing records."""


class Scope:
    """What ``transaction()`` and ``span()`` return: a context manager and a decorator.

    As a decorator it opens a span per call, of functions, coroutine functions and (async)
    generators, and looks for a recording at each call, not when it is made.
    """

    __slots__ = ("_description", "_is_transaction", "_name", "_op", "_open", "_tags")

    def __init__(
        self,
        is_transaction: bool,
        name: str,
        op: str,
        description: str,
        tags: Mapping[str, object] | None = None,
    ) -> None:
        self._is_transaction = is_transaction
        self._name = name
        self._op = op
        self._description = description
        self._tags = tags
        self._open: list[tuple[Span, Token[Span | None]]] | None = None

    def __enter__(self) -> Span:
        log = _log
        if log is None:
            return NO_RECORDING
        span = self.begin(log)
        if span is NO_RECORDING:
            return span
        token = activate(span)
        if self._open is None:
            self._open = [(span, token)]
        else:
            self._open.append((span, token))
        return span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._open:
            return
        span, token = self._open.pop(self._mine())
        finish(span, error)
        deactivate(span, token)

    def _mine(self) -> int:
        """Which entry to close: one scope may be open in several tasks at once."""
        assert self._open is not None
        if len(self._open) > 1:
            active = ACTIVE.get()
            for place in range(len(self._open) - 1, -1, -1):
                if self._open[place][0] is active:
                    return place
        return -1

    def __call__(self, function: F) -> F:
        """Decorate ``function``: a span per call."""
        return cast("F", wrapping.wrap(function, self.again))

    def again(self) -> Scope:
        """A fresh scope of the same kind, for one call of a decorated function."""
        return Scope(self._is_transaction, self._name, self._op, self._description, self._tags)

    def begin(self, log: SpanLog | None = None) -> Span:
        """Open a span without making it the active one (generators do that step by step)."""
        log = log or _log
        if log is None or not log.has_room():
            return NO_RECORDING
        parent = None if self._is_transaction else ACTIVE.get()
        if parent is not None:
            # One left over from an earlier recording, or closed elsewhere, is no parent.
            parent = parent.open_ancestor() if parent._log is log else None
        span = Span(log, parent, self._name, self._op, self._description)
        log.put(span)
        if self._tags:
            try:
                tags = list(self._tags.items())
            except Exception:
                tags = []
                log.dropped += 1
            for key, value in tags:
                log.tag(span.id, key, value)
        return span


def activate(span: Span) -> Token[Span | None]:
    """Make ``span`` the active one here; give the token back to ``deactivate``."""
    token = ACTIVE.set(span)
    ident = _get_ident()
    BY_THREAD[ident] = span
    asyncio_events = sys.modules.get("asyncio.events")
    if asyncio_events is not None:
        loop = asyncio_events._get_running_loop()
        if loop is not None and LOOPS.get(ident) is not loop:
            LOOPS[ident] = loop
    return token


def deactivate(span: Span, token: Token[Span | None]) -> None:
    """Undo ``activate``; in another context or out of order the next open span takes over."""
    try:
        if ACTIVE.get() is span:
            ACTIVE.reset(token)
    except (ValueError, RuntimeError):
        # Entered in another context (a span closed by another task): nothing to restore there.
        ACTIVE.set(span.parent)
    active = ACTIVE.get()
    if active is not None and active.end_ns:
        active = active.open_ancestor()
        ACTIVE.set(active)
    if active is None:
        BY_THREAD.pop(_get_ident(), None)
    elif _log is not None:
        BY_THREAD[_get_ident()] = active


def finish(span: Span, error: BaseException | None) -> None:
    """Close ``span``; an exception makes its status "error" unless it was set."""
    log = span._log
    if log is None or span.end_ns:
        return
    span.end_ns = _now_ns()
    if error is not None and not span.status:
        span.status = "error"
    log.put((span,))


def transaction(name: str, op: str = "", tags: Mapping[str, object] | None = None) -> Scope:
    """A unit of work: a request, a job, a command. Context manager and decorator.

    Samples taken while it is active belong to it, whichever thread or task runs it. ``name``
    groups equal work (a route, not a URL); ``op`` says what kind ("http.server", "queue.task").
    """
    _needs_text("transaction", name)
    return Scope(True, name, op, "", tags)


def span(op: str, description: str = "") -> Scope:
    """A part of the active transaction: ``op`` groups ("db.query"), ``description`` tells which.

    Outside every transaction it becomes one of its own.
    """
    _needs_text("span", op)
    return Scope(False, "", op, description)


def _needs_text(what: str, given: object) -> None:
    if type(given) is not str and callable(given):
        raise UsageError(f"@{what} needs brackets: @{what}('what it does')")


def current_span() -> Span | None:
    """The innermost span that is open here; None outside every transaction."""
    active = ACTIVE.get()
    return None if active is None or active._log is not _log else active.open_ancestor()


def set_tag(key: str, value: object) -> None:
    """Label the active transaction; without one nothing happens."""
    active = current_span()
    if active is not None:
        active.transaction.set_tag(key, value)


def set_measurement(name: str, value: float, unit: str = "") -> None:
    """Attach a number to the active transaction; without one nothing happens."""
    active = current_span()
    if active is not None:
        active.transaction.set_measurement(name, value, unit)
