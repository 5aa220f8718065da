"""A request as a transaction: what it is called, how it ended. Servers and frameworks add the rest.

Nothing of a request but its method, route and status code is kept: no path, query, header, body.
What is done for each request is in ``engine/webcore.py``; it asks here once for each route.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import flamespan.profiler.active  # noqa: F401 - what requests are needs what spans are
from flamespan.profiler.engine import webcore
from flamespan.profiler.engine.webcore import Request

__all__ = ["KEY", "METHODS", "NOT_FOUND", "NO_ROUTE", "Request", "known", "status_of"]

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


def _opening(prefix: str, op: str = "http.server") -> tuple[str, str, str]:
    """What a request's name begins with; its name and op as long as no more is known."""
    return prefix, f"{prefix} {NO_ROUTE}", op


def _hint(prefix: str, path: Any) -> Mapping[str, object]:
    """What a function that chooses transactions may know of a request; none of it is kept."""
    return {"http.method": _method(prefix), "url.path": path if isinstance(path, str) else ""}


def _method(prefix: str) -> str:
    return "GET" if prefix == "WS" else prefix


def outcome(
    prefix: str, route: str | None, code: int
) -> tuple[str | None, tuple[tuple[str, str], ...], str]:
    """Name (None: no better one than at first), tags and status of a request that is over."""
    tags = [("http.method", _method(prefix))]
    if route is not None:
        tags.append(("route", route))
    elif code == 404:
        route = NOT_FOUND
    if code:
        tags.append(("http.status_code", str(code)))
    return None if route is None else f"{prefix} {route}", tuple(tags), status_of(code)


webcore.bind_requests(
    KEY,
    {method: _opening(method) for method in METHODS},
    _opening("WS", "websocket.server"),
    _opening("_OTHER"),
    _hint,
    outcome,
    (asyncio.CancelledError, GeneratorExit),
    "cancelled",
)
