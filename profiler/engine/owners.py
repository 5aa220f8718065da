"""Which span a thread is working on, as far as another thread can tell.

A thread's own context cannot be read from outside in Python, but two things can: the table that
spans keep at entry and exit, and the context of the task that a loop says it is running.
"""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Mapping
from contextvars import Context
from typing import Any

from flamespan.profiler import active, switching
from flamespan.profiler.active import Span
from flamespan.profiler.model import NO_SPAN

SPAN_RULE = "thread+task"

_contexts: weakref.WeakKeyDictionary[Any, Context] = weakref.WeakKeyDictionary()


def owner(ident: int) -> Span | None:
    """The span object that thread ``ident`` is working on, open or not.

    In a thread that runs an asyncio loop or trio only its current task counts, and where there
    are greenlets only the one that runs: between two tasks, and in a greenlet that entered no
    span, there is no owner, rather than a guess.
    """
    try:
        loop = switching.LOOPS.get(ident)
        if loop is not None:
            if loop.is_running():
                task = sys.modules["asyncio"].current_task(loop)
                context = None if task is None else context_of(task)
                return None if context is None else context.get(active.ACTIVE)
            if loop.is_closed():
                switching.LOOPS.pop(ident, None)
        run = switching.TRIO.get(ident)
        if run and "runner" in run:
            task = run.get("task")
            return None if task is None else task.context.get(active.ACTIVE)
        greenlets = switching.GREENLETS.get(ident)
        if greenlets:
            return _of_running(greenlets)
    except Exception:  # a foreign loop or task class that does not answer: nobody's, then
        return None
    return active.BY_THREAD.get(ident)


def _of_running(greenlets: Mapping[Any, Span]) -> Span | None:
    """What the greenlet noted that runs: the only one alive without a frame to go on from."""
    for greenlet, span in list(greenlets.items()):
        if greenlet and greenlet.gr_frame is None:
            return span
    return None


def span_id(span: Span | None) -> int:
    """The id that a sample carries: of the nearest span that is still open."""
    open_one = None if span is None else span.open_ancestor()
    return NO_SPAN if open_one is None else open_one.id


def since_ns(span: Span | None, ident: int, now_ns: int) -> int:
    """Since when thread ``ident`` is known to be there: the oldest span it opened; else now."""
    found = now_ns
    while span is not None:
        if span.thread_ident == ident:
            found = span.start_ns
        span = span.parent
    return found


def is_left_out(span: Span | None) -> bool:
    """Whether the span is of a transaction that is not recorded."""
    open_one = None if span is None else span.open_ancestor()
    return open_one is not None and not open_one.id


def context_of(task: Any) -> Context | None:
    """The context that a task of asyncio's runs in."""
    if hasattr(task, "get_context"):
        found: Context | None = task.get_context()
        return found
    # Python 3.11 keeps a task's context to itself, but it is the first context that the task
    # refers to (others belong to its callbacks); a task written in Python has an attribute.
    try:
        known = _contexts.get(task)
        if known is None:
            near = [getattr(task, "_context", None), *gc.get_referents(task)]
            known = next((x for x in near if type(x) is Context), None)
            if known is not None:
                _contexts[task] = known
    except TypeError:  # a task class without weak references or hashing
        return None
    return known
