"""Starlette and FastAPI: ``instrument(app)``."""

from __future__ import annotations

import functools
from typing import Any

from flamespan.profiler.engine import webcore
from flamespan.profiler.integrations import needs
from flamespan.profiler.integrations.asgi import Middleware, Scope, route_in
from flamespan.profiler.integrations.job import name_of
from flamespan.profiler.spans import transaction

_DONE = "_flamespan"


def instrument(app: Any) -> Any:
    """Make each request and websocket of this application a transaction, named by its route.

    It goes around all other middleware. A background task is a transaction of its own, named by
    its function. Gives the application back; a second call does nothing. UsageError where
    Starlette is missing.
    """
    background = needs.load("starlette.background", "starlette")
    routing = needs.load("starlette.routing", "starlette")
    if getattr(app, _DONE, False):
        return app
    setattr(app, _DONE, True)
    _wrap_background(background.BackgroundTask)
    # Below a mount, or in a router that FastAPI included, the route alone does not know it all.
    whole = functools.partial(_route, routing, app)
    names = webcore.route_reader(whole, "route", ("path",), ("app_root_path", "fastapi"))
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: Middleware(build(), route=names)
    if app.middleware_stack is not None:
        app.middleware_stack = Middleware(app.middleware_stack, route=names)
    return app


def _route(routing: Any, app: Any, scope: Scope) -> str | None:
    """The template; with what it is mounted below, where the routes themselves can tell."""
    if "endpoint" not in scope:
        return None  # no route at all
    included = _included(scope)
    root = scope.get("app_root_path", scope.get("root_path", ""))
    if root != scope.get("root_path", "") or ("route" not in scope and not included):
        # Below a mount a route knows only its end: it is told from the outermost root again.
        kept = {key: value for key, value in scope.items() if key != "fastapi"}
        return _matching(
            routing, app.routes, {**kept, "root_path": root, "path_params": {}}, included or ""
        )
    return included or route_in(scope)


def _included(scope: Scope) -> str | None:
    """The whole path of a route in a router that FastAPI included, as it notes it in the scope."""
    noted = scope.get("fastapi")
    for context in noted.values() if isinstance(noted, dict) else ():
        path = getattr(context, "path", None)
        if isinstance(path, str) and hasattr(context, "original_route"):
            return path
    return None


def _matching(routing: Any, routes: Any, scope: Scope, included: str) -> str | None:
    """The first route that matches. One without a path stands for a router that was included."""
    partial = None
    for route in routes:
        match, child = route.matches(scope)
        if match == routing.Match.NONE:
            continue
        path = getattr(route, "path", included)
        inner = getattr(route, "routes", None)
        below = _matching(routing, inner, {**scope, **child}, included) if inner else ""
        if below is None:
            continue
        if match == routing.Match.FULL:
            return f"{path}{below}"
        partial = partial or f"{path}{below}"
    return partial


def _wrap_background(kind: Any) -> None:
    call = kind.__call__
    if hasattr(call, _DONE):
        return

    @functools.wraps(call)
    async def run(self: Any) -> None:
        with transaction(name_of(self.func), op="task.background"):
            await call(self)

    setattr(run, _DONE, True)
    kind.__call__ = run
