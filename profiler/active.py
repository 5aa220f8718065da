"""Which span is active where: in a context, in a thread.

The active span lives in one ContextVar, so it follows tasks, copied contexts and threads by
Python's own rules. Beside it a table by thread serves samplers that cannot read contexts.
"""

from __future__ import annotations

import itertools
import time
from contextvars import ContextVar, Token

from flamespan.profiler import switching, systhreads
from flamespan.profiler.engine.spancore import SpanCore
from flamespan.profiler.model import NO_SPAN
from flamespan.profiler.spanlog import SpanLog

ACTIVE: ContextVar[Span | None] = ContextVar("flamespan_span", default=None)
"""The span of the code that is running."""

BY_THREAD: dict[int, Span] = {}
"""Python's thread ident → the span that was last entered or left there."""

_next_id = itertools.count(1).__next__
_get_ident = systhreads.get_ident
_now_ns = time.monotonic_ns


def after_fork() -> None:
    """In a child process: only the thread that forked is left."""
    span = BY_THREAD.get(_get_ident())
    BY_THREAD.clear()
    switching.forget_all()
    if span is not None:
        BY_THREAD[_get_ident()] = span


class Recording:
    """Where spans go that are opened now; ``log`` is None while nothing records.

    ``by_thread`` says whether BY_THREAD and what ``switching`` keeps are kept, for an engine
    that needs them.
    """

    __slots__ = ("by_thread", "log")

    def __init__(self) -> None:
        self.log: SpanLog | None = None
        self.by_thread = True


RECORDING = Recording()


def record_into(log: SpanLog | None, *, by_thread: bool = True) -> None:
    """Send spans opened from now on to ``log``; None: nothing is recorded (and costs little)."""
    RECORDING.by_thread = by_thread
    RECORDING.log = log
    if log is None:
        BY_THREAD.clear()
        switching.forget_all()


class Span(SpanCore):
    """A transaction or span that is open, or was. Made by ``transaction()`` and ``span()``.

    ``id`` is 0 when nothing records; all methods may then still be called, to no effect.
    """

    __slots__ = (
        "description",
        "log",
        "name",
        "op",
        "root",
        "start_ns",
        "status",
        "thread_ident",
    )

    def __init__(
        self,
        log: SpanLog | None,
        parent: Span | None,
        name: str,
        op: str,
        description: str,
        root: bool = False,
    ) -> None:
        self.log = log
        # What is active again when this one is over: around a transaction there may be another.
        self.parent = parent
        self.root = root or parent is None
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
        while not span.root and span.parent is not None:
            span = span.parent
        return span

    def set_tag(self, key: str, value: object) -> None:
        """Label the span; both are kept as text. A later value replaces an earlier one."""
        if self.log is not None:
            self.log.tag(self.id, key, value)

    def set_measurement(self, name: str, value: float, unit: str = "") -> None:
        """Attach a number with its unit ("byte", "millisecond"; "" for a plain count)."""
        if self.log is not None:
            self.log.measurement(self.id, name, value, unit)

    def set_status(self, status: str) -> None:
        """What the span ends with instead of "ok" or "error"."""
        if self.log is not None:
            self.status = status

    def open_ancestor(self) -> Span | None:
        """This span, or the nearest one around it that is still open."""
        span: Span | None = self
        while span is not None and span.end_ns:
            span = span.parent
        return span

    def forget_closed(self) -> None:
        """Of a root: let go of what was around it and is over, or chains grow without end."""
        if self.parent is not None:
            self.parent = self.parent.open_ancestor()


NO_RECORDING = Span(None, None, "", "", "")
"""What ``with transaction(...) as span`` gives while nothing records."""


def activate(span: Span) -> Token[Span | None]:
    """Make ``span`` the active one here; give the token back to ``deactivate``."""
    token = ACTIVE.set(span)
    if RECORDING.by_thread:
        ident = _get_ident()
        BY_THREAD[ident] = span
        switching.note(ident, span)
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
        if BY_THREAD.pop(_get_ident(), None) is not None:
            switching.note_none(_get_ident())
    elif RECORDING.by_thread and RECORDING.log is not None:
        BY_THREAD[_get_ident()] = active
        switching.note(_get_ident(), active)


def finish(span: Span, error: BaseException | None) -> None:
    """Close ``span``; an exception makes its status "error" unless it was set."""
    log = span.log
    if log is None or span.end_ns:
        return
    span.end_ns = _now_ns()
    if error is not None and not span.status:
        span.status = "error"
    log.put((span,))
