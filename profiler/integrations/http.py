"""A request as a transaction: what it is called, how it ended. Servers and frameworks add the rest.

Nothing of a request but its method, route and status code is kept: no path, query, header, body.
"""

from __future__ import annotations

import asyncio
from typing import Any

from flamespan.profiler.integrations.opened import Opened
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

    ``route`` (a template, as "/users/{id}") and ``code`` may be set at any time before the end.
    """

    __slots__ = ("_method", "_opened", "_prefix", "code", "route")

    def __init__(self, method: Any, op: str = "http.server") -> None:
        self._method = known(method)
        self._prefix = "WS" if op == "websocket.server" else self._method
        self.route: str | None = None
        self.code = 0
        self._opened = Opened(transaction(f"{self._prefix} {NO_ROUTE}", op))

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self._opened.done

    def finish(self, error: BaseException | None = None, status: str = "") -> None:
        """It is over: say what it was. A second call does nothing."""
        span = self._opened.span
        if span.id and not span.end_ns:
            if error is not None and not self.code:
                self.code = 500
            self._describe()
            if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
                status = "cancelled"
            # A status that the application has set stays.
            span.set_status(span.status or status or ("error" if error else status_of(self.code)))
        self._opened.finish(error)

    def _describe(self) -> None:
        span = self._opened.span
        route = self.route
        if route is None and self.code == 404:
            route = NOT_FOUND
        # What the application has called otherwise meanwhile stays so.
        if route is not None and span.name == f"{self._prefix} {NO_ROUTE}":
            span.describe(name=f"{self._prefix} {route}")
        span.set_tag("http.method", self._method)
        if self.route is not None:
            span.set_tag("route", self.route)
        if self.code:
            span.set_tag("http.status_code", self.code)

    def leave(self) -> None:
        """Let the context that it began in be as it was before."""
        self._opened.leave()
