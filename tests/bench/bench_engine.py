"""What the Python engine and spans cost, as ratios of interleaved runs.

    python tests/bench/bench_engine.py [--pairs 9] [--seconds 0.6] [--spans]

- span: enter and exit of ``span()`` against ``contextlib.nullcontext`` and an empty class
- pass: microseconds of sampler CPU per pass, by number and kind of threads (depth 30)
- slow-down: a CPU-bound program with the profiler at 100 Hz against the same without it
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from timeit import timeit

from flamespan import profiler
from flamespan.profiler import active
from flamespan.profiler.engine import choose
from flamespan.profiler.spanlog import SpanLog

DEPTH = 30


NOTHING = contextlib.nullcontext()


class Empty:
    """The cheapest context manager that Python code can be."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def empty() -> None:
    with Empty():
        pass


def null() -> None:
    with NOTHING:
        pass


def spanned() -> None:
    with profiler.span("db.query", "select 1"):
        pass


def spans(pairs: int) -> None:
    """Print the cost of one span: off, and recording with either engine."""
    calls = 20_000
    log = SpanLog(max_spans=10**9, max_open=10**9)
    times: dict[str, list[float]] = {}
    for _ in range(pairs):
        for name, code, by_thread in (
            ("empty class", empty, None),
            ("nullcontext", null, None),
            ("span, off", spanned, None),
            ("span, native engine", spanned, False),
            ("span, Python engine", spanned, True),
        ):
            active.record_into(None if by_thread is None else log, by_thread=bool(by_thread))
            times.setdefault(name, []).append(timeit(code, number=calls) / calls)
            active.record_into(None)
            log.drain()
    base = statistics.median(times["nullcontext"])
    for name, found in times.items():
        cost = statistics.median(found)
        print(
            f"{name:<20} {cost * 1e6:6.3f} µs (best {min(found) * 1e6:.3f})   "
            f"{cost / base:5.2f} times contextlib.nullcontext"
        )


def deep(depth: int, work: Callable[[], None]) -> None:
    """Do ``work`` with ``depth`` frames below it."""
    if depth:
        deep(depth - 1, work)
    else:
        work()


def passes(seconds: float) -> None:
    """Print what a pass of the sampler costs."""
    for kind, count in (("idle", 8), ("idle", 50), ("busy", 8)):
        over = threading.Event()

        def busy(over: threading.Event = over) -> None:
            while not over.is_set():
                sum(range(200))

        work = busy if kind == "busy" else over.wait
        threads = [threading.Thread(target=deep, args=(DEPTH, work)) for _ in range(count)]
        for thread in threads:
            thread.start()
        engine, _ = choose("python")
        engine.start(10_000_000)
        time.sleep(max(seconds, 1.0))
        engine.stop()
        stats = engine.stats()
        over.set()
        for thread in threads:
            thread.join()
        cost = stats.sampler_cpu_ns / max(1, stats.passes) / 1000
        rate = stats.passes / max(seconds, 1.0)
        print(
            f"pass, {count:2} {kind} threads {cost:6.0f} µs   {rate:4.0f} a second reached of 100, "
            f"{stats.sampler_cpu_ns / max(seconds, 1.0) / 1e7:.2f} % of a core"
        )


def burn(seconds: float) -> float:
    """Rounds of pure Python work a second."""

    def fib(n: int) -> int:
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    began, rounds = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        fib(12)
        rounds += 1
    return rounds / (time.perf_counter() - began)


def slow_down(pairs: int, seconds: float) -> None:
    """Print the ratio of work done without the profiler to work done with it."""
    for rate in (100, 1000):
        ratios = []
        with tempfile.TemporaryDirectory() as folder:
            for number in range(pairs):
                done = {}
                for profiled in (number % 2 == 0, number % 2 == 1):
                    if profiled:
                        with profiler.Profiler(folder, rate):
                            done[True] = burn(seconds)
                    else:
                        done[False] = burn(seconds)
                ratios.append(done[False] / done[True])
        low, _, high = statistics.quantiles(ratios, n=4)
        print(
            f"slow-down, CPU-bound at {rate:4} Hz  {statistics.median(ratios):.3f}   "
            f"(middle half {low:.3f} to {high:.3f}, {pairs} pairs)"
        )


def main() -> None:
    """Run all three."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.6)
    parser.add_argument("--spans", action="store_true", help="only what a span costs")
    given = parser.parse_args()
    spans(given.pairs)
    if given.spans:
        return
    passes(given.seconds)
    slow_down(given.pairs, given.seconds)


if __name__ == "__main__":
    main()
