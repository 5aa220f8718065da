"""Transactions that are tasks of one asyncio loop."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from attribution.marks import Marks
from attribution.tracer import Book

Body = Callable[[Book, Marks], Awaitable[None]]


async def one_round(book: Book, mine: Marks) -> None:
    """Work, waits and spans in spans."""
    await long_body(book, mine, rounds=1)


async def long_body(book: Book, mine: Marks, rounds: int = 6) -> None:
    """Several rounds of it."""
    for _ in range(rounds):
        mine.part["t"](random.uniform(0.0005, 0.004))
        await asyncio.sleep(random.uniform(0, 0.01))
        with book.tracer.span("b"):
            mine.part["b"](random.uniform(0.0005, 0.002))
            await asyncio.sleep(0)
            mine.part["b"](random.uniform(0.0005, 0.002))
            with book.tracer.span("c"):
                mine.part["c"](random.uniform(0.0005, 0.002))
                await asyncio.sleep(random.uniform(0, 0.002))
                mine.part["c"](0.0005)


async def short_body(book: Book, mine: Marks) -> None:
    """5 ms of its own, in pieces."""
    mine.part["t"](0.001)
    await asyncio.sleep(0)
    with book.tracer.span("b"):
        mine.part["b"](0.001)
        await asyncio.sleep(0)
        with book.tracer.span("c"):
            mine.part["c"](0.002)
            await asyncio.sleep(0)
    mine.part["t"](0.001)


async def switching_body(book: Book, mine: Marks) -> None:
    """Gives the loop away every 50 microseconds."""
    for _ in range(40):
        for _ in range(5):
            mine.part["t"](50e-6)
            await asyncio.sleep(0)
        with book.tracer.span("b"):
            for _ in range(5):
                mine.part["b"](50e-6)
                await asyncio.sleep(0)


async def _client(book: Book, until: float, body: Body) -> None:
    while time.monotonic() < until:
        mine = book.begin()
        with book.tracer.transaction(mine.number):
            await mine.inside_async(lambda mine=mine: body(book, mine))
        await asyncio.sleep(0)


async def _serve(book: Book, seconds: float, tasks: int, body: Body) -> None:
    until = time.monotonic() + seconds
    await asyncio.gather(*(_client(book, until, body) for _ in range(tasks)))


def twenty(book: Book, seconds: float) -> None:
    asyncio.run(_serve(book, seconds, 20, long_body))


def two_hundred(book: Book, seconds: float) -> None:
    asyncio.run(_serve(book, seconds, 200, one_round))


def short(book: Book, seconds: float) -> None:
    asyncio.run(_serve(book, seconds, 2, short_body))


def switching(book: Book, seconds: float) -> None:
    asyncio.run(_serve(book, seconds, 20, switching_body))
