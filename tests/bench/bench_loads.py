"""Programs to profile, and a recording around them, for benchmarks of what the profiler costs."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flamespan.profiler import Profiler
from flamespan.profiler.model import Stats
from flamespan.profiler.samplefile import SampleReader


@dataclass
class Taken:
    """What a recording says of itself. ``seconds`` is the block's time, or all its passes' if more.

    (Starting and stopping take a while beside threads that fight for the GIL, and are sampled.)
    """

    stats: Stats
    seconds: float


@contextmanager
def recorded(engine: str, rate: float, budget: float | None = None) -> Iterator[Taken]:
    """Record the block; the counters are there after it. ``budget`` as in ``profiler.start``."""
    taken = Taken(Stats(), 0.0)
    with tempfile.TemporaryDirectory() as folder:
        recording = Profiler(folder, rate, engine=engine, budget=budget)
        recording.start()
        began = time.perf_counter()
        try:
            yield taken
        finally:
            taken.seconds = time.perf_counter() - began
            path = recording.stop()
        if path is not None:
            found = SampleReader(path).read()
            taken.stats = found.stats
            ticks = sum(sum(samples.pass_ticks) * samples.tick_ns for samples in found.samples)
            taken.seconds = max(taken.seconds, ticks / 1e9)


def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def down(depth: int, work: Callable[[], None]) -> None:
    """Do ``work`` with ``depth`` frames below it."""
    if depth:
        down(depth - 1, work)
    else:
        work()


def cpu_bound(rounds: int) -> float:
    """Each program returns the CPU seconds of its own threads."""
    began = time.thread_time()
    for _ in range(rounds):
        fib(10)
    return time.thread_time() - began


def deep(rounds: int) -> float:
    used = 0.0

    def work() -> None:
        nonlocal used
        used = cpu_bound(rounds)

    down(100, work)
    return used


def threads(rounds: int) -> float:
    used: list[float] = []

    def work() -> None:
        for _ in range(rounds // 50 + 1):
            fib(10)
        used.append(time.thread_time())

    run = [threading.Thread(target=work) for _ in range(50)]
    for thread in run:
        thread.start()
    for thread in run:
        thread.join()
    return sum(used)


def tasks(rounds: int) -> float:
    async def task() -> None:
        for _ in range(rounds // 200 + 1):
            fib(9)
            await asyncio.sleep(0)

    async def all_tasks() -> None:
        await asyncio.gather(*(task() for _ in range(200)))

    began = time.thread_time()
    asyncio.run(all_tasks())
    return time.thread_time() - began


PROGRAMS = {
    "CPU-bound": cpu_bound,
    "100 frames deep": deep,
    "50 threads": threads,
    "asyncio, 200 tasks": tasks,
}


def spread(found: list[float]) -> str:
    """Median and quartiles."""
    if len(found) < 2:
        return f"{found[0]:.3f}"
    low, middle, high = statistics.quantiles(found, n=4, method="inclusive")
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


@contextmanager
def living(count: int, depth: int, *, busy: bool) -> Iterator[None]:
    """So many threads at that depth, working or waiting."""
    over, begun = threading.Event(), threading.Barrier(count + 1)

    def work() -> None:
        begun.wait()
        while busy and not over.is_set():
            fib(8)
        over.wait()

    run = [threading.Thread(target=down, args=(depth, work)) for _ in range(count)]
    for thread in run:
        thread.start()
    begun.wait()
    time.sleep(0.05)  # until they wait again, where they are to wait
    try:
        yield
    finally:
        over.set()
        for thread in run:
            thread.join()
