"""Proof before use: the native engine must see a parked thread just as Python itself does."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from types import FrameType

from flamespan.profiler import active
from flamespan.profiler.active import Span
from flamespan.profiler.engine.native import NativeEngine
from flamespan.profiler.model import Flag, Recording, Tables
from flamespan.profiler.spanlog import SpanLog

TIMEOUT_S = 2.0
_Place = tuple[str, str, int, int]


def trouble() -> str:
    """Why the native engine cannot be used in this process; "" when it can.

    Takes a few milliseconds: a thread is parked in a stack that has everything a stack can have,
    sampled, and compared with ``sys._current_frames()``; so is the span that is active in it.
    """
    parked, over = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=_park, args=(parked, over), name="flamespan-proof", daemon=True
    )
    thread.start()
    try:
        if not parked.wait(TIMEOUT_S):
            return "its proof could not be set up in time"
        return _compare(thread.ident or 0)
    except RuntimeError as error:
        return str(error)
    finally:
        over.set()
        thread.join(TIMEOUT_S)


def _park(parked: threading.Event, over: threading.Event) -> None:
    """Wait below Python calls, a call from C, a generator and a class body, in a span."""
    span = Span(SpanLog(), None, "proof", "", "")
    inner = Span(SpanLog(), span, "", "proof", "")
    inner.end_ns = 1  # a closed span stands for the open one around it
    token = active.ACTIVE.set(inner)
    _spans.append(span.id)

    def generate() -> Iterator[None]:
        class Body:
            parked.set()
            over.wait()

        yield None

    max([0, 1], key=lambda _: next(generate()) or 0)
    active.ACTIVE.reset(token)


_spans: list[int] = []


def _compare(ident: int) -> str:
    engine = NativeEngine((200, 56))
    engine.start(1_000_000)
    try:
        until = TIMEOUT_S
        while engine.stats().passes < 3 and until > 0:
            threading.Event().wait(0.001)
            until -= 0.001
    finally:
        engine.stop()
    batch = engine.drain()
    if not len(batch.samples):
        return "its proof gave no sample"
    whole = Recording(header=None, tables=Tables())  # type: ignore[arg-type]
    whole.tables.add(batch.definitions)
    index = next((t.index for t in batch.definitions.threads if t.ident == ident), None)
    places = [i for i, thread in enumerate(batch.samples.thread) if thread == index]
    if not places:
        return "its proof did not find the thread"
    at = places[-1]
    if batch.samples.flags[at] & Flag.TORN or _stack(whole.tables, batch.samples.stack[at]) != (
        _frames(sys._current_frames().get(ident))
    ):
        return "its proof saw another stack than there was"
    if batch.samples.span[at] != _spans[-1]:
        return "its proof saw another span than there was"
    return ""


def _stack(tables: Tables, stack: int) -> list[_Place]:
    found = []
    for frame in tables.stacks.frames(stack):
        function = tables.functions[tables.frame_function[frame]]
        line = tables.frame_line[frame]
        found.append((function.name, function.file, function.first_line, line))
    return found


def _frames(frame: FrameType | None) -> list[_Place]:
    found = []
    while frame is not None:
        code = frame.f_code
        found.append(
            (code.co_qualname, code.co_filename, code.co_firstlineno, frame.f_lineno or 0)
        )
        frame = frame.f_back
    return found[::-1]
