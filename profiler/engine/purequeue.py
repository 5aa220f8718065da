"""What happened to spans, in Python: as ``native/spanqueue.c``, where there is no C core."""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from flamespan.profiler import systhreads
from flamespan.profiler.model import NO_SPAN, SpanEnd, SpanStart

if TYPE_CHECKING:
    from flamespan.profiler.engine.purespans import SpanCore


class SpanQueue:
    """What happened to spans since last asked.

    Taken from any thread without a lock (``deque.append`` is atomic); the counts of what is open
    have one, since ``+=`` is not.
    """

    def __init__(self) -> None:
        self.max_events = self.max_open = self.max_text = sys.maxsize
        self.dropped = 0
        self.ended = False
        self._generation = 0  # after a fork what was counted before counts no longer
        self.forget()

    def forget(self) -> None:
        """Start afresh in a child of fork."""
        self._opened: deque[SpanCore] = deque()
        self._closed: deque[SpanCore] = deque()
        self._others: deque[object] = deque()
        self._text = 0
        self._generation += 1
        self.open = self.most_open = self.transactions = 0
        self.dropped = self.unchosen = 0
        self._lock = systhreads.allocate_lock()
        self._bell = systhreads.allocate_lock()  # held while somebody waits and nobody has rung
        self._asleep = self._interrupted = False

    def put(self, event: object) -> None:
        """Queue an event that is no span."""
        self._others.append(event)

    def has_room(self) -> bool:
        """Whether another can be taken; else it is counted as dropped."""
        events = len(self._opened) + len(self._closed) + len(self._others)
        if events < self.max_events and self.open < self.max_open and self._text < self.max_text:
            return True
        self.dropped += 1
        return False

    def take(self, start: type[SpanStart], end: type[SpanEnd], whole: bool) -> tuple[Any, ...]:
        """What a ``Taken`` consists of."""
        # First the ends: what is closed must have been open before.
        closed, others, opened = (_taken(q) for q in (self._closed, self._others, self._opened))
        self._text = 0
        for span in closed:
            span.over = True
        for span in opened:
            span.told = not span.over
        rows = [_start(start, span) for span in opened]
        again = [_start(start, span) for span in closed if span.told and span.renamed]
        ends = [end(span.id, span.end_ns, span.status or "ok") for span in closed]
        tags = [(span.id, *tag) for span in closed for tag in span.tags]
        return (
            tuple(zip(*rows, *again, strict=True)),
            tuple(zip(*ends, strict=True)),
            tuple(zip(*tags, strict=True)),
            [row for row, span in zip(rows, opened, strict=True) if not span.over],
            [span.id for span in closed if span.told],
            [_start(start, span) for span in closed] if whole else [],
            ends if whole else [],
            others,
            [],
        )

    def wait_open(self) -> None:
        """Wait until a transaction is open, or ``interrupt`` is called."""
        with self._lock:
            if self.transactions > 0 or self._interrupted:
                self._interrupted = False
                return
            self._bell.acquire(blocking=False)
            self._asleep = True
        self._bell.acquire()
        self._bell.release()
        self._interrupted = False

    def interrupt(self) -> None:
        """Make a wait return."""
        with self._lock:
            self._interrupted = True
            self._ring()

    def _ring(self) -> None:
        if self._asleep:
            self._asleep = False
            self._bell.release()

    def opened(self, span: SpanCore) -> None:
        """Queue a span and count it among those that are open."""
        self._opened.append(span)
        self._text += len(span.name) + len(span.op) + len(span.description)
        with self._lock:
            span.counted = self._generation
            self.open += 1
            self.most_open = max(self.most_open, self.open)
            if span.is_root:
                self.transactions += 1
                if self._asleep:
                    self._ring()

    def closed(self, span: SpanCore) -> None:
        """Queue the end of a span that ``opened`` was told of."""
        if span.counted != self._generation:
            return
        with self._lock:
            span.counted = 0
            self.open -= 1
            self.transactions -= span.is_root
        if not self.ended:
            self._closed.append(span)


def _taken(queue: deque[Any]) -> list[Any]:
    return [queue.popleft() for _ in range(len(queue))]


def _start(row: type[SpanStart], span: SpanCore) -> SpanStart:
    parent = NO_SPAN if span.is_root or span.parent is None else span.parent.id
    # A span outside every transaction is one itself, and has to have a name.
    name = span.name or ("" if parent else span.description or span.op)
    return row(
        span.id,
        parent,
        span.thread_ident,
        name,
        span.op,
        span.description,
        span.start_ns,
    )
