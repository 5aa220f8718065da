"""Jobs of any queue: a function whose every call is a transaction.

@job
def send_mail(to): ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from flamespan.profiler.engine.spancore import transaction

F = TypeVar("F", bound=Callable[..., Any])

OP = "queue.task"


@overload
def job(function: F, /) -> F: ...
@overload
def job(*, name: str = "", op: str = OP) -> Callable[[F], F]: ...
def job(
    function: Callable[..., Any] | None = None, /, *, name: str = "", op: str = OP
) -> Callable[..., Any]:
    """Make each call of a function a transaction, called by its module and name.

    For plain functions, coroutines, generators and asynchronous generators; below the decorator
    of the queue, so that the queue sees what this gives:

        @queue.task
        @job
        def send_mail(to): ...

    Arguments are not kept. An exception makes the transaction's status "error" and passes through.
    """

    def decorated(inner: F) -> F:
        return transaction(name or f"{inner.__module__}.{inner.__qualname__}", op)(inner)

    return decorated if function is None else decorated(function)
