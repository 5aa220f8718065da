"""How awaitables lead on, learnt from living objects: where each keeps what it waits for.

A suspended coroutine keeps what it awaits on its value stack. Coroutines and generators are known
to the C core. What may lie between them is not declared in any header, and moves between
versions and patch releases: so one object of each kind is made here, and searched for the pointer
that it must hold.
"""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

from flamespan.profiler.engine import _native

Wraps = tuple[tuple[type, int], ...]
"""Types of objects that wrap an awaitable, and where they point to it."""

PENDING, CANCELLED, FINISHED = 0, 1, 2
"""``fut_state`` (Modules/_asynciomodule.c)."""


@functools.cache
def wraps() -> Wraps:
    """What the interpreter itself puts between two coroutines."""
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
    coroutine.close()
    return tuple((kind, at) for kind, at in found if at > 0)


class AsyncioTypes(NamedTuple):
    """What leads through asyncio's futures and tasks; offsets are in bytes."""

    waiter: type
    """What awaiting a future makes, ..."""
    waiter_future: int
    """... and where it keeps the future."""
    future_state: int
    task: type | None
    task_coroutine: int


def asyncio_types() -> AsyncioTypes | None:
    """None: asyncio's C part is not loaded, or keeps these things in ways not met yet."""
    module = sys.modules.get("_asyncio")
    if module is None:
        return None
    loop: Any = _NoLoop()
    pending, cancelled, finished = (module.Future(loop=loop) for _ in range(3))
    cancelled.cancel()
    finished.set_result(None)
    state = _native.offset_of_ints(pending, cancelled, finished, PENDING, CANCELLED, FINISHED)
    waiter = iter(pending)
    at = _native.offset_of(waiter, pending)
    kept = type(waiter)
    pending.cancel()
    del waiter
    if at < 0 or state < 0:
        return None
    coroutine_at = _coroutine_of_task(module.Task)
    task = module.Task if coroutine_at > 0 else None
    return AsyncioTypes(kept, at, state, task, max(coroutine_at, 0))


class _NoLoop:
    """Enough of an event loop for futures that nobody waits for."""

    def get_debug(self) -> bool:
        return False

    def call_soon(self, *_: object, **__: object) -> None:
        pass

    def call_exception_handler(self, *_: object) -> None:
        pass

    def is_running(self) -> bool:
        return False


def _coroutine_of_task(kind: Any) -> int:
    coroutine = _coroutine()
    task = kind(coroutine, loop=_NoLoop())
    task._log_destroy_pending = False
    at = int(_native.offset_of(task, coroutine))
    coroutine.close()
    return at


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
