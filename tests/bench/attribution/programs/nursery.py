"""Transactions that are tasks of trio."""

from __future__ import annotations

import random
import time

import trio

from attribution.marks import Marks
from attribution.tracer import Book


async def body(book: Book, mine: Marks) -> None:
    """Work, waits and spans in spans."""
    for _ in range(6):
        mine.part["t"](random.uniform(0.0005, 0.004))
        await trio.sleep(random.uniform(0, 0.01))
        with book.tracer.span("b"):
            mine.part["b"](random.uniform(0.0005, 0.002))
            await trio.sleep(0)
            mine.part["b"](random.uniform(0.0005, 0.002))
            with book.tracer.span("c"):
                mine.part["c"](random.uniform(0.0005, 0.002))
                await trio.sleep(random.uniform(0, 0.002))
                mine.part["c"](0.0005)


async def _client(book: Book, until: float) -> None:
    while time.monotonic() < until:
        mine = book.begin()
        with book.tracer.transaction(mine.number):
            await mine.inside_async(lambda mine=mine: body(book, mine))
        await trio.sleep(0)


async def _serve(book: Book, seconds: float) -> None:
    until = time.monotonic() + seconds
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(_client, book, until)


def twenty(book: Book, seconds: float) -> None:
    trio.run(_serve, book, seconds)
