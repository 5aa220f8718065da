"""WSGI (PEP 3333): each request a transaction, from the call until the server closes the body."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flamespan.profiler.active import RECORDING
from flamespan.profiler.engine.webcore import wsgi_exchange
from flamespan.profiler.integrations.http import KEY

App = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Middleware:
    """Wraps a WSGI application: ``app = Middleware(app)``.

    ``route(environ)`` may give the route's template: it is asked as the answer begins and, where it
    gave None, when the request is over. Frameworks with an integration say it themselves. Inside
    of another one it adds the route at most.
    """

    def __init__(
        self, app: App, *, route: Callable[[dict[str, Any]], str | None] | None = None
    ) -> None:
        self.app = app
        self._route = route

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """As WSGI has it."""
        if RECORDING.log is None:
            return self.app(environ, start_response)
        outer = environ.get(KEY)
        if outer is not None:
            route = self._route
            if route is not None and outer.ask is None:
                outer.ask = lambda _: route(environ)
            return self.app(environ, start_response)
        exchange = wsgi_exchange(environ, start_response, self._route)
        try:
            body = self.app(environ, exchange.start_response)
        except BaseException as error:
            exchange.end(error)
            raise
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper):
            _tell_of_close(body, exchange.end)
            return body
        return exchange.answer(body, environ.get("REQUEST_METHOD") == "HEAD")


def _tell_of_close(body: Any, finish: Callable[..., None]) -> None:
    """A file that the server hands to the system as it is, if nobody wraps it."""
    close = getattr(body, "close", None)

    def closed() -> None:
        try:
            if close is not None:
                close()
        finally:
            finish()

    try:
        body.close = closed
    except (AttributeError, TypeError):
        finish()
