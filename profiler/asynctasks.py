"""The tasks of this process's asyncio event loops, as Python tells them: name, span, await stack.

Asked for by hand (``flamespan control PID dump``), from another thread than the loops'.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator
from contextvars import Context
from types import FrameType
from typing import Any

from flamespan.profiler.active import ACTIVE
from flamespan.profiler.engine import purechain

MAX_TOLD = 1000
"""So many tasks are told with their stacks; more are only counted."""

MAX_DEPTH = 500

_RUNS_LOOP = frozenset(("run_forever", "run_until_complete", "run", "asyncio_run"))
"""Functions whose local variables hold the event loop; uvloop's own have no frames."""

_NEXT = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))


def tell() -> dict[str, Any]:
    """How many tasks there are, and the first of them: ``{"count": …, "told": […]}``."""
    asyncio = sys.modules.get("asyncio.tasks")
    if asyncio is None:
        return {"count": 0, "told": []}
    tasks: dict[int, Any] = {}
    for loop in _loops():
        with contextlib.suppress(RuntimeError):  # it changes too fast
            tasks.update((id(task), task) for task in asyncio.all_tasks(loop))
    told = [_one(task, asyncio.Task) for task in list(tasks.values())[:MAX_TOLD]]
    return {"count": len(tasks), "told": told}


def _loops() -> list[Any]:
    """The loops that run now, in any thread."""
    found: dict[int, Any] = {}
    kind = sys.modules["asyncio.events"].AbstractEventLoop
    for top in sys._current_frames().values():
        frame: FrameType | None = top
        while frame is not None:
            if frame.f_code.co_name in _RUNS_LOOP:
                held = [frame.f_locals.get(name) for name in ("self", "loop", "runner")]
                held += [getattr(value, "_loop", None) for value in held]
                found.update((id(loop), loop) for loop in held if isinstance(loop, kind))
            frame = frame.f_back
    return list(found.values())


def _one(task: Any, kind: type[Any]) -> dict[str, Any]:
    waits_for = getattr(task, "_fut_waiter", None)
    return {
        "name": task.get_name(),
        "span": _span_of(task),
        "waits_for": waits_for.get_name() if isinstance(waits_for, kind) else "",
        "frames": [place(frame) for frame in _frames(task.get_coro())],
    }


def _span_of(task: Any) -> int:
    """The number of the innermost open span in the task's context; 0: none.

    ``Task.get_context`` came with Python 3.12: what a task refers to holds it in any.
    """
    for held in gc.get_referents(task):
        if isinstance(held, Context):
            span = held.get(ACTIVE)
            span = span.open_ancestor() if span is not None else None
            return span.id if span is not None else 0
    return 0


def _frames(awaited: Any) -> Iterator[FrameType]:
    """The frames of a coroutine and of what it awaits, outermost first."""
    for _ in range(MAX_DEPTH):
        for frame, below in _NEXT:
            if hasattr(awaited, below):
                found = getattr(awaited, frame)
                if found is not None:
                    yield found
                awaited = getattr(awaited, below)
                break
        else:
            awaited = purechain.unwrapped(awaited)
        if awaited is None:
            return


def place(frame: FrameType) -> dict[str, Any]:
    """A frame's function, file and line, as they are answered."""
    code = frame.f_code
    return {"name": code.co_qualname, "file": code.co_filename, "line": frame.f_lineno or 0}
