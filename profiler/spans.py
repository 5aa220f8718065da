"""Transactions and spans: how the application says what it is doing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Token
from types import TracebackType
from typing import Any, TypeVar, cast

from flamespan.profiler import wrapping
from flamespan.profiler.active import (
    ACTIVE,
    NO_RECORDING,
    RECORDING,
    Span,
    activate,
    deactivate,
    finish,
)
from flamespan.profiler.errors import UsageError
from flamespan.profiler.spanlog import SpanLog

F = TypeVar("F", bound=Callable[..., Any])


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
        log = RECORDING.log
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
        log = log or RECORDING.log
        if log is None or not log.has_room():
            return NO_RECORDING
        parent = ACTIVE.get()
        if parent is not None:
            # One left over from an earlier recording, or closed elsewhere, is no parent.
            parent = parent.open_ancestor() if parent.log is log else None
            if parent is not None and self._is_transaction and parent.root:
                parent.forget_closed()
        span = Span(log, parent, self._name, self._op, self._description, self._is_transaction)
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
    return None if active is None or active.log is not RECORDING.log else active.open_ancestor()


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
