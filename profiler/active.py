"""Which span is active where: in a context, in a thread.

The active span lives in one ContextVar, so it follows tasks, copied contexts and threads by
Python's own rules. Beside it a table by thread serves samplers that cannot read contexts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from flamespan.profiler import switching, systhreads, wrapping
from flamespan.profiler.engine import spancore
from flamespan.profiler.engine.spancore import SpanCore
from flamespan.profiler.errors import UsageError
from flamespan.profiler.spanlog import SpanLog, text_of

ACTIVE: ContextVar[Span | None] = ContextVar("flamespan_span", default=None)
"""The span of the code that is running."""

BY_THREAD: dict[int, Span] = {}
"""Python's thread ident → the span that was last entered or left there."""

_get_ident = systhreads.get_ident


class Recording:
    """Where spans go that are opened now; ``log`` is None while nothing records."""

    __slots__ = ("log",)

    def __init__(self) -> None:
        self.log: SpanLog | None = None


RECORDING = Recording()


def record_into(
    log: SpanLog | None,
    *,
    by_thread: bool = True,
    rate: float = 1.0,
    decide: Callable[[str, str, Any], bool] | None = None,
) -> None:
    """Send spans opened from now on to ``log``; None: nothing is recorded (and costs little).

    ``by_thread`` says whether BY_THREAD and what ``switching`` keeps are kept, for an engine that
    needs them.
    ``rate`` is the share of transactions to record, unless ``decide(name, op, tags)`` says it.
    """
    RECORDING.log = log
    told = by_thread and log is not None
    spancore.record_into(log, _entered if told else None, _left if told else None, rate, decide)
    if log is None:
        BY_THREAD.clear()
        switching.forget_all()


def after_fork() -> None:
    """In a child process: only the thread that forked is left."""
    span = BY_THREAD.get(_get_ident())
    BY_THREAD.clear()
    switching.forget_all()
    if span is not None:
        BY_THREAD[_get_ident()] = span


class Span(SpanCore):
    """A transaction or span that is open, or was. Made by ``transaction()`` and ``span()``.

    ``id`` is 0 when nothing records, or when its transaction was not chosen or dropped; all
    methods may then still be called, to no effect.
    """

    __slots__ = ()

    @property
    def transaction(self) -> Span:
        """The transaction that this span is part of, or is."""
        span = self
        while not span.is_root and span.parent is not None:
            span = span.parent
        return span

    def set_tag(self, key: str, value: object) -> None:
        """Label the span; both are kept as text. A later value replaces an earlier one."""
        if self.id and self.log is not None:
            self.log.tag(self.id, key, value)

    def set_measurement(self, name: str, value: float, unit: str = "") -> None:
        """Attach a number with its unit ("byte", "millisecond"; "" for a plain count)."""
        if self.id and self.log is not None:
            self.log.measurement(self.id, name, value, unit)

    def set_status(self, status: str) -> None:
        """What the span ends with instead of "ok" or "error"."""
        if self.id and self.log is not None:
            self.status = text_of(status or "")

    def describe(
        self, *, name: str | None = None, op: str | None = None, description: str | None = None
    ) -> None:
        """Say anew what this is, where that is known only later: a request's route, say.

        The whole span is called so, from its start. What is None stays.
        """
        if not self.id or self.log is None:
            return
        if name is not None:
            self.name = text_of(name)
        if op is not None:
            self.op = text_of(op)
        if description is not None:
            self.description = text_of(description)
        self.log.described(self)

    def open_ancestor(self) -> Span | None:
        """This span, or the nearest one around it that is still open."""
        span: Span | None = self
        while span is not None and span.end_ns:
            span = span.parent
        return span


NO_RECORDING = Span(0)
"""What ``with transaction(...) as span`` gives while nothing records."""


def _entered(span: Span) -> None:
    ident = _get_ident()
    BY_THREAD[ident] = span
    switching.note(ident, span)


def _left(active: Span | None) -> None:
    ident = _get_ident()
    if active is not None:
        BY_THREAD[ident] = active
        switching.note(ident, active)
    elif BY_THREAD.pop(ident, None) is not None:
        switching.note_none(ident)


def _set_tags(span: Span, tags: Mapping[str, object]) -> None:
    log = span.log
    if log is None:
        return
    try:
        items = list(tags.items())
    except Exception:
        log.dropped += 1
        return
    for key, value in items:
        log.tag(span.id, key, value)


def _needs_brackets(what: str) -> None:
    raise UsageError(f"@{what} needs brackets: @{what}('what it does')")


spancore.bind(Span, NO_RECORDING, ACTIVE, wrapping.wrap, text_of, _set_tags, _needs_brackets)
