"""Transactions that each run in a thread, eight at a time."""

from __future__ import annotations

import random
import threading
import time

from attribution.marks import Marks
from attribution.tracer import Book


def body(book: Book, mine: Marks) -> None:
    """Work, waits and spans in spans."""
    mine.part["t"](random.uniform(0.001, 0.004))
    with book.tracer.span("b"):
        mine.part["b"](random.uniform(0.001, 0.004))
        time.sleep(random.uniform(0, 0.01))
        with book.tracer.span("c"):
            mine.part["c"](random.uniform(0.001, 0.004))
    mine.part["t"](random.uniform(0.0005, 0.002))


def _client(book: Book, until: float) -> None:
    while time.monotonic() < until:
        mine = book.begin()
        with book.tracer.transaction(mine.number):
            mine.inside(lambda mine=mine: body(book, mine))
        time.sleep(0.001)


def eight(book: Book, seconds: float) -> None:
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=_client, args=(book, until)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
