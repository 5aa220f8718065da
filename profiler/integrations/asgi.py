"""ASGI (3.0): each request or websocket of an application is a transaction.

    app = Middleware(app)

That of a request ends when its body has been sent: what a framework does afterwards on the same
task ("background tasks") is not the request's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from flamespan.profiler.integrations import http
from flamespan.profiler.session import flush

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

KEY = "flamespan.request"
"""Where the scope has the ``http.Request``: whoever knows the route names it there."""

WEBSOCKET_OP = "websocket.server"
_CLOSED_WELL = (1000, 1001, 1005)


class Middleware:
    """An application with a transaction around each request and websocket; lifespan passes through.

    Args:
        app: the application.
        route: ``(scope) -> str | None``, asked when the answer begins and again at the end: the
            route that serves the request. Without one it is what the framework notes in the scope,
            as Starlette and FastAPI do.
    """

    def __init__(
        self, app: App, route: Callable[[MutableMapping[str, Any]], str | None] | None = None
    ) -> None:
        self.app = app
        self._route = route or known_route

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, _flushing(send))
            return
        if scope["type"] not in ("http", "websocket") or KEY in scope:
            await self.app(scope, receive, send)
            return
        kind = _Request if scope["type"] == "http" else _Websocket
        request = kind(scope, self._route)
        scope[KEY] = request.http
        try:
            await self.app(scope, request.receiving(receive), request.sending(send))
        except BaseException as error:
            request.end(error)
            raise
        request.end()


def _flushing(send: Send) -> Send:
    """Write what was recorded when the application has shut down.

    uvicorn then ends the process by the signal that it was sent, and nothing runs at such an end.
    """

    async def sent(message: Message) -> None:
        if message["type"].startswith("lifespan.shutdown."):
            flush()
        await send(message)

    return sent


class _Request:
    """What goes to and fro in a request, as its transaction sees it."""

    def __init__(
        self,
        scope: MutableMapping[str, Any],
        route: Callable[[MutableMapping[str, Any]], str | None],
    ) -> None:
        self._asgi = scope
        self._route = route
        self._named = self.complete = False
        self.http = self.begin()

    def begin(self) -> http.Request:
        return http.Request(http.method(self._asgi.get("method")))

    def name(self) -> None:
        """By its route, as soon as that is known."""
        route = None if self._named else self._route(self._asgi)
        if route:
            self._named = True
            self.http.routed(route)

    def receiving(self, receive: Receive) -> Receive:
        return receive

    def sending(self, send: Send) -> Send:
        async def sent(message: Message) -> None:
            kind = message["type"]
            if kind == "http.response.start":
                self.http.answered(int(message["status"]))
                self.name()
            await send(message)
            if kind == "http.response.body" and not message.get("more_body", False):
                self.complete = True
                self.end()

        return sent

    def end(self, error: BaseException | None = None) -> None:
        self.name()
        if error is None and not self.complete:  # whoever asked has gone, or nobody was told
            self.http.span.set_status("cancelled")
        self.http.end(error)


class _Websocket(_Request):
    """A websocket's transaction: from the handshake until either side has closed it."""

    def begin(self) -> http.Request:
        return http.Request("WEBSOCKET", WEBSOCKET_OP)

    def _closed(self, code: int) -> None:
        self.complete = True
        self.http.span.set_tag("websocket.close_code", code)
        self.http.span.set_status("ok" if code in _CLOSED_WELL else "cancelled")

    def receiving(self, receive: Receive) -> Receive:
        async def received() -> Message:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self._closed(int(message.get("code") or 1005))
            return message

        return received

    def sending(self, send: Send) -> Send:
        async def sent(message: Message) -> None:
            kind = message["type"]
            if kind == "websocket.accept":
                self.name()
            await send(message)
            if kind == "websocket.close":
                self._closed(int(message.get("code", 1000)))
            elif kind == "websocket.http.response.start":  # refused with an answer of HTTP
                self.complete = True
                self.http.answered(int(message["status"]))

        return sent


def known_route(scope: MutableMapping[str, Any]) -> str | None:
    """What the framework itself notes in the scope: FastAPI's route, with the mounts above it."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else None
