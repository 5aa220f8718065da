"""WSGI (PEP 3333): each request of an application is a transaction, until its body has been sent.

app.wsgi_app = Middleware(app.wsgi_app)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from flamespan.profiler.integrations import http

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

KEY = "flamespan.request"
"""Where the environment has the ``http.Request``: whoever knows the route names it there."""


class Middleware:
    """An application with a transaction around each request.

    Args:
        app: the application.
        route: ``(environ) -> str | None``, asked when the answer begins: the route that serves
            the request. Without one bottle's and Pyramid's are known; transactions of other
            applications are called by their method alone, unless something names them
            (``profiler.set_transaction_name``).
    """

    def __init__(
        self, app: WSGIApplication, route: Callable[[WSGIEnvironment], str | None] | None = None
    ) -> None:
        self.app = app
        self._route = route or _known_route

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if KEY in environ:  # a middleware around this one has begun it
            return self.app(environ, start_response)
        request = http.Request(http.method(environ.get("REQUEST_METHOD")))
        environ[KEY] = request

        def begin(
            status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
        ) -> Callable[[bytes], object]:
            request.answered(_code(status))
            request.routed(self._route(environ))
            if exc_info is None:
                return start_response(status, headers)
            return start_response(status, headers, exc_info)

        try:
            body = self.app(environ, begin)
        except BaseException as error:
            request.routed(self._route(environ))
            request.end(error)
            raise
        return _until_sent(body, request)


def _until_sent(body: Iterable[bytes], request: http.Request) -> Iterable[bytes]:
    """The body, such that the transaction ends when the server closes it."""
    if isinstance(body, (list, tuple)):
        return _SentList(body, request)
    wrapped = getattr(body, "filelike", None)
    if (
        wrapped is not None
    ):  # a file wrapper: servers send those in their own way, if they know them
        closes = getattr(body, "close", None)

        def close() -> None:
            try:
                if closes is not None:
                    closes()
            finally:
                request.end()

        try:
            body.close = close  # type: ignore[attr-defined]
        except AttributeError:
            return _Sent(body, request)
        return body
    return _Sent(body, request)


class _Sent:
    """A body that tells when it has been sent, or given up."""

    def __init__(self, body: Iterable[bytes], request: http.Request) -> None:
        self._body = body
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except GeneratorExit:
            raise
        except BaseException as error:
            self._request.end(error)
            raise

    def close(self) -> None:
        """The server has done with it."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            self._request.end(error)
            raise
        finally:
            self._request.end()

    def __del__(self) -> None:
        self._request.end()  # a server that forgets to close


class _SentList(_Sent):
    """One whose number of parts is known: of a single part servers tell the length."""

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]


def _code(status: str) -> int:
    word = status[:3]
    return int(word) if word.isdecimal() else 0


def _known_route(environ: WSGIEnvironment) -> str | None:
    """What frameworks themselves note in the environment: bottle, Pyramid."""
    for key, attribute in (("bottle.route", "rule"), ("bfg.routes.route", "pattern")):
        found: Any = getattr(environ.get(key), attribute, None)
        if isinstance(found, str):
            return found
    return None
