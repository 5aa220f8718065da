"""Spans around functions of every kind: plain, coroutine, generator, async generator."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from typing import TYPE_CHECKING, Any

from flamespan.profiler.engine import spancore

if TYPE_CHECKING:
    from flamespan.profiler.engine.spancore import Scope


def wrap(function: Callable[..., Any], scope: Callable[[], Scope]) -> Callable[..., Any]:
    """``function`` with a fresh ``scope()`` around each call."""
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(wrap(function.__func__, scope))
    if inspect.isasyncgenfunction(function):
        return _async_generator(function, scope)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def in_coroutine(*args: Any, **kwargs: Any) -> Any:
            with scope():
                return await function(*args, **kwargs)

        return in_coroutine
    if inspect.isgeneratorfunction(function):
        return _generator(function, scope)

    @functools.wraps(function)
    def in_call(*args: Any, **kwargs: Any) -> Any:
        with scope():
            return function(*args, **kwargs)

    return in_call


class _Steps:
    """A generator's span: open from first to last step, active only while a step runs.

    A generator runs in its consumer's context, so a span that stayed active between two steps
    would take the consumer's samples.
    """

    def __init__(self, scope: Scope) -> None:
        self._span = scope.begin()
        self._token: Any = None

    def __enter__(self) -> None:
        if self._span.log is not None:
            self._token = spancore.activate(self._span)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._token is not None:
            spancore.deactivate(self._span, self._token)

    def finish(self, error: BaseException | None) -> None:
        spancore.finish(self._span, error)


def _generator(function: Callable[..., Any], scope: Callable[[], Scope]) -> Callable[..., Any]:
    @functools.wraps(function)
    def in_generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        steps = _Steps(scope())
        inner = function(*args, **kwargs)
        step, error = functools.partial(inner.send, None), None
        try:
            while True:
                try:
                    with steps:
                        item = step()
                except StopIteration as stop:
                    return stop.value
                try:
                    step = functools.partial(inner.send, (yield item))
                except GeneratorExit:
                    with steps:
                        inner.close()
                    raise
                except BaseException as thrown:
                    step = functools.partial(inner.throw, thrown)
        except GeneratorExit:
            raise
        except BaseException as raised:
            error = raised
            raise
        finally:
            steps.finish(error)

    return in_generator


def _async_generator(
    function: Callable[..., Any], scope: Callable[[], Scope]
) -> Callable[..., Any]:
    @functools.wraps(function)
    async def in_async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        steps = _Steps(scope())
        inner = function(*args, **kwargs)
        step, error = functools.partial(inner.asend, None), None
        try:
            while True:
                try:
                    with steps:
                        item = await step()
                except StopAsyncIteration:
                    return
                try:
                    step = functools.partial(inner.asend, (yield item))
                except GeneratorExit:
                    with steps:
                        await inner.aclose()
                    raise
                except BaseException as thrown:
                    step = functools.partial(inner.athrow, thrown)
        except GeneratorExit:
            raise
        except BaseException as raised:
            error = raised
            raise
        finally:
            steps.finish(error)

    return in_async_generator
