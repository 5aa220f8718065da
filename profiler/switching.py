"""Who switches tasks inside of a thread: asyncio loops, trio's runs, greenlets.

Kept for a sampler that cannot read contexts: noted when a span is entered there, asked from its
thread. What a loop or a run says of its own current task is exact; a greenlet cannot be asked for
its context while it runs, so what it noted last is kept for each.
"""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ReferenceType, WeakKeyDictionary, ref

if TYPE_CHECKING:
    from flamespan.profiler.active import Span

LOOPS: dict[int, Any] = {}
"""Python's thread ident → the asyncio loop that spans were entered in."""

TRIO: dict[int, dict[str, Any]] = {}
"""Python's thread ident → what trio keeps of the run in that thread ("runner", "task")."""


class Note(NamedTuple):
    """A transaction that was entered in a task or greenlet of the thread ``ident``."""

    span_id: int
    start_ns: int
    ident: int
    task: ReferenceType[Any]


TASKS: deque[Note] = deque(maxlen=100_000)
"""Transactions that were entered in tasks and greenlets, until the sampler takes them."""

GREENLETS: dict[int, WeakKeyDictionary[Any, Span]] = {}
"""Python's thread ident → greenlet → the span that was last entered or left in it."""


def note(ident: int, span: Span) -> None:
    """``span`` is active in the thread that calls, ``ident``."""
    place = _note_place(ident, span)
    if place is not None and span.is_root and span.id:
        with contextlib.suppress(TypeError):  # a task class without weak references
            TASKS.append(Note(span.id, span.start_ns, ident, ref(place)))


def _note_place(ident: int, span: Span) -> Any:
    """Note what is to be asked for this thread. The task or greenlet that enters a transaction."""
    modules = sys.modules
    place = None
    asyncio_events = modules.get("asyncio.events")
    if asyncio_events is not None:
        loop = asyncio_events._get_running_loop()
        if loop is not None:
            if LOOPS.get(ident) is not loop:
                LOOPS[ident] = loop
            if span.is_root:
                place = modules["asyncio"].current_task(loop)
    trio = modules.get("trio._core._run")
    if trio is not None and hasattr(trio.GLOBAL_RUN_CONTEXT, "task"):
        if ident not in TRIO:
            TRIO[ident] = vars(trio.GLOBAL_RUN_CONTEXT)  # this thread's part of a threading.local
        place = place or trio.GLOBAL_RUN_CONTEXT.task
    greenlet = modules.get("greenlet")
    if greenlet is not None and hasattr(greenlet, "getcurrent"):
        of_thread = GREENLETS.get(ident)
        if of_thread is None:
            of_thread = GREENLETS[ident] = WeakKeyDictionary()
        running = greenlet.getcurrent()
        of_thread[running] = span
        if place is None and running.parent is not None:  # a thread's first one is the thread
            place = running
    return place


def note_none(ident: int) -> None:
    """No span is active any more where the thread ``ident`` runs now."""
    of_thread = GREENLETS.get(ident)
    if of_thread:
        of_thread.pop(sys.modules["greenlet"].getcurrent(), None)


def forget(ident: int) -> None:
    """The thread is gone."""
    for table in (LOOPS, TRIO, GREENLETS):
        table.pop(ident, None)


def forget_all() -> None:
    """Nobody asks any more, or the threads are those of another process."""
    for table in (LOOPS, TRIO, GREENLETS):
        table.clear()
    TASKS.clear()
