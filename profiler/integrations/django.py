"""Django: each request is a transaction, named by its route; for sync and async views.

MIDDLEWARE = ["flamespan.profiler.integrations.django.middleware", ...]
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from flamespan.profiler.errors import UsageError
from flamespan.profiler.integrations import http

try:
    from asgiref.sync import iscoroutinefunction
except ImportError:
    raise UsageError(
        "Django is not installed; this is its integration: pip install django"
    ) from None


def middleware(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Django's factory of middleware, for plain and async ones.

    The first of the list covers the others, too.
    """
    if iscoroutinefunction(get_response):
        return _asynchronous(get_response)

    def answer(request: Any) -> Any:
        began = _Request(request)
        try:
            return began.closing(get_response(request))
        except BaseException as error:
            began.end(error)
            raise

    return answer


middleware.sync_capable = middleware.async_capable = True  # type: ignore[attr-defined]


def _asynchronous(
    get_response: Callable[[Any], Awaitable[Any]],
) -> Callable[[Any], Awaitable[Any]]:
    async def answer(request: Any) -> Any:
        began = _Request(request)
        try:
            return began.closing(await get_response(request))
        except BaseException as error:
            began.end(error)
            raise

    return answer


class _Request(http.Request):
    """A request's transaction, which ends when Django closes the response."""

    __slots__ = ("_request",)

    def __init__(self, request: Any) -> None:
        super().__init__(http.method(request.method))
        self._request = request

    def closing(self, response: Any) -> Any:
        """Servers close a response when its body has been sent."""
        match = self._request.resolver_match
        if match is not None:
            self.routed("/" + match.route.lstrip("^/"))
        self.answered(response.status_code)
        close = response.close

        def close_and_end() -> None:
            try:
                close()
            finally:
                self.end()

        response.close = close_and_end
        return response
