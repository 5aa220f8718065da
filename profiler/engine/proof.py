"""Proof before use: the native engine must see a parked thread just as Python itself does."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from types import FrameType

from flamespan.profiler import active, systhreads
from flamespan.profiler.active import Span
from flamespan.profiler.engine.native import NativeEngine
from flamespan.profiler.model import Flag, Recording, Tables
from flamespan.profiler.systhreads import SystemThread

TIMEOUT_S = 2.0
PROOF_SPAN = 1 << 40
_Place = tuple[str, str, int, int]


def trouble() -> str:
    """Why the native engine cannot be used in this process; "" when it can.

    Takes a few milliseconds: a thread is parked in a stack that has everything a stack can have,
    sampled, and compared with what the thread itself said of its stack; so is the span that is
    active in it. (Asking ``sys._current_frames()`` is not safe beside subinterpreters.)
    """
    parked = _Parked()
    thread = SystemThread(parked.run, (), "flamespan-proof")
    thread.start()
    try:
        if not parked.ready.acquire(timeout=TIMEOUT_S):
            return "its proof could not be set up in time"
        return _compare(parked, thread.ident or 0)
    except RuntimeError as error:
        return str(error)
    finally:
        parked.gate.release()
        thread.join(TIMEOUT_S)


class _Parked:
    """A thread that waits below Python calls, a call from C, a generator and a class body."""

    def __init__(self) -> None:
        self.ready = systhreads.allocate_lock()
        self.ready.acquire()
        self.gate = systhreads.allocate_lock()
        self.gate.acquire()
        self.stack: list[_Place] = []
        self.span = 0

    def run(self) -> None:
        """Park in a span; a closed span inside of it must not count."""
        span = Span(PROOF_SPAN)
        inner = Span(PROOF_SPAN + 1, span)
        inner.end_ns = 1
        self.span = span.id
        token = active.ACTIVE.set(inner)
        max([0, 1], key=lambda _: next(self.generate()) or 0)
        active.ACTIVE.reset(token)

    def generate(self) -> Iterator[None]:
        """Park once, in a class body."""

        class Body:
            if not self.stack:
                # On one line, so that the stack that is told is the stack that is parked in.
                self.stack += _frames(sys._getframe()); self.ready.release(); self.gate.acquire()  # noqa: E702  # fmt: skip

        yield None


def _compare(parked: _Parked, ident: int) -> str:
    engine = NativeEngine((200, 56))
    engine.start(1_000_000)
    try:
        until = time.monotonic() + TIMEOUT_S
        while engine.stats().passes < 3 and time.monotonic() < until:
            systhreads.sleep(0.001)
    finally:
        engine.stop()
    batch = engine.drain()
    whole = Recording(header=None, tables=Tables())  # type: ignore[arg-type]
    whole.tables.add(batch.definitions)
    index = next((t.index for t in batch.definitions.threads if t.ident == ident), None)
    places = [i for i, thread in enumerate(batch.samples.thread) if thread == index]
    if not places:
        return "its proof did not find the thread"
    at = places[-1]
    if batch.samples.flags[at] & Flag.TORN or (
        _stack(whole.tables, batch.samples.stack[at]) != parked.stack
    ):
        return "its proof saw another stack than there was"
    if batch.samples.span[at] != parked.span:
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
        found.append((code.co_qualname, code.co_filename, code.co_firstlineno, frame.f_lineno or 0))
        frame = frame.f_back
    return found[::-1]
