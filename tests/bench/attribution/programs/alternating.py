"""One thread whose spans last 30 microseconds: stack and span must be of the same moment."""

from __future__ import annotations

import time

from attribution.marks import Marks
from attribution.tracer import Book


def body(book: Book, mine: Marks) -> None:
    """A hundred times one span, then another."""
    for _ in range(100):
        with book.tracer.span("b"):
            mine.part["b"](30e-6)
        with book.tracer.span("c"):
            mine.part["c"](30e-6)


def spans(book: Book, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        mine = book.begin()
        with book.tracer.transaction(mine.number):
            mine.inside(lambda mine=mine: body(book, mine))
