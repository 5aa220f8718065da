"""Spans in Python, for where there is no C core: the same names and rules as ``native/span*.c``."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, TypeVar

from flamespan.profiler import systhreads
from flamespan.profiler.engine.purequeue import SpanQueue

F = TypeVar("F", bound=Callable[..., Any])

MAX_TEXT = 10_000
_UNCHOSEN, _DROPPED = -1, -2

_next_id = itertools.count(1).__next__
_get_ident = systhreads.get_ident
_now_ns = time.monotonic_ns


class SpanCore:
    """The data of a span; ``active.Span`` adds what the application may ask of it."""

    __slots__ = (
        "counted",
        "description",
        "end_ns",
        "is_root",
        "log",
        "mark",
        "name",
        "op",
        "over",
        "parent",
        "renamed",
        "start_ns",
        "status",
        "tags",
        "thread_ident",
        "told",
    )

    def __init__(self, mark: int, parent: SpanCore | None = None) -> None:
        self.mark = mark
        self.parent = parent
        self.is_root = parent is None
        self.log: SpanQueue | None = None
        self.name = self.op = self.description = self.status = ""
        self.end_ns = self.start_ns = self.thread_ident = 0
        self.counted = 0
        self.told = self.renamed = self.over = False
        self.tags: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> int:
        """What samples carry; 0: it is not recorded."""
        return max(0, self.mark)


class _State:
    """What ``bind`` and ``record_into`` were given."""

    def __init__(self) -> None:
        self.log: SpanQueue | None = None
        self.entered: Callable[[Any], None] | None = None
        self.left: Callable[[Any], None] | None = None
        self.rate = 1.0
        self.decide: Callable[[str, str, Any], bool] | None = None
        self.uniform = random.Random().random  # not the application's: it may be seeded

    type: type[SpanCore]
    nothing: SpanCore
    variable: ContextVar[Any]
    wrap: Callable[..., Any]
    text: Callable[[object], str]
    tag: Callable[[Any, Any], None]
    complain: Callable[[str], None]


_state = _State()


def bind(
    span_type: type[SpanCore],
    nothing: SpanCore,
    variable: ContextVar[Any],
    wrap: Callable[..., Any],
    text: Callable[[object], str],
    tag: Callable[[Any, Any], None],
    complain: Callable[[str], None],
) -> None:
    """What is needed of the rest, once; see ``_native.pyi``."""
    _state.type, _state.nothing, _state.variable = span_type, nothing, variable
    _state.wrap, _state.text, _state.tag, _state.complain = wrap, text, tag, complain


def record_into(
    log: SpanQueue | None,
    entered: Callable[[Any], None] | None,
    left: Callable[[Any], None] | None,
    rate: float,
    decide: Callable[[str, str, Any], bool] | None,
) -> None:
    """Where spans go that are opened from now on; see ``_native.pyi``."""
    _state.entered, _state.left = entered, left
    _state.rate, _state.decide = rate, decide
    _state.uniform = random.Random().random  # anew: children of fork shall not choose alike
    _state.log = log


class Scope:
    """What ``transaction()`` and ``span()`` return: a context manager and a decorator.

    As a decorator it opens a span per call, of functions, coroutine functions and (async)
    generators, and looks for a recording at each call, not when it is made.
    """

    __slots__ = ("_open", "_wish")

    def __init__(self, is_transaction: bool, name: Any, op: Any, text: Any, tags: Any) -> None:
        self._wish = (is_transaction, name, op, text, tags)
        self._open: list[tuple[SpanCore, Token[Any] | None]] = []

    def __enter__(self) -> Any:
        if _state.log is None:
            return _state.nothing
        span = self.begin()
        if span is _state.nothing:
            # What closes it must find that there is nothing to close.
            self._open.append((_state.variable.get() or span, None))
        else:
            self._open.append((span, activate(span)))
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
        if token is not None:
            finish(span, error)
            deactivate(span, token)

    def _mine(self) -> int:
        """Which entry to close: one scope may be open in several tasks at once."""
        if len(self._open) > 1:
            active = _state.variable.get()
            for place in range(len(self._open) - 1, -1, -1):
                if self._open[place][0] is active:
                    return place
        return -1

    def __call__(self, function: F) -> F:
        """Decorate ``function``: a span per call."""
        wrapped: F = _state.wrap(function, self.again)
        return wrapped

    def again(self) -> Scope:
        """A fresh scope of the same kind, for one call of a decorated function."""
        return Scope(*self._wish)

    def begin(self) -> SpanCore:
        """Open a span without making it the active one (generators do that step by step)."""
        log = _state.log
        if log is None:
            return _state.nothing
        is_transaction, name, op, text, tags = self._wish
        around = _state.variable.get()
        # One left over from an earlier recording, or closed elsewhere, is not around this one.
        around = _open_one(around if around is not None and around.log is log else None)
        parent = None if is_transaction else around
        if parent is not None and parent.mark <= 0:
            log.dropped += parent.mark == _DROPPED
            return _state.nothing
        if parent is None and not _is_chosen(name or text or op, op, tags):
            log.unchosen += 1
            return self._make(log, None, _UNCHOSEN)
        if not log.has_room():
            return _state.nothing if parent is not None else self._make(log, None, _DROPPED)
        if is_transaction and around is not None and around.is_root:
            around.parent = _open_one(around.parent)  # or chains grow without end
        span = self._make(log, around, _next_id())
        span.is_root = parent is None
        log.opened(span)
        if tags:
            _state.tag(span, tags)
        return span

    def _make(self, log: SpanQueue, parent: SpanCore | None, mark: int) -> SpanCore:
        span = _state.type(mark, parent)
        span.log = log
        span.name, span.op, span.description = map(_text, self._wish[1:4])
        span.thread_ident = _get_ident()
        span.start_ns = _now_ns()
        return span


def _text(given: Any) -> str:
    return given if type(given) is str and len(given) <= MAX_TEXT else _state.text(given)


def _open_one(span: Any) -> Any:
    while span is not None and span.end_ns:
        span = span.parent
    return span


def _is_chosen(name: Any, op: Any, tags: Any) -> bool:
    if _state.decide is not None:
        return _state.decide(_text(name), _text(op), tags)
    return _state.rate >= 1 or _state.uniform() < _state.rate


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
    return Scope(False, "", op, description, None)


def _needs_text(function: str, given: object) -> None:
    if type(given) is not str and callable(given):
        _state.complain(function)


def activate(span: Any) -> Any:
    """Make ``span`` the active one here; give the token back to ``deactivate``."""
    token = _state.variable.set(span)
    if _state.entered is not None:
        _state.entered(span)
    return token


def deactivate(span: Any, token: Any) -> None:
    """Undo ``activate``; in another context or out of order the next open span takes over."""
    variable = _state.variable
    try:
        if variable.get() is span:
            variable.reset(token)
    except (ValueError, RuntimeError):
        # Entered in another context (a span closed by another task): nothing to restore there.
        variable.set(span.parent)
    active = variable.get()
    if active is not None and active.end_ns:
        active = _open_one(active)
        variable.set(active)
    if _state.left is not None:
        _state.left(active)


def finish(span: Any, error: BaseException | None) -> None:
    """Close ``span``; an exception makes its status "error" unless it was set."""
    if span.log is None or span.end_ns:
        return
    span.end_ns = _now_ns()
    span.status = _text(span.status or ("" if error is None else "error"))
    span.log.closed(span)


def reopen(span: Any) -> None:
    """After a fork, in the child: queue an open span as if it had just been opened."""
    if span.id and not span.end_ns and span.log is not None:
        span.log.opened(span)
