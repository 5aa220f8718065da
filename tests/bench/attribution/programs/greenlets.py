"""Transactions that are greenlets of gevent's hub."""

from __future__ import annotations

import random
import time

import gevent

from attribution.marks import Marks
from attribution.tracer import Book


def body(book: Book, mine: Marks) -> None:
    """Work, waits and spans in spans."""
    for _ in range(4):
        mine.part["t"](random.uniform(0.0005, 0.003))
        gevent.sleep(random.uniform(0, 0.01))
        with book.tracer.span("b"):
            mine.part["b"](random.uniform(0.0005, 0.002))
            gevent.sleep(0)
            mine.part["b"](random.uniform(0.0005, 0.002))
            with book.tracer.span("c"):
                mine.part["c"](random.uniform(0.0005, 0.002))
                gevent.sleep(random.uniform(0, 0.002))
                mine.part["c"](0.0005)


def _client(book: Book, until: float) -> None:
    while time.monotonic() < until:
        mine = book.begin()
        with book.tracer.transaction(mine.number):
            mine.inside(lambda mine=mine: body(book, mine))
        gevent.sleep(0)


def fifty(book: Book, seconds: float) -> None:
    until = time.monotonic() + seconds
    gevent.joinall([gevent.spawn(_client, book, until) for _ in range(50)], raise_error=True)
