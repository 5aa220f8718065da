"""The only place where the shop knows flamespan: requests become transactions, work becomes spans.

Everything here costs next to nothing while no profiler runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException

from flamespan import profiler

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from flask import Flask

span = profiler.span


def trace_requests(app: Flask) -> WSGIApplication:
    """Wrap ``app.wsgi_app``: each request is a transaction that is named by its route."""
    answer = app.wsgi_app

    def traced(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        statuses: list[str] = []

        def remember(status: str, *rest: Any) -> Callable[[bytes], object]:
            statuses.append(status)
            return start_response(status, *rest)

        name = f"{environ['REQUEST_METHOD']} {_route(app, environ)}"
        with profiler.transaction(name, op="http.server") as transaction:
            body = answer(environ, remember)
            try:
                chunks = list(body)  # no page of the shop streams: all of it is made here
            finally:
                close = getattr(body, "close", None)
                if close is not None:
                    close()
            code = int(statuses[-1].split()[0])
            transaction.set_status(_status(code))
            transaction.set_tag("http.status_code", str(code))
            transaction.set_measurement("response_size", sum(map(len, chunks)), "byte")
        return chunks

    return traced


@contextmanager
def job(name: str) -> Iterator[None]:
    """A transaction around one job of the background worker."""
    with profiler.transaction(name, op="queue.task"):
        yield


def _route(app: Flask, environ: WSGIEnvironment) -> str:
    """The rule that the URL matches ("/product/<int:id>"), so that all its requests are one row."""
    try:
        rule, _ = app.url_map.bind_to_environ(environ).match(return_rule=True)
    except HTTPException:
        return "(no route)"
    return rule.rule


def _status(code: int) -> str:
    if code >= 500:
        return "error"
    if code >= 400:
        return "not_found" if code == 404 else "invalid_argument"
    return "ok"


@contextmanager
def recording(directory: str | None, rate_hz: float) -> Iterator[None]:
    """Run the profiler for as long as the block runs, unless there is no ``directory``."""
    if directory is None:
        yield
        return
    with profiler.Profiler(directory, rate_hz, service="shop", release="1.0", environment="demo"):
        yield
