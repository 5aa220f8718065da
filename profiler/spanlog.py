"""The bounded queue between spans and the recorder: what happened to spans since last asked."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any

from flamespan.profiler import systhreads
from flamespan.profiler.model import (
    NO_SPAN,
    SpanEnd,
    SpanEvents,
    SpanMeasurement,
    SpanStart,
    SpanTag,
)

if TYPE_CHECKING:
    from flamespan.profiler.active import Span

MAX_EVENTS = 200_000
MAX_TEXT = 10_000


class SpanLog:
    """Takes events from any thread without a lock (``deque.append`` is atomic); one drainer.

    A span goes into the queue as it is when it opens, and in a tuple when it closes; the drainer
    turns what it says into rows, so that the application pays for no more than an append. Beyond
    ``max_events`` between two drains new spans, tags and measurements are dropped and counted
    in ``dropped``; the end of a span whose start was taken never is.
    """

    def __init__(self, max_events: int = MAX_EVENTS) -> None:
        self._max = max_events
        self._queue: deque[Any] = deque()
        self.put = self._queue.append
        self._open: dict[int, SpanStart] = {}
        self._drain_lock = systhreads.allocate_lock()
        self._again = SpanEvents()
        self.dropped = 0

    def has_room(self) -> bool:
        """Whether another span can be taken; if not, it is counted as dropped."""
        if len(self._queue) < self._max and len(self._open) < self._max:
            return True
        self.dropped += 1
        return False

    def tag(self, span_id: int, key: object, value: object) -> None:
        """A label was set."""
        if self.has_room():
            # As text now: the value may change, or keep something large alive.
            self.put(SpanTag(span_id, _text(key), _text(value)))

    def measurement(self, span_id: int, name: object, value: object, unit: object) -> None:
        """A number was set; what is not a finite number is dropped and counted."""
        try:
            number = float(value)  # type: ignore[arg-type]
        except Exception:
            number = math.nan
        if not math.isfinite(number):
            self.dropped += 1
        elif self.has_room():
            self.put(SpanMeasurement(span_id, _text(name), number, _text(unit)))

    def drain(self, *, restart: bool = False) -> SpanEvents:
        """Everything since the last drain.

        ``restart`` begins a new file: spans that are still open, and those that closed since
        the last drain (samples of the next file may name them), are told again in it.
        """
        with self._drain_lock:
            events, self._again = self._again, SpanEvents()
            closed = []
            for _ in range(len(self._queue)):
                event = self._queue.popleft()
                if type(event) is SpanTag:
                    events.tags.append(event)
                elif type(event) is SpanMeasurement:
                    events.measurements.append(event)
                elif type(event) is tuple:
                    start = self._open.pop(event[0].id, None)
                    if start is not None:
                        end = SpanEnd(start.id, event[0].end_ns, _text(event[0].status or "ok"))
                        events.ended.append(end)
                        closed.append((start, end))
                else:
                    start = self._open[event.id] = _start(event)
                    events.started.append(start)
            if restart:
                self._again.started += [start for start, _ in closed]
                self._again.ended += [end for _, end in closed]
                self._again.started += self._open.values()
        return events

    def after_fork(self, active: Span | None) -> None:
        """Start afresh in a child process, with the spans around the fork open."""
        self._queue = deque()
        self.put = self._queue.append
        self._drain_lock = systhreads.allocate_lock()
        self._again = SpanEvents()
        self._open = {}
        self.dropped = 0
        around = []
        while active is not None:
            if not active.end_ns:
                around.append(active)
            active = active.parent
        for span in reversed(around):
            self.put(span)


def _start(span: Span) -> SpanStart:
    parent = NO_SPAN if span.root or span.parent is None else span.parent.id
    # A span outside every transaction is one itself, and has to have a name.
    name = span.name or ("" if parent else span.description or span.op)
    return SpanStart(
        span.id,
        parent,
        span.thread_ident,
        _text(name),
        _text(span.op),
        _text(span.description),
        span.start_ns,
    )


def _text(value: object) -> str:
    """Any value as bounded text, without ever raising into the application."""
    if type(value) is not str:
        try:
            value = str(value)
        except Exception:
            value = f"<{type(value).__name__} that cannot be shown>"
    return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…"
