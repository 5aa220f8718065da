"""Django: one line in MIDDLEWARE, before all others; for sync and async views."""

from __future__ import annotations

import contextlib
import weakref
from typing import Any

from flamespan.profiler.active import RECORDING
from flamespan.profiler.integrations import needs, uvicorn
from flamespan.profiler.integrations.http import KEY, Request


class Middleware:
    """``MIDDLEWARE = ["flamespan.profiler.integrations.django.Middleware", …]``.

    A request is a transaction, named by the route of the URL configuration, until its response is
    closed. Within a WSGI or ASGI middleware of ours it says only the route.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Any) -> None:
        asgiref = needs.load("asgiref.sync", "django")
        self._get_response = get_response
        self._is_async = asgiref.iscoroutinefunction(get_response)
        if self._is_async:
            asgiref.markcoroutinefunction(self)
            uvicorn.end_with_it()

    def __call__(self, request: Any) -> Any:
        """As Django has it."""
        if self._is_async:
            return self._answer_async(request)
        ours, mine = _request_of(request)
        if ours is None:
            return self._get_response(request)
        try:
            response = self._get_response(request)
        except BaseException as error:
            _failed(ours, mine, request, error)
            raise
        return _answered(ours, mine, request, response)

    async def _answer_async(self, request: Any) -> Any:
        ours, mine = _request_of(request)
        if ours is None:
            return await self._get_response(request)
        try:
            response = await self._get_response(request)
        except BaseException as error:
            _failed(ours, mine, request, error)
            raise
        return _answered(ours, mine, request, response)


def _request_of(request: Any) -> tuple[Request | None, bool]:
    """The request of a middleware around Django, or one of our own."""
    if RECORDING.log is None:
        return None, False
    held = request.scope if hasattr(request, "scope") else request.META
    if KEY in held:
        return held[KEY], False
    ours = held[KEY] = Request(request.method, request.path)
    return ours, True


def _failed(ours: Request, mine: bool, request: Any, error: BaseException) -> None:
    ours.route = _route_of(request)
    if mine:
        ours.finish(error)


def _answered(ours: Request, mine: bool, request: Any, response: Any) -> Any:
    ours.route = _route_of(request)
    if not mine:
        return response
    ours.code = response.status_code
    response._resource_closers.append(ours.finish)
    if response.streaming:
        # A client that goes away may leave a stream that nobody closes.
        weakref.finalize(response, ours.finish, None, "cancelled").atexit = False
        if getattr(response, "file_to_stream", None) is None:
            _watch(response, ours)
    return response


def _watch(response: Any, ours: Request) -> None:
    """An error in the stream is the request's."""
    content = response.streaming_content
    if response.is_async:

        async def steps() -> Any:
            try:
                async for part in content:
                    yield part
            except BaseException as error:
                ours.finish(error)
                raise

        response.streaming_content = steps()
    else:

        def step() -> Any:
            try:
                yield from content
            except BaseException as error:
                ours.finish(error)
                raise

        response.streaming_content = step()


def _route_of(request: Any) -> str | None:
    with contextlib.suppress(Exception):
        match = request.resolver_match
        return None if match is None else "/" + str(match.route).lstrip("^/")
    return None
