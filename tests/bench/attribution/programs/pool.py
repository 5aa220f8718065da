"""Transactions of asyncio that do their work in a pool of threads.

While a task waits for a call of its own in a thread, the transaction is running there.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import time
from concurrent.futures import ThreadPoolExecutor

from attribution.marks import Marks
from attribution.tracer import Book


def _call(mine: Marks, part: str, seconds: float, wait: float) -> None:
    mine.inside(lambda: (mine.part[part](seconds), time.sleep(wait)))


async def body(book: Book, mine: Marks, pool: ThreadPoolExecutor) -> None:
    """Two calls in threads, one in a span, work of the task in between."""
    mine.part["t"](0.001)
    await asyncio.to_thread(_call, mine, "t", 0.003, 0.002)
    with book.tracer.span("b"):
        context = contextvars.copy_context()
        call = (context.run, _call, mine, "b", random.uniform(0.001, 0.003), 0.001)
        await asyncio.get_running_loop().run_in_executor(pool, *call)
        mine.part["b"](0.0005)


async def _client(book: Book, until: float, pool: ThreadPoolExecutor) -> None:
    while time.monotonic() < until:
        mine = book.begin()
        with book.tracer.transaction(mine.number):
            await mine.inside_async(lambda mine=mine: body(book, mine, pool))
        await asyncio.sleep(0.001)


async def _serve(book: Book, seconds: float) -> None:
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(4) as pool:
        await asyncio.gather(*(_client(book, until, pool) for _ in range(8)))


def behind_asyncio(book: Book, seconds: float) -> None:
    asyncio.run(_serve(book, seconds))
