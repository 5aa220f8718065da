"""Requests in Python, for where there is no C core: as ``native/{request,asgi,wsgi}.c``."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from flamespan.profiler.engine import purespans

Message = MutableMapping[str, Any]
Opening = tuple[str, str, str]
Outcome = tuple["str | None", tuple[tuple[str, str], ...], str]


class _Web:
    """What ``bind_requests`` was given."""

    key: str
    openings: Mapping[str, Opening]
    websocket: Opening
    other: Opening
    hint: Callable[[str, Any], Mapping[str, object]]
    outcome: Callable[[str, str | None, int], Outcome]
    cancelling: tuple[type[BaseException], ...]
    cancelled: str


def bind_requests(
    key: str,
    openings: Mapping[str, Opening],
    websocket: Opening,
    other: Opening,
    hint: Callable[[str, Any], Mapping[str, object]],
    outcome: Callable[[str, str | None, int], Outcome],
    cancelling: tuple[type[BaseException], ...],
    cancelled: str,
) -> None:
    """What is needed of the rest, once; see ``_native.pyi``."""
    _Web.key, _Web.openings, _Web.websocket, _Web.other = key, openings, websocket, other
    _Web.hint, _Web.outcome = staticmethod(hint), staticmethod(outcome)
    _Web.cancelling, _Web.cancelled = cancelling, cancelled


class Request:
    """A request from its first line of code until its body has been sent; see ``_native.pyi``."""

    def __init__(self, method: object, path: object = None, *, is_websocket: bool = False) -> None:
        opening = _Web.websocket
        if not is_websocket:
            opening = _Web.openings.get(method, _Web.other) if type(method) is str else _Web.other
        self._prefix, self._name, op = opening
        self.route: str | None = None
        self.code = 0
        self._held: MutableMapping[str, Any] | None = None
        self.ask: Callable[[Any], str | None] | None = None
        hint = None if purespans.state.decide is None else _Web.hint(self._prefix, path)
        self.span: Any = purespans.Scope(True, self._name, op, "", None, hint).begin()
        self.done = self.span.log is None  # the recording has ended just now
        self._token = None if self.done else purespans.activate(self.span)

    def hold(self, held: MutableMapping[str, Any], ask: Callable[[Any], str | None] | None) -> None:
        """Be found in ``held`` as long as it goes on, and ask there for the route."""
        self._held, self.ask = held, ask
        held[_Web.key] = self

    def finish(self, error: BaseException | None = None, status: str = "") -> None:
        """It is over: say what it was. A second call does nothing."""
        kept = self.span.id and self.span.log is not None
        if kept:
            self._find_route()
        if self.done:
            return
        self.done = True
        if kept:
            self._describe(self.span, error, status)
        purespans.finish(self.span, error)
        self._leave()

    def _find_route(self) -> None:
        if self.route is None and self.ask is not None and not self.done:
            with contextlib.suppress(Exception):  # nothing of ours may fail the application
                route = self.ask(self._held)
                self.route = route if type(route) is str else None

    def _describe(self, span: Any, error: BaseException | None, status: str) -> None:
        if error is not None and not self.code and not isinstance(error, _Web.cancelling):
            self.code = 500
        name, span.tags, usual = _Web.outcome(self._prefix, self.route, self.code)
        if isinstance(error, _Web.cancelling):
            status = _Web.cancelled
        if not span.status:  # one that the application has set stays
            span.status = status or ("error" if error else usual)
        # What the application has called otherwise meanwhile stays so.
        if name is not None and span.name is self._name:
            span.name, span.renamed = name, True

    def _leave(self) -> None:
        token = self._token if self.done else None
        if token is not None and purespans.state.variable.get() is self.span:
            self._token = None
            purespans.deactivate(self.span, token)

    def leave(self) -> None:
        """Let the context that runs be as it was before, if this is over."""
        self._leave()
        held = self._held
        if held is not None and self.done:
            self._held = self.ask = None
            held.pop(_Web.key, None)


def route_reader(otherwise: Callable[[Any], str | None], *_: object) -> Callable[[Any], str | None]:
    """A function that reads a route; in Python nothing is faster than ``otherwise`` itself."""
    return otherwise


class AsgiExchange(Request):
    """A request or websocket, and what passes between server and application for it."""

    def __init__(
        self, scope: dict[str, Any], receive: Any, send: Any, route: Any, is_websocket: bool
    ) -> None:
        super().__init__(scope.get("method"), scope.get("path"), is_websocket=is_websocket)
        self.hold(scope, route)
        self._receive: Callable[[], Awaitable[Message]] = receive
        self._send: Callable[[Message], Awaitable[None]] = send
        self._gone = False

    async def receive(self) -> Message:
        """The application's ``receive``."""
        message = await self._receive()
        if message.get("type") == "http.disconnect" and not self.done:
            self._gone = True
        return message

    async def send(self, message: Message) -> None:
        """The application's ``send``."""
        kind = message.get("type")
        last = kind == "http.response.pathsend"
        if kind == "http.response.body":
            last = not message.get("more_body")
        else:
            self._note(kind, message)
        try:
            await self._send(message)
        except OSError:  # ASGI 2.4: the client is gone
            self._gone = True
            raise
        if last:
            self._end(None)

    def _note(self, kind: object, message: Message) -> None:
        """What the answer was."""
        if kind in ("http.response.start", "websocket.http.response.start"):
            code = message.get("status")
            if isinstance(code, int) and 0 < code < 1000:
                self.code = int(code)
        elif kind == "websocket.accept":
            self.code = 101
        elif kind == "websocket.close" and not self.code:
            self.code = 403  # what a server answers to a handshake that is not accepted

    def _end(self, error: BaseException | None) -> None:
        self.finish(error, _Web.cancelled if self._gone else "")

    def end(self, error: BaseException | None = None) -> None:
        """The application has returned, or raised this error."""
        self._end(error)
        self.leave()


asgi_exchange = AsgiExchange


class WsgiExchange(Request):
    """A request, and its body, which tells when it is closed."""

    def __init__(self, environ: dict[str, Any], start_response: Any, route: Any) -> None:
        super().__init__(environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"))
        self.hold(environ, route)
        self._start_response = start_response
        self._body: Iterable[bytes] | None = None
        self._steps: Iterator[bytes] | None = None
        self._whole = False

    def start_response(self, *args: Any, **more: Any) -> Any:
        """The application's ``start_response``."""
        status = args[0][:3] if args and isinstance(args[0], str) else ""
        if len(status) == 3 and status.isascii() and status.isdigit():
            self.code = int(status) or self.code
        self._find_route()  # a framework may know it no more at the end
        return self._start_response(*args, **more)

    def answer(self, body: Iterable[bytes], whole: bool) -> WsgiExchange:
        """What the server gets as the body; ``whole``: it is not sent."""
        self._body, self._whole = body, whole
        return self

    def end(self, error: BaseException | None = None) -> None:
        """It is over, maybe with this error."""
        self.finish(error)
        self.leave()

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type] # TypeError, where it has none

    def __bool__(self) -> bool:
        return True  # or it would be asked for its length

    def __iter__(self) -> WsgiExchange:
        return self

    def __next__(self) -> bytes:
        if self._body is None:
            raise StopIteration
        try:
            if self._steps is None:
                self._steps = iter(self._body)
            return next(self._steps)
        except StopIteration:
            self._whole = True
            raise
        except BaseException as error:
            self.finish(error)
            raise

    def close(self) -> None:
        """All was sent, or the client is gone."""
        failed: BaseException | None = None
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            failed = error
            raise
        finally:
            cut = self._steps is not None and not self._whole
            self.finish(failed, _Web.cancelled if cut else "")
            self.leave()


wsgi_exchange = WsgiExchange
