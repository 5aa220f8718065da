"""A request as a transaction: what it is called, how it ended. Servers and frameworks add the rest.

Nothing of a request but its method, route and status code is kept: no path, query, header, body.
A request pays for every line here, so there are few.
"""

from __future__ import annotations

import asyncio
from typing import Any

from flamespan.profiler.active import ACTIVE, Span
from flamespan.profiler.engine import spancore
from flamespan.profiler.spans import transaction

KEY = "flamespan.request"
"""Where environ (WSGI) and scope (ASGI) hold the Request, so that frameworks find it."""

METHODS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE")
)
"""Others are told as "_OTHER" (as OpenTelemetry does), since anybody may make up new ones."""

NO_ROUTE, NOT_FOUND = "<no route>", "<not found>"
CLIENT_ERRORS = {
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    408: "deadline_exceeded",
    409: "already_exists",
    413: "failed_precondition",
    429: "resource_exhausted",
    499: "cancelled",
}
"""What is not "invalid_argument"; words of gRPC's status codes, as Sentry has them for HTTP."""


def status_of(code: int) -> str:
    """The status of a transaction that was answered with this HTTP status code."""
    if code < 400:
        return "ok"
    return "error" if code >= 500 else CLIENT_ERRORS.get(code, "invalid_argument")


def known(method: Any) -> str:
    """The method, if it is one."""
    return method if method in METHODS else "_OTHER"


class Request:
    """One request from its first line of code until its body has been sent.

    ``route`` (a template, as "/users/{id}") and ``code`` may be set at any time before the end;
    ``done`` says that it is over.
    """

    __slots__ = ("_method", "_name", "_prefix", "_token", "code", "done", "route", "span")

    def __init__(self, method: Any, op: str = "http.server") -> None:
        self._method = method = method if method in METHODS else "_OTHER"
        self._prefix = "WS" if op == "websocket.server" else method
        self._name = name = f"{self._prefix} <no route>"
        self.route: str | None = None
        self.code = 0
        self.span: Span = transaction(name, op).begin()
        self._token: Any = None
        self.done = self.span.log is None  # the recording has ended just now
        if not self.done:
            self._token = spancore.activate(self.span)

    def finish(self, error: BaseException | None = None, status: str = "") -> None:
        """It is over: say what it was. A second call does nothing."""
        if self.done:
            return
        self.done = True
        span = self.span
        if span.id and span.log is not None:
            if error is not None and not self.code:
                self.code = 500
            if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
                status = "cancelled"
            if not span.status:  # one that the application has set stays
                span.status = status or ("error" if error else status_of(self.code))
            self._describe(span)
        spancore.finish(span, error)
        self.leave()

    def _describe(self, span: Span) -> None:
        route, code = self.route, self.code
        tags: tuple[tuple[str, str], ...] = (("http.method", self._method),)
        if route is not None:
            tags += (("route", route),)
        elif code == 404:
            route = NOT_FOUND
        if code:
            tags += (("http.status_code", str(code)),)
        # What the application has called otherwise meanwhile stays so.
        if route is not None and span.name is self._name:
            span.name, span.renamed = f"{self._prefix} {route}", True
        span.tags = tags

    def leave(self) -> None:
        """Let the context that runs be as it was before, if this is over."""
        if self.done and self._token is not None and ACTIVE.get() is self.span:
            spancore.deactivate(self.span, self._token)
