"""Workers that move the world below a sampler: threads, collections, interpreters, waits."""

from __future__ import annotations

import gc
import importlib
import threading
import time
import weakref
from itertools import count
from typing import Any

from hammer_calls import Gate
from hammer_fork import ONE_WORLD
from hammer_graph import generate

RULES = """
Thread.run -> spin_threads, spin_gc, spin_subinterpreters, spin_waits
spin_threads, spin_gc, spin_subinterpreters, spin_waits -> Gate.closed
Thread.run -> brief_run -> brief_a@ -> brief_b@ -> brief_c@
brief_run -> Local.__init__
any -> Local.__del__
any -> Knot.__del__ -> knot_gone
any -> knotted -> knot_gone
any -> weak_gone, gc_called
spin_gc -> tie -> knotted, Knot.__init__
spin_gc -> tie_errors -> tie_error@ -> tie_error@
spin_subinterpreters -> live_as_interpreter
<module> -> <module>
<module> -> sub_a@ -> sub_b@ -> sub_c@
spin_waits -> pause_a@ -> pause_b@ -> pause_c@
"""

BRIEF: Any = generate(
    "threads",
    """
def brief_a@(n): return brief_b@(n)
def brief_b@(n): return brief_c@(n)
def brief_c@(n): return n
""",
    16,
)
GC: Any = generate(
    "gc",
    """
def tie_error@(n):
    try:
        if n: return tie_error@(n - 1)
        raise ValueError(n)
    except ValueError as error:
        kept = error
        return error
""",
    16,
)
WAITS: Any = generate(
    "waits",
    """
import time
def pause_a@(n): return pause_b@(n)
def pause_b@(n): return pause_c@(n)
def pause_c@(n): return time.sleep(n)
""",
    16,
)
INTERPRETER = """
import time
TEXT = '''
def sub_a@(n): return sub_b@(n)
def sub_b@(n): return sub_c@(n)
def sub_c@(n): return n
'''
for n in range(16):
    exec(compile(TEXT.replace("@", str(n)), "<hammer:subinterpreters>", "exec"))
FAMILIES = [globals()[f"sub_a{n}"] for n in range(16)]
end = time.monotonic() + 0.03
while time.monotonic() < end:
    for family in FAMILIES:
        family(1)
"""


class Local:
    """Kept in a ``threading.local``: goes when the thread's Python state is taken apart."""

    def __init__(self) -> None:
        self.me = None

    def __del__(self) -> None:
        self.me = None


def brief_run() -> None:
    mine = threading.local()
    mine.it = Local()
    for number in range(16):
        BRIEF[f"brief_a{number}"](number)


def spin_threads(gate: Gate) -> None:
    """Threads that end as soon as they have begun, eight at a time."""
    numbers = count()
    while not gate.closed():
        brief = [
            threading.Thread(target=brief_run, name=f"threads0-{next(numbers)}") for _ in range(8)
        ]
        for thread in brief:
            thread.start()
        for thread in brief:
            thread.join()
        time.sleep(0.01)


class Knot:
    """Part of a cycle, with a finalizer that runs wherever the collection happens to be."""

    def __init__(self) -> None:
        self.other: object = None

    def __del__(self) -> None:
        knot_gone()


def knot_gone() -> None:
    pass


def weak_gone(_: object) -> None:
    pass


def gc_called(phase: str, info: dict[str, int]) -> None:
    pass


def knotted() -> Any:
    """A generator that is collected while suspended: its ``finally`` runs anywhere."""
    itself: list[object] = []
    itself.append((yield itself))
    try:
        yield None
    finally:
        knot_gone()


def tie(watched: list[object]) -> None:
    one, other = Knot(), Knot()
    one.other, other.other = other, one
    watched.append(weakref.ref(one, weak_gone))
    loop = knotted()
    next(loop)
    loop.send(loop)


def tie_errors() -> None:
    for number in range(16):
        GC[f"tie_error{number}"](5)


def spin_gc(gate: Gate) -> None:
    """Cycles of objects, generators and tracebacks; collections of each generation."""
    watched: list[object] = []
    numbers = count()
    gc.callbacks.append(gc_called)
    while not gate.closed():
        for _ in range(20):
            tie(watched)
        tie_errors()
        gc.collect((0, 0, 1, 0, 0, 2)[next(numbers) % 6])
        if len(watched) > 1000:
            watched.clear()


def _interpreters() -> Any:
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


def live_as_interpreter(interpreters: Any, run: Any) -> None:
    with ONE_WORLD:
        one = interpreters.create()
        try:
            run(one, INTERPRETER)
        finally:
            interpreters.destroy(one)


def spin_subinterpreters(gate: Gate) -> None:
    interpreters = _interpreters()
    run = getattr(interpreters, "exec", None) or interpreters.run_string
    while not gate.closed():
        live_as_interpreter(interpreters, run)
        time.sleep(0.05)


def spin_waits(gate: Gate) -> None:
    """Gives the GIL away and takes it back, thousands of times a second."""
    families = [WAITS[f"pause_a{number}"] for number in range(16)]
    while not gate.closed():
        for place, family in enumerate(families):
            family(0.0002 * (place % 3))


KINDS = {
    "threads": spin_threads,
    "gc": spin_gc,
    "waits": spin_waits,
}
if _interpreters() is not None:
    KINDS["subinterpreters"] = spin_subinterpreters
