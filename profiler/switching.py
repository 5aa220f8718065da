"""Who switches tasks inside of a thread: asyncio loops, trio's runs, greenlets.

Kept for a sampler that cannot read contexts: noted when a span is entered there, asked from its
thread. What a loop or a run says of its own current task is exact; a greenlet cannot be asked for
its context while it runs, so what it noted last is kept for each.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from flamespan.profiler.active import Span

LOOPS: dict[int, Any] = {}
"""Python's thread ident → the asyncio loop that spans were entered in."""

TRIO: dict[int, dict[str, Any]] = {}
"""Python's thread ident → what trio keeps of the run in that thread ("runner", "task")."""

GREENLETS: dict[int, WeakKeyDictionary[Any, Span]] = {}
"""Python's thread ident → greenlet → the span that was last entered or left in it."""


def note(ident: int, span: Span) -> None:
    """``span`` is active in the thread that calls, ``ident``."""
    modules = sys.modules
    asyncio_events = modules.get("asyncio.events")
    if asyncio_events is not None:
        loop = asyncio_events._get_running_loop()
        if loop is not None and LOOPS.get(ident) is not loop:
            LOOPS[ident] = loop
    trio = modules.get("trio._core._run")
    if trio is not None and ident not in TRIO and hasattr(trio.GLOBAL_RUN_CONTEXT, "task"):
        TRIO[ident] = vars(trio.GLOBAL_RUN_CONTEXT)  # this thread's part of a threading.local
    greenlet = modules.get("greenlet")
    if greenlet is not None and hasattr(greenlet, "getcurrent"):
        of_thread = GREENLETS.get(ident)
        if of_thread is None:
            of_thread = GREENLETS[ident] = WeakKeyDictionary()
        of_thread[greenlet.getcurrent()] = span


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
