"""ASGI 3: each request and websocket a transaction, until the last of the body has been sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from flamespan.profiler import session
from flamespan.profiler.active import RECORDING
from flamespan.profiler.engine.webcore import asgi_exchange
from flamespan.profiler.integrations import uvicorn
from flamespan.profiler.integrations.http import KEY

Scope = dict[str, Any]
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
        uvicorn.end_with_it()
        self.app = app
        self._route = route or route_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        kind = scope["type"]
        if RECORDING.log is None or KEY in scope or kind not in ("http", "websocket"):
            await self.app(scope, receive, _flushing(send) if kind == "lifespan" else send)
            return
        exchange = asgi_exchange(scope, receive, send, self._route, kind == "websocket")
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.end(error)
            raise
        exchange.end()


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
