"""A program of everything that profilers get wrong, each in a function of its own.

Python loops that give the GIL away at every round, C calls that hold it for up to a quarter of a
second, C calls that release it, waits, and functions that are over in a fraction of a microsecond.
"""

from __future__ import annotations

import hashlib
import math
import re
import sys
import threading
import time
import zlib
from random import Random

from truth.work import Phase, Plan, cut, shuffled

_random = Random(1)
_NUMBERS = [_random.random() for _ in range(100_000)]
_BYTES = _random.randbytes(4096) * 256
_WORDS = "".join(_random.choice(("alpha ", "be ", "gamma_ray ", "delta ")) for _ in range(20_000))
_PATTERN = re.compile(r"(\w+)\d")
_HELD = threading.Lock()
_HELD.acquire()
sys.set_int_max_str_digits(0)


def loop_float(size: int) -> float:
    x = 1.0
    for i in range(size):
        x = x * 1.0000001 + i * 1e-9
    return x


def loop_dict(size: int) -> int:
    counts: dict[int, int] = {}
    for i in range(size):
        key = i * 2654435761 & 1023
        counts[key] = counts.get(key, 0) + 1
    return len(counts)


def _tiny(a: int) -> int:
    return a + 1


def _tinier(a: int) -> int:
    return a


def tiny_calls(size: int) -> int:
    total = 0
    for _ in range(size):
        total = _tinier(_tiny(total))
    return total


def _fib(n: int) -> int:
    return n if n < 2 else _fib(n - 1) + _fib(n - 2)


def recursion(size: int) -> None:
    for _ in range(size):
        _fib(9)


def sort_big(size: int) -> None:
    """One C call that holds the GIL to its end."""
    sorted(cut(_NUMBERS, size))


def str_huge_int(size: int) -> None:
    """One C call that holds the GIL; Python 3.12 and later make Python code of it."""
    str((1 << size) - 1)


def regex_scan(size: int) -> None:
    """One C call that holds the GIL and finds nothing."""
    _PATTERN.search(cut(_WORDS, size))


def zlib_compress(size: int) -> None:
    """One C call that releases the GIL."""
    zlib.compress(cut(_BYTES, size), 6)


def hash_rounds(size: int) -> None:
    """One C call that releases the GIL."""
    hashlib.pbkdf2_hmac("sha256", b"word", b"salt", size)


def sleeper(size: int) -> None:
    time.sleep(size / 1e6)


def lock_wait(size: int) -> None:
    _HELD.acquire(timeout=size / 1e6)


PHASES = [
    Phase(loop_float, 0.14, 0.003, 0.080),
    Phase(loop_dict, 0.10, 0.003, 0.080),
    Phase(tiny_calls, 0.14, 0.003, 0.080),
    Phase(recursion, 0.06, 0.003, 0.060),
    Phase(sort_big, 0.12, 0.020, 0.250, power=1.1),
    Phase(str_huge_int, 0.08, 0.010, 0.150, power=2.0 if sys.version_info < (3, 12) else 1.6),
    Phase(regex_scan, 0.08, 0.005, 0.100),
    Phase(zlib_compress, 0.08, 0.005, 0.100),
    Phase(hash_rounds, 0.06, 0.005, 0.100),
    Phase(sleeper, 0.10, 0.0005, 0.020, waits=True),
    Phase(lock_wait, 0.04, 0.0005, 0.050, waits=True),
]
assert math.isclose(sum(phase.share for phase in PHASES), 1.0)


def plan(random: Random, seconds: float) -> Plan:
    """The calls of a run that lasts about ``seconds``."""
    return shuffled(PHASES, random, seconds)
