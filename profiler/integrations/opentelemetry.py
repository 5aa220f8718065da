"""OpenTelemetry: ``instrument()`` once; its spans are ours, and its active span is ours.

Two hooks: a span processor, which is told of starts and ends, and a runtime context around the
one that is there, which is told of what becomes active where.
"""

from __future__ import annotations

import importlib
import threading
import weakref
from collections.abc import Mapping
from typing import Any

from flamespan.profiler.active import ACTIVE, RECORDING, Span
from flamespan.profiler.engine import spancore
from flamespan.profiler.errors import UsageError
from flamespan.profiler.integrations import needs
from flamespan.profiler.integrations.http import status_of
from flamespan.profiler.integrations.opened import begin
from flamespan.profiler.spans import span as open_span
from flamespan.profiler.spans import transaction

_OURS = "_flamespan"
_lock = threading.Lock()

KINDS = ("internal", "server", "client", "producer", "consumer")
"""By the value of OpenTelemetry's SpanKind; what a span's op is where nothing says more."""

TAGS = {
    "http.method": ("http.request.method", "http.method"),
    "http.status_code": ("http.response.status_code", "http.status_code"),
    "route": ("http.route",),
}
"""Our tag, and the attributes (new and old semantic conventions) that it is taken from."""


def instrument(provider: Any = None) -> None:
    """Make OpenTelemetry's spans ours, of this tracer provider or of the global one.

    Spans without a local parent are transactions, others spans in them. Names, ids, method,
    route, status code, and the text of database queries as the instrumentation gives it are kept,
    no other attribute. What OpenTelemetry does not sample is not seen. UsageError where the SDK
    is missing, or the provider is not the SDK's.
    """
    trace = needs.load("opentelemetry.sdk.trace", "opentelemetry-sdk")
    api = needs.load("opentelemetry.trace", "opentelemetry-api")
    provider = api.get_tracer_provider() if provider is None else provider
    if not isinstance(provider, trace.TracerProvider):
        raise UsageError(
            "there is no tracer provider of opentelemetry-sdk: call "
            "opentelemetry.trace.set_tracer_provider(TracerProvider()) first, or give one"
        )
    with _lock:
        _follow_context()
        if not getattr(provider, _OURS, False):
            setattr(provider, _OURS, True)
            provider.add_span_processor(SpanProcessor())


def _follow_context() -> None:
    context = needs.load("opentelemetry.context", "opentelemetry-api")
    if not isinstance(context._RUNTIME_CONTEXT, RuntimeContext):
        context._RUNTIME_CONTEXT = RuntimeContext(context._RUNTIME_CONTEXT)


class SpanProcessor:
    """Tells us of spans; one that a tracer provider takes (``add_span_processor``)."""

    def __init__(self) -> None:
        self._api = importlib.import_module("opentelemetry.trace")
        self._open: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        _follow_context()

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """A span was started; it is not active yet."""
        if RECORDING.log is None:
            return
        above = self._api.get_current_span(parent_context)
        parent = getattr(above, _OURS, None) if span.parent is not None else None
        around = self._around(parent)
        op, text = _op_of(span), _text_of(span)
        # Inside of a transaction that is not OpenTelemetry's, it is a part of that.
        is_transaction = around is None
        ours = begin(transaction(text, op) if is_transaction else open_span(op, text), around)
        setattr(span, _OURS, ours)
        if not ours.id:
            return
        self._open[span.context.span_id] = span
        ours.set_tag("trace_id", f"{span.context.trace_id:032x}")
        ours.set_tag("span_id", f"{span.context.span_id:016x}")
        if span.parent is not None and span.parent.is_remote:
            ours.set_tag("parent_span_id", f"{span.parent.span_id:016x}")

    def _around(self, parent: Span | None) -> Span | None:
        """The span of ours that a new one is in: the innermost, if that is below ``parent``."""
        active = ACTIVE.get()
        active = active.open_ancestor() if active is not None else None
        if parent is None:
            current = getattr(self._api.get_current_span(), _OURS, None)
            return None if current is not None and _is_below(active, current) else active
        return active if _is_below(active, parent) else parent

    def _on_ending(self, span: Any) -> None:
        """The SDK tells of it; ``on_end`` serves."""

    def on_end(self, span: Any) -> None:
        """A span was ended, wherever."""
        held = self._open.pop(span.context.span_id, None)
        ours: Span | None = getattr(held, _OURS, None)
        if ours is None or ours.end_ns:
            return
        _describe(ours, span)
        spancore.finish(ours, None)

    def shutdown(self) -> None:
        """Nothing is held back."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002
        """Nothing is held back."""
        return True


def _is_below(span: Span | None, above: Span) -> bool:
    while span is not None and span is not above:
        span = span.parent
    return span is above


def _attribute(attributes: Mapping[str, Any], *names: str) -> Any:
    return next((attributes[name] for name in names if name in attributes), None)


def _op_of(span: Any) -> str:
    attributes = span.attributes or {}
    kind = KINDS[span.kind.value]
    if _attribute(attributes, *TAGS["http.method"]) is not None:
        return f"http.{kind}"
    if _attribute(attributes, "db.system", "db.system.name") is not None:
        return "db.query"
    if _attribute(attributes, "messaging.system") is not None or "celery.action" in attributes:
        return "queue.publish" if kind == "producer" else "queue.task"
    if _attribute(attributes, "rpc.system") is not None:
        return f"rpc.{kind}"
    return kind


def _text_of(span: Any) -> str:
    query = _attribute(span.attributes or {}, "db.query.text", "db.statement")
    return query if isinstance(query, str) else str(span.name).partition("?")[0]


def _describe(ours: Span, span: Any) -> None:
    """What is known only when it ends: its last name, and how it went."""
    op, text = _op_of(span), _text_of(span)
    if ours.is_root:
        if (ours.name, ours.op) != (text, op):
            ours.describe(name=text, op=op)
    elif (ours.description, ours.op) != (text, op):
        ours.describe(description=text, op=op)
    attributes = span.attributes or {}
    for tag, names in TAGS.items():
        value = _attribute(attributes, *names)
        if value is not None:
            ours.set_tag(tag, value)
    code = _attribute(attributes, *TAGS["http.status_code"])
    if span.status.status_code.name == "ERROR":
        ours.set_status("error")
    elif isinstance(code, int):
        ours.set_status(status_of(code))


class _Token:
    """What ``detach`` gets back: the other runtime context's token, and ours."""

    __slots__ = ("ours", "theirs", "token")

    def __init__(self, theirs: Any, ours: Span, token: Any) -> None:
        self.theirs, self.ours, self.token = theirs, ours, token


class RuntimeContext:
    """Around OpenTelemetry's runtime context: what is attached becomes active here, too.

    A context whose span we do not know (none, a remote one, one not sampled) changes nothing.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._api = importlib.import_module("opentelemetry.trace")

    def attach(self, context: Any) -> Any:
        """Make ``context`` the current one; ``detach`` takes what this gives."""
        theirs = self._inner.attach(context)
        if RECORDING.log is None:
            return theirs
        ours = getattr(self._api.get_current_span(context), _OURS, None)
        if ours is None or not ours.id or ours.end_ns or _is_below(ACTIVE.get(), ours):
            return theirs
        return _Token(theirs, ours, spancore.activate(ours))

    def get_current(self) -> Any:
        """The current context."""
        return self._inner.get_current()

    def detach(self, token: Any) -> None:
        """Undo ``attach``."""
        if not isinstance(token, _Token):
            self._inner.detach(token)
            return
        try:
            self._inner.detach(token.theirs)
        finally:
            spancore.deactivate(token.ours, token.token)
