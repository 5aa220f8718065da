"""What HTTP transactions are called, whatever serves them: names, statuses, tags."""

from __future__ import annotations

from flamespan.profiler.active import Span
from flamespan.profiler.engine.spancore import Scope, transaction

NO_ROUTE = "(no route)"
"""Stands for the route where none is known: a URL would make each request a row of its own."""

OP = "http.server"

_METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY")
)
_STATUSES = {
    400: "invalid_argument",
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    409: "already_exists",
    429: "resource_exhausted",
    499: "cancelled",
    501: "unimplemented",
    503: "unavailable",
    504: "deadline_exceeded",
}


_GIVEN_UP = ("CancelledError", "Cancelled", "GeneratorExit")
"""asyncio's, trio's, and that of a generator whose consumer has gone."""


def method(given: object) -> str:
    """The request's method; what is none of HTTP's may be anything, so it is not kept."""
    return given if isinstance(given, str) and given in _METHODS else "(other)"


def name(request_method: str, route: str | None = None) -> str:
    """A transaction's name: method and route, never the URL."""
    return f"{request_method} {route or NO_ROUTE}"


def status_of(code: int) -> str:
    """The word for an HTTP status code (those of gRPC, which tracing systems use)."""
    if code < 400:
        return "ok"
    return _STATUSES.get(code, "invalid_argument" if code < 500 else "error")


class Request:
    """A request's transaction: begun with the method, named when the route is known, ended once."""

    __slots__ = ("_scope", "method", "span")

    def __init__(self, method: str, op: str = OP) -> None:
        self.method = method
        self._scope: Scope | None = transaction(name(method), op, {"http.request.method": method})
        self.span: Span = self._scope.__enter__()

    def answered(self, code: int) -> None:
        """Note the answer's status code."""
        self.span.set_status(status_of(code))
        self.span.set_tag("http.response.status_code", code)

    def routed(self, route: str | None) -> None:
        """Name the transaction by its route; without one it keeps its name."""
        if route:
            self.span.describe(name=name(self.method, route))
            self.span.set_tag("http.route", route)

    def end(self, error: BaseException | None = None) -> None:
        """Close the transaction; later calls do nothing."""
        scope, self._scope = self._scope, None
        if scope is None:
            return
        if error is not None:  # whatever had been answered until then
            given_up = type(error).__name__ in _GIVEN_UP
            self.span.set_status("cancelled" if given_up else "error")
        scope.__exit__(None, None, None)
