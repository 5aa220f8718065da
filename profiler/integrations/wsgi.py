"""WSGI (PEP 3333): each request a transaction, from the call until the server closes the body."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flamespan.profiler.active import RECORDING
from flamespan.profiler.integrations.http import KEY, Request

App = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Middleware:
    """Wraps a WSGI application: ``app = Middleware(app)``.

    ``route(environ)`` may give the route's template, asked when the request is over; frameworks
    with an integration say it themselves. Inside of another one it does nothing.
    """

    def __init__(
        self, app: App, *, route: Callable[[dict[str, Any]], str | None] | None = None
    ) -> None:
        self.app = app
        self._route = route

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """As WSGI has it."""
        if RECORDING.log is None or KEY in environ:
            return self.app(environ, start_response)
        request = environ[KEY] = Request(environ.get("REQUEST_METHOD"))

        def answer(status: str, *rest: Any) -> Any:
            with contextlib.suppress(ValueError):
                request.code = int(status[:3])
            return start_response(status, *rest)

        def finish(error: BaseException | None = None, status: str = "") -> None:
            if self._route is not None and request.route is None and not request.done:
                with contextlib.suppress(Exception):
                    request.route = self._route(environ)
            request.finish(error, status)

        try:
            body = self.app(environ, answer)
        except BaseException as error:
            finish(error)
            raise
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper):
            _tell_of_close(body, finish)
            return body
        return _Body(body, finish, environ.get("REQUEST_METHOD") == "HEAD")


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


class _Body:
    """The body, which tells when it is closed."""

    __slots__ = ("_body", "_finish", "_step", "_whole")

    def __init__(self, body: Iterable[bytes], finish: Callable[..., None], whole: bool) -> None:
        self._body = body
        self._finish = finish
        self._step: Iterator[bytes] | None = None
        self._whole = whole

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type] # TypeError, where it has none

    def __bool__(self) -> bool:
        return True  # or it would be asked for its length

    def __iter__(self) -> _Body:
        return self

    def __next__(self) -> bytes:
        try:
            if self._step is None:
                self._step = iter(self._body)
            return next(self._step)
        except StopIteration:
            self._whole = True
            raise
        except BaseException as error:
            self._finish(error)
            raise

    def close(self) -> None:
        """The server is done: all was sent, or the client is gone."""
        failed: BaseException | None = None
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            failed = error
            raise
        finally:
            cut = self._step is not None and not self._whole
            self._finish(failed, "cancelled" if cut else "")
