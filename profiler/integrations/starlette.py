"""Starlette and FastAPI: requests are named by their routes, background tasks are transactions.

app.add_middleware(Middleware)
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, MutableMapping
from typing import Any

from flamespan.profiler.engine.spancore import transaction
from flamespan.profiler.errors import UsageError
from flamespan.profiler.integrations import asgi

try:
    from starlette import background
    from starlette.routing import Match
except ImportError:
    raise UsageError(
        "Starlette is not installed; this is its integration: pip install starlette"
    ) from None

BACKGROUND_OP = "task.background"
_DEEPEST = 32


class Middleware(asgi.Middleware):
    """A transaction around each request and websocket, and one around each background task."""

    def __init__(self, app: asgi.App) -> None:
        super().__init__(app, _Routes())
        _name_background_tasks()


class _Routes:
    """Finds a request's route: by its endpoint, or by matching anew where that has several."""

    def __init__(self) -> None:
        self._paths: dict[Any, set[str]] = {}

    def __call__(self, scope: MutableMapping[str, Any]) -> str | None:
        endpoint, router = scope.get("endpoint"), scope.get("router")
        routes = getattr(router, "routes", None)
        if endpoint is None or routes is None:
            return asgi.known_route(scope)
        included = _included_path(scope)
        if included and scope.get("root_path", "") == _outer_root(scope):
            return included
        try:
            paths = self._paths.get(endpoint)
            if paths is None:  # a route that was added since
                self._paths.clear()
                _collect(routes, "", self._paths)
                paths = self._paths.get(endpoint, set())
        except TypeError:  # an endpoint that cannot be a key
            paths = set()
        if len(paths) == 1:
            return next(iter(paths))
        found = _matching(routes, _before_routing(scope), "", included or "")
        return found or asgi.known_route(scope)


def _collect(routes: Iterable[Any], prefix: str, into: dict[Any, set[str]], depth: int = 0) -> None:
    for route in routes:
        path = prefix + getattr(route, "path", "")
        below = getattr(route, "routes", None)
        if below and depth < _DEEPEST:
            _collect(below, path, into, depth + 1)
        else:
            endpoint = getattr(route, "endpoint", None) or getattr(route, "app", None)
            if endpoint is not None:
                into.setdefault(endpoint, set()).add(path)


def _included_path(scope: MutableMapping[str, Any]) -> str | None:
    """The whole path where FastAPI (0.115 on, by what it notes in the scope) included a router."""
    noted = scope.get("fastapi")
    for context in noted.values() if isinstance(noted, dict) else ():
        path = getattr(context, "path", None)
        if isinstance(path, str) and hasattr(context, "original_route"):
            return path
    return None


def _outer_root(scope: MutableMapping[str, Any]) -> str:
    root: str = scope.get("app_root_path", scope.get("root_path", ""))
    return root


def _before_routing(scope: MutableMapping[str, Any]) -> dict[str, Any]:
    """The scope as it was before routers changed it."""
    kept = {key: value for key, value in scope.items() if key != "fastapi"}
    return {**kept, "root_path": _outer_root(scope), "path_params": {}}


def _matching(
    routes: Iterable[Any], scope: dict[str, Any], prefix: str, included: str
) -> str | None:
    """The path of the first route that matches, as Starlette's router looks for it.

    ``included`` is the path of one that stands for a router that FastAPI included.
    """
    partial = None
    for route in routes:
        match, child = route.matches(scope)
        if match is Match.NONE:
            continue
        path = prefix + getattr(route, "path", included)
        below = getattr(route, "routes", None)
        deeper = _matching(below, {**scope, **child}, path, included) if below else None
        found = deeper or path
        if match is Match.FULL:
            return found
        partial = partial or found
    return partial


def _name_background_tasks() -> None:
    """Put a transaction around each background task, once for the process."""
    run = background.BackgroundTask.__call__
    if hasattr(run, "flamespan"):
        return

    @functools.wraps(run)
    async def call(self: background.BackgroundTask) -> None:
        with transaction(name_of(self.func), BACKGROUND_OP):
            await run(self)

    call.flamespan = True  # type: ignore[attr-defined]
    background.BackgroundTask.__call__ = call  # type: ignore[method-assign]


def name_of(function: Any) -> str:
    """A function by module and qualified name; of a partial, what it calls."""
    while isinstance(function, functools.partial):
        function = function.func
    if not hasattr(function, "__qualname__"):
        function = type(function)
    return f"{function.__module__}.{function.__qualname__}"
