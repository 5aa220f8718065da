"""The bounded queue between spans and the recorder: what happened to spans since last asked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flamespan.profiler import systhreads
from flamespan.profiler.choosing import Chooser
from flamespan.profiler.engine.spancore import SpanQueue, reopen
from flamespan.profiler.model import (
    SpanEnd,
    SpanEvents,
    SpanMeasurement,
    SpanStart,
    SpanTag,
)
from flamespan.profiler.spancolumns import SpanColumns, Taken, extend

if TYPE_CHECKING:
    from flamespan.profiler.active import Span

MAX_SPANS = 100_000
"""Spans between two drains (a second)."""

MAX_OPEN = 100_000
"""Spans open at once."""

MAX_QUEUED_TEXT = 64 << 20
"""Characters of names and descriptions between two drains."""

MAX_TEXT = 10_000


class SpanLog(SpanQueue):
    """Takes events from any thread without a lock; one drainer.

    Spans go into the queue as they are, when they open and when they close; the drainer turns what
    they say into rows, so that the application pays for no more than an append. Beyond the bounds
    new spans, tags and measurements are dropped and counted in ``dropped``; the end of a span
    whose start was taken never is.
    """

    def __init__(self, max_spans: int = MAX_SPANS, max_open: int = MAX_OPEN) -> None:
        super().__init__()
        self.max_events = 2 * max_spans
        self.max_open = max_open
        self.max_text = MAX_QUEUED_TEXT
        self.chooser: Chooser | None = None
        self._rows: dict[int, SpanStart] = {}  # of spans that are open
        self._drain_lock = systhreads.allocate_lock()
        self._again = SpanColumns()

    def tag(self, span_id: int, key: object, value: object) -> None:
        """A label was set."""
        if self.has_room():
            # As text now: the value may change, or keep something large alive.
            self.put(SpanTag(span_id, text_of(key), text_of(value)))

    def measurement(self, span_id: int, name: object, value: object, unit: object) -> None:
        """A number was set; what is not a finite number is dropped and counted."""
        try:
            number = float(value)  # type: ignore[arg-type]
        except Exception:
            number = math.nan
        if not math.isfinite(number):
            self.dropped += 1
        elif self.has_room():
            self.put(SpanMeasurement(span_id, text_of(name), number, text_of(unit)))

    def described(self, span: Span) -> None:
        """A span is called something else; what is queued of it says so, what is written not."""
        if self.has_room():
            # A root must have a name, as when it is opened.
            name = span.name or (span.is_root and (span.description or span.op)) or ""
            self.put((span.id, name, span.op, span.description))

    def drain(self, *, restart: bool = False) -> SpanColumns:
        """Everything since the last drain.

        ``restart`` begins a new file: spans that are still open, and those that closed since
        the last drain (samples of the next file may name them), are told again in it.
        """
        with self._drain_lock:
            events, self._again = self._again, SpanColumns()
            taken = Taken(*self.take(SpanStart, SpanEnd, restart))
            extend(events.started, taken.started)
            extend(events.ended, taken.ended)
            extend(events.tags, taken.tags)
            rows = self._rows
            rows.update((row.id, row) for row in taken.opened)
            events.add_rows(self._told(taken.others))
            if restart:
                self._again.add_rows(SpanEvents(sorted(taken.whole), taken.ends))
            for span_id in (*taken.closed, *taken.lost):
                rows.pop(span_id, None)
            if restart:
                self._again.add_rows(SpanEvents(list(rows.values())))
        return events

    def _told(self, others: list[object]) -> SpanEvents:
        """Tags, measurements, and what is called otherwise than was told."""
        events = SpanEvents()
        for event in others:
            if type(event) is SpanTag:
                events.tags.append(event)
            elif type(event) is SpanMeasurement:
                events.measurements.append(event)
            elif type(event) is tuple:
                self._describe(events, *event)
        return events

    def _describe(
        self, events: SpanEvents, span_id: int, name: str, op: str, description: str
    ) -> None:
        """Tell a start that was told already once more; a later row replaces an earlier one."""
        row = self._rows.get(span_id)
        if row is None or (row.name, row.op, row.description) == (name, op, description):
            return
        row = row._replace(name=name, op=op, description=description)
        self._rows[span_id] = row
        events.started.append(row)

    def after_fork(self, active: Span | None) -> None:
        """Start afresh in a child process, with the spans around the fork open."""
        self.forget()
        self._drain_lock = systhreads.allocate_lock()
        self._again = SpanColumns()
        self._rows = {}
        around = []
        while active is not None:
            around.append(active)
            active = active.parent
        for span in reversed(around):
            reopen(span)


def text_of(value: object) -> str:
    """Any value as bounded text, without ever raising into the application."""
    if type(value) is not str:
        try:
            value = str(value)
        except Exception:
            value = f"<{type(value).__name__} that cannot be shown>"
    return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…"
