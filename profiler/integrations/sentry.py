"""Sentry: ``sentry_sdk.init(integrations=[Integration()])``; its transactions and spans are ours.

Sentry has no hook for spans, so a few methods of its Span are wrapped once, when the SDK sets the
integration up. Whether Sentry samples a transaction does not matter here.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from flamespan.profiler.active import ACTIVE, RECORDING, Span
from flamespan.profiler.engine import spancore
from flamespan.profiler.integrations import needs
from flamespan.profiler.integrations.http import NO_ROUTE, NOT_FOUND, known, status_of
from flamespan.profiler.integrations.opened import begin
from flamespan.profiler.spans import span as open_span
from flamespan.profiler.spans import transaction

if TYPE_CHECKING:
    _Base: Any = object
else:
    _Base = needs.load("sentry_sdk.integrations", "sentry-sdk").Integration


class Integration(_Base):  # type: ignore[misc]
    """For ``sentry_sdk.init(integrations=[…])``; sentry-sdk 2 or later."""

    identifier = "flamespan"

    @staticmethod
    def setup_once() -> None:
        """Sentry calls it, once a process."""
        tracing = needs.load("sentry_sdk.tracing", "sentry-sdk")
        scope = needs.load("sentry_sdk.scope", "sentry-sdk")
        kinds = (tracing.Span, tracing.Transaction)
        _after(scope.Scope, "start_transaction", lambda made: _begin(made, None, kinds))
        _after_with_self(tracing.Span, "start_child", kinds)
        _wrap_span(tracing.Span, kinds)
        for kind in kinds:
            _wrap_finish(kind)


class _Data(dict[str, Any]):
    """A span's data, with ours beside it: Sentry's spans have slots, and no weak references."""

    __slots__ = ("ours", "token")

    def __init__(self, data: dict[str, Any], ours: Span) -> None:
        super().__init__(data)
        self.ours = ours
        self.token: Any = None


def _after(owner: Any, name: str, then: Any) -> None:
    method = getattr(owner, name)

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        made = method(*args, **kwargs)
        then(made)
        return made

    setattr(owner, name, call)


def _after_with_self(owner: Any, name: str, kinds: tuple[type, ...]) -> None:
    method = getattr(owner, name)

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = method(self, *args, **kwargs)
        _begin(made, _held(self), kinds)
        return made

    setattr(owner, name, call)


def _wrap_span(owner: Any, kinds: tuple[type, ...]) -> None:
    enter, leave = owner.__enter__, owner.__exit__

    @functools.wraps(enter)
    def entered(self: Any) -> Any:
        result = enter(self)
        _begin(self, None, kinds)
        ours = _ours(self)
        if ours is not None:
            self._data.token = spancore.activate(ours)
        return result

    @functools.wraps(leave)
    def left(self: Any, *args: Any) -> Any:
        try:
            return leave(self, *args)
        finally:
            ours = _held(self)
            if ours is not None and self._data.token is not None:
                _end(self)
                spancore.deactivate(ours, self._data.token)
                self._data.token = None

    owner.__enter__, owner.__exit__ = entered, left


def _wrap_finish(owner: Any) -> None:
    method = owner.__dict__["finish"]

    @functools.wraps(method)
    def finish(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        finally:
            _end(self)

    owner.finish = finish


def _held(theirs: Any) -> Span | None:
    data = getattr(theirs, "_data", None)
    return data.ours if type(data) is _Data else None


def _ours(theirs: Any) -> Span | None:
    """The span of ours that belongs to Sentry's, while it is open and recorded."""
    ours = _held(theirs)
    return ours if ours is not None and ours.id and not ours.end_ns else None


def _begin(made: Any, parent: Span | None, kinds: tuple[type, ...]) -> None:
    """Open ours, inside of its parent, or of what is active here that is not Sentry's."""
    if RECORDING.log is None or type(made) not in kinds or _held(made) is not None:
        return
    is_transaction = isinstance(made, kinds[1])
    around = ACTIVE.get()
    around = around.open_ancestor() if around is not None else None
    if parent is not None and not _is_below(around, parent):
        around = parent
    op, text = made.op or "", _text_of(made)
    scope = transaction(text, op) if is_transaction else open_span(op or "span", text)
    ours = begin(scope, around)
    made._data = _Data(made._data, ours)
    if ours.id:
        ours.set_tag("trace_id", made.trace_id)
        ours.set_tag("span_id", made.span_id)
        if is_transaction and made.parent_span_id:
            ours.set_tag("parent_span_id", made.parent_span_id)


def _is_below(span: Span | None, above: Span) -> bool:
    while span is not None and span is not above:
        span = span.parent
    return span is above


def _end(theirs: Any) -> None:
    ours = _ours(theirs)
    if ours is None:
        return
    text, op = _text_of(theirs), theirs.op or ours.op
    if ours.name:
        if (text, op) != (ours.name, ours.op):
            ours.describe(name=text, op=op)
    elif (text, op) != (ours.description, ours.op):
        ours.describe(description=text, op=op)
    code = _code_of(theirs)
    if code:
        ours.set_tag("http.status_code", code)
    # Sentry's words for what a server did wrong are more than one.
    ours.set_status(status_of(code) if code else _status_of(theirs.status))
    spancore.finish(ours, None)


def _status_of(status: Any) -> str:
    return "error" if status in ("internal_error", "unknown_error") else str(status or "")


def _code_of(theirs: Any) -> int:
    tags = getattr(theirs, "_tags", {})
    code = theirs._data.get("http.response.status_code", tags.get("http.status_code"))
    return int(code) if str(code or "").isdigit() else 0


def _text_of(theirs: Any) -> str:
    """A transaction's name; not a URL, which Sentry says where it knows no route."""
    name = getattr(theirs, "name", None) if hasattr(theirs, "source") else theirs.description
    if str(getattr(theirs, "source", "")) != "url":
        return str(name or theirs.op or "")
    method = theirs._data.get("http.request.method", "")
    route = NOT_FOUND if _code_of(theirs) == 404 else NO_ROUTE
    return f"{known(method)} {route}" if method else route
