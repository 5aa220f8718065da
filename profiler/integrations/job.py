"""Jobs of any queue: ``@job`` around what a worker calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from flamespan.profiler.spans import transaction

F = TypeVar("F", bound=Callable[..., Any])


def name_of(function: Any) -> str:
    """Module and qualified name; of a partial or callable object what is below."""
    while not hasattr(function, "__qualname__"):
        function = getattr(function, "func", type(function))
    return f"{function.__module__}.{function.__qualname__}"


@overload
def job(name: F) -> F: ...
@overload
def job(name: str | None = None, *, op: str = "queue.task") -> Callable[[F], F]: ...
def job(name: Any = None, *, op: str = "queue.task") -> Any:
    """Make each call of a function a transaction; ``@job``, ``@job()`` or ``@job("its name")``.

    The function may be a plain one, a coroutine or a generator. Its name, unless told, is its
    module and qualified name. No arguments are kept.
    """
    if callable(name):
        return transaction(name_of(name), op=op)(name)

    def decorate(function: F) -> F:
        return transaction(name or name_of(function), op=op)(function)

    return decorate
