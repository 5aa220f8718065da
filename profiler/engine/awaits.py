"""How awaitables lead on, learnt from living objects: where each keeps what it waits for.

A suspended coroutine keeps what it awaits on its value stack. Coroutines and generators are known
to the C core. What may lie between them is not declared in any header, and moves between
versions and patch releases: so one object of each kind is made here, and searched for the pointer
that it must hold.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import gc
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any, NamedTuple

from flamespan.profiler.engine import _native, forks

Wraps = tuple[tuple[type, int], ...]
"""Types of objects that wrap an awaitable, and where they point to it."""

PENDING, CANCELLED, FINISHED = 0, 1, 2
"""``fut_state`` (Modules/_asynciomodule.c)."""


@functools.cache
def wraps() -> Wraps:
    """What the interpreter itself puts between two coroutines, and what we do."""
    coroutine, agen = _coroutine(), _agen()
    step = agen.__anext__()
    found = []
    for outer, inner in (
        (coroutine.__await__(), coroutine),
        (step, agen),
        (agen.athrow(ValueError), agen),
    ):
        found.append((type(outer), _native.offset_of(outer, inner)))
        outer.close()
    # This one makes what it wraps by itself.
    default = anext(agen, None)
    (inside,) = (each for each in gc.get_referents(default) if type(each) is type(step))
    found.append((type(default), _native.offset_of(default, inside)))
    inside.close()
    step = _native.step_of(coroutine)
    found.append((type(step), _native.offset_of(step, coroutine)))
    step.close()
    return tuple((kind, at) for kind, at in found if at > 0)


class TaskKind(NamedTuple):
    """Tasks of one library; offsets are in bytes, 0: not known."""

    type: type
    coroutine: int
    context: int
    is_future: bool
    """It is a future of asyncio's; others are waited for as long as they are there."""


class AwaitTypes(NamedTuple):
    """What leads from one coroutine to the next, as far as it is known now."""

    wraps: Wraps
    waiter: type | None
    """What awaiting a future of asyncio's makes, ..."""
    waiter_future: int
    """... and where it keeps the future."""
    future: type | None
    future_state: int
    tasks: tuple[TaskKind, ...]
    forks: tuple[forks.Fork, ...]


def known() -> AwaitTypes:
    """What can be learnt of the modules that are loaded. Cheap where nothing new is."""
    waiter, waiter_future, future, future_state, *_ = _once("_asyncio", _futures) or _NO_FUTURES
    found = (_once("_asyncio", _asyncio_task), _once("trio._core._run", _trio_task))
    tasks = tuple(kind for kind in found if kind is not None)
    return AwaitTypes(wraps(), waiter, waiter_future, future, future_state, tasks, forks.known())


def has_news() -> bool:
    """Whether asyncio or trio is loaded and nothing was learnt of it yet."""
    modules = sys.modules
    return ("_asyncio" in modules and _futures not in _learnt) or (
        "trio._core._run" in modules and _trio_task not in _learnt
    )


_NO_FUTURES = (None, 0, None, 0)
_learnt: dict[Callable[[Any], Any], Any] = {}


def _once(name: str, learn: Callable[[Any], Any]) -> Any:
    """What is learnt of a module once it is loaded; None: not yet, or not in ways met so far."""
    module = sys.modules.get(name)
    if module is not None and learn not in _learnt:
        _learnt[learn] = None
        with contextlib.suppress(Exception):
            _learnt[learn] = learn(module)
    return _learnt.get(learn)


def _futures(module: Any) -> tuple[type, int, type, int] | None:
    loop = forks.no_loop(module.Future)
    pending, cancelled, finished = (module.Future(loop=loop) for _ in range(3))
    cancelled.cancel()
    finished.set_result(None)
    state = _native.offset_of_ints(pending, cancelled, finished, PENDING, CANCELLED, FINISHED)
    waiter = iter(pending)
    at = _native.offset_of(waiter, pending)
    pending.cancel()
    return (type(waiter), at, module.Future, state) if at >= 0 and state >= 0 else None


def _asyncio_task(module: Any) -> TaskKind | None:
    coroutine, context = _coroutine(), contextvars.copy_context()
    # A context is given from the outside from 3.11 on.
    task = module.Task(coroutine, loop=forks.no_loop(module.Future), context=context)
    task._log_destroy_pending = False
    at, context_at = _native.offset_of(task, coroutine), _native.offset_of(task, context)
    coroutine.close()
    return TaskKind(module.Task, at, max(context_at, 0), True) if at > 0 else None


def _trio_task(run: Any) -> TaskKind | None:
    task: Any = object.__new__(run.Task)
    task.coro, task.context = coroutine, context = _coroutine(), contextvars.copy_context()
    at, context_at = _native.offset_of(task, coroutine), _native.offset_of(task, context)
    coroutine.close()
    return TaskKind(run.Task, at, max(context_at, 0), False) if at > 0 else None


async def _coroutine() -> None:
    pass


async def _agen() -> AsyncGenerator[None, None]:
    yield


TASK_NAME = "task.name"
"""The tag of a transaction that was entered in a task."""


def name_task(span: Any) -> None:
    """Tag a transaction with the name of the task that enters it (asyncio's or trio's)."""
    asyncio: Any = sys.modules.get("asyncio")
    loop = None if asyncio is None else asyncio._get_running_loop()
    if loop is not None:
        task = asyncio.current_task(loop)
        if task is not None:
            name = task.get_name()
            # The default says nothing, and servers make a task, so a new text, for each request.
            if not (name.startswith("Task-") and name[5:].isdigit()):
                span.set_tag(TASK_NAME, name)
        return
    trio: Any = sys.modules.get("trio")
    if trio is not None:
        try:
            span.set_tag(TASK_NAME, trio.lowlevel.current_task().name)
        except RuntimeError:  # not in trio's loop
            return
