"""A program of short bursts of work between short waits, as services do their requests.

A burst is over before a sampler at 100 Hz comes again, so what the sampler books to what it
sees must be right for a thread that did several things since the pass before.
"""

from __future__ import annotations

import json
import re
import select
import threading
import time
import zlib
from random import Random

from truth.work import Phase, Plan, alternating, cut

_random = Random(2)
_NUMBERS = [_random.random() for _ in range(50_000)]
_BYTES = _random.randbytes(2048) * 64
_WORDS = "".join(_random.choice(("alpha ", "be ", "gamma_ray ", "delta ")) for _ in range(20_000))
_ROWS: list[dict[str, object]] = [
    {"id": i, "name": f"row {i}", "price": i * 1.25} for i in range(3000)
]
_PATTERN = re.compile(r"(\w+)\d")
_HELD = threading.Lock()
_HELD.acquire()


def burst_loop(size: int) -> float:
    x = 1.0
    for i in range(size):
        x = x * 1.0000001 + i * 1e-9
    return x


def _step(a: int) -> int:
    return a + 1


def burst_calls(size: int) -> int:
    total = 0
    for _ in range(size):
        total = _step(total)
    return total


def burst_dict(size: int) -> int:
    counts: dict[int, int] = {}
    for i in range(size):
        key = i * 2654435761 & 255
        counts[key] = counts.get(key, 0) + 1
    return len(counts)


def burst_sort(size: int) -> None:
    """One C call that holds the GIL to its end."""
    sorted(cut(_NUMBERS, size))


def burst_json(size: int) -> None:
    """One C call that holds the GIL to its end."""
    json.dumps(cut(_ROWS, size))


def burst_regex(size: int) -> None:
    """One C call that holds the GIL to its end."""
    _PATTERN.search(cut(_WORDS, size))


def burst_zlib(size: int) -> None:
    """One C call that releases the GIL."""
    zlib.compress(cut(_BYTES, size), 6)


def wait_sleep(size: int) -> None:
    time.sleep(size / 1e6)


def wait_lock(size: int) -> None:
    _HELD.acquire(timeout=size / 1e6)


def wait_select(size: int) -> None:
    select.select([], [], [], size / 1e6)


BURSTS = [
    Phase(burst_loop, 0.24, 0.001, 0.005),
    Phase(burst_calls, 0.20, 0.001, 0.005),
    Phase(burst_dict, 0.16, 0.001, 0.005),
    Phase(burst_sort, 0.12, 0.001, 0.005, power=1.1),
    Phase(burst_json, 0.12, 0.001, 0.005),
    Phase(burst_regex, 0.10, 0.001, 0.005),
    Phase(burst_zlib, 0.06, 0.001, 0.005),
]
WAITS = [
    Phase(wait_sleep, 0.5, 0.0005, 0.004, waits=True),
    Phase(wait_lock, 0.3, 0.0005, 0.004, waits=True),
    Phase(wait_select, 0.2, 0.0005, 0.004, waits=True),
]
PHASES = BURSTS + WAITS


def plan(random: Random, seconds: float) -> Plan:
    """The calls of a run that lasts about ``seconds``."""
    return alternating(BURSTS, WAITS, random, seconds)
