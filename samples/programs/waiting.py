"""Requests that wait for two queries at once, beside a thread that holds the GIL.

GET /both awaits ``prices`` (100 ms) and ``stock`` (200 ms) at once, so of its waiting a quarter
is for prices and three quarters are for stock. The thread ``report`` sorts without giving the GIL
away; while it does, the loop waits for the GIL. samples/recordings/waiting.fspan is of this.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time

from flamespan import profiler

REQUESTS = 8


async def query(name: str, seconds: float) -> None:
    with profiler.span("db.query", name):
        await asyncio.sleep(seconds)


def render(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def handle() -> None:
    with profiler.transaction("GET /both", "http.server"):
        await asyncio.gather(query("prices", 0.1), query("stock", 0.2))
        render(0.01)


async def serve() -> None:
    for _ in range(REQUESTS):
        await asyncio.gather(handle(), handle())


def sort_everything(values: list[float], done: threading.Event) -> None:
    with profiler.transaction("nightly report", "job"):
        while not done.wait(0.02):
            sorted(values)


def main() -> None:
    done = threading.Event()
    values = [random.random() for _ in range(100_000)]
    report = threading.Thread(target=sort_everything, args=(values, done), name="report")
    report.start()
    asyncio.run(serve())
    done.set()
    report.join()


if __name__ == "__main__":
    main()
