"""ASGI 3: each request and websocket a transaction, until the last of the body has been sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from flamespan.profiler import session
from flamespan.profiler.active import RECORDING
from flamespan.profiler.integrations.http import KEY, Request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Route = Callable[[Scope], str | None]


class Middleware:
    """Wraps an ASGI application: ``app = Middleware(app)``, or ``app.add_middleware(Middleware)``.

    ``route(scope)`` may give the route's template, asked when the request is over; without it the
    ``route`` in the scope is, as FastAPI sets it. What the application does after the last of the
    body has been sent is not the request's. Lifespan passes through; at its end what is recorded is
    written, since some servers then die of the signal that ended them, past ``atexit``.
    """

    def __init__(self, app: App, *, route: Route | None = None) -> None:
        self.app = app
        self._route = route or route_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        kind = scope["type"]
        if RECORDING.log is None or KEY in scope or kind not in ("http", "websocket"):
            await self.app(scope, receive, _flushing(send) if kind == "lifespan" else send)
            return
        exchange = _Exchange(scope, receive, send, self._route)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.end(error)
            exchange.leave()
            raise
        if not exchange.done:
            exchange.end()
        exchange.leave()


class _Exchange(Request):
    """A request, and what passes between server and application for it."""

    __slots__ = ("_gone", "_receive", "_route", "_scope", "_send")

    def __init__(self, scope: Scope, receive: Receive, send: Send, route: Route) -> None:
        if scope["type"] == "http":
            super().__init__(scope.get("method"))
        else:
            super().__init__("GET", "websocket.server")
        scope[KEY] = self
        self._scope, self._receive, self._send, self._route = scope, receive, send, route
        self._gone = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self.done:
            self._gone = True
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        try:
            await self._send(message)
        except OSError:  # ASGI 2.4: the client is gone
            self._gone = True
            raise
        if kind == "http.response.body":
            if not message.get("more_body"):
                self.end()
        elif kind == "http.response.pathsend":
            self.end()
        else:
            self._note(kind, message)

    def _note(self, kind: str, message: Message) -> None:
        """What the answer was."""
        if kind in ("http.response.start", "websocket.http.response.start"):
            self.code = message["status"]
        elif kind == "websocket.accept":
            self.code = 101
        elif kind == "websocket.close" and not self.code:
            self.code = 403  # what a server answers to a handshake that is not accepted

    def end(self, error: BaseException | None = None) -> None:
        """It is over, in whatever way."""
        if not self.done and self.route is None:
            try:
                self.route = self._route(self._scope)
            except Exception:  # nothing of ours may fail the application
                self.route = None
        self.finish(error, "cancelled" if self._gone else "")


def _flushing(send: Send) -> Send:
    async def sent(message: Message) -> None:
        await send(message)
        if message["type"].startswith("lifespan.shutdown."):
            session.flush()

    return sent


def route_in(scope: Scope) -> str | None:
    """The path of the ``route`` that a router has put into the scope."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else None
