"""Workers that call: families of tiny functions with equal frames, called as fast as they can.

A frame that was left a moment ago lies where the next one is made, with the same size and the
same layout: a sampler that mixes two moments shows a family's caller below another's callee.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from hammer_graph import generate


@dataclass
class Gate:
    """Lets the workers run while something is recorded, and go at the end."""

    run: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def closed(self) -> bool:
        """Wait until the workers may run; whether the hammer is over."""
        return not self.run.wait() or self.over.is_set()


FAMILIES = 64
RULES = """
Thread.run -> spin_calls, spin_recursion, spin_deep, spin_boundaries, spin_exceptions
Thread.run -> spin_discarded, spin_traced
spin_calls, spin_recursion, spin_deep, spin_boundaries -> Gate.closed
spin_exceptions, spin_discarded, spin_traced -> Gate.closed
spin_calls -> call_all -> call_a@
spin_calls -> call_a@ -> call_b@ -> call_c@
spin_recursion -> self_a@ -> self_a@
spin_recursion -> turn_a@ -> turn_b@ -> turn_c@ -> turn_a@
spin_deep -> deep_a@ -> deep_b@ -> deep_c@ -> deep_a@
deep_c@ -> deep_end@
spin_boundaries -> bound_map@, bound_sort@, bound_list@, bound_class@, bound_box@, bound_del@
bound_map@, bound_sort@ -> bound_k@
bound_map@ -> bound_map@.<locals>.<lambda> -> bound_l@
bound_list@.<locals>.<listcomp>, bound_list@.<locals>.<dictcomp> -> bound_m@
bound_list@ -> bound_m@
bound_class@ -> bound_class@.<locals>.Local -> bound_n@
bound_box@ -> Box@.__getitem__, Box@.size, Box@.__lt__, Box@.__enter__, Box@.__exit__, Box@.__iter__
bound_box@ -> Box@.__next__, Box@.__init__, Box@.__call__, Box@.__getattr__
Box@.__getitem__, Box@.size, Box@.__lt__, Box@.__enter__, Box@.__exit__ -> bound_o@
Box@.__next__, Box@.__init__, Box@.__call__, Box@.__getattr__ -> bound_p@
bound_del@ -> Gone@.__del__ -> bound_q@
spin_exceptions -> fail_a@ -> fail_b@ -> fail_c@ -> fail_d@ -> fail_e@
fail_a@ -> caught_a@
fail_c@ -> fail_f@
fail_d@ -> Guard@.__enter__, Guard@.__exit__ -> guard_x@
spin_exceptions -> unwind_a@ -> unwind_b@ -> unwind_a@
unwind_b@ -> unwind_c@
spin_discarded -> <module> -> gone_f@ -> gone_g@ -> gone_h@
<module> -> Gone_class@, <lambda> -> gone_i@
spin_traced -> traced_a@ -> traced_b@ -> traced_c@
any -> trace_hook
"""

CALLS: Any = generate(
    "calls",
    """
def call_a@(n): return call_b@(n)
def call_b@(n): return call_c@(n)
def call_c@(n): return n
""",
    FAMILIES,
)
_ALL = "def call_all():\n" + "".join(f"    call_a{n}(1)\n" for n in range(FAMILIES))
exec(compile(_ALL, "<hammer:calls>", "exec"), CALLS)

RECURSION: Any = generate(
    "recursion",
    """
def self_a@(n): return self_a@(n - 1) if n else n
def turn_a@(n): return turn_b@(n - 1) if n else n
def turn_b@(n): return turn_c@(n - 1) if n else n
def turn_c@(n): return turn_a@(n - 1) if n else n
def deep_a@(n): return deep_b@(n)
def deep_b@(n): return deep_c@(n)
def deep_c@(n): return deep_a@(n - 1) if n else deep_end@(n)
def deep_end@(n): return n
""",
    16,
)

BOUNDARIES: Any = generate(
    "boundaries",
    """
def bound_k@(n): return n
def bound_l@(n): return n
def bound_m@(n): return n
def bound_n@(n): return n
def bound_o@(n): return n
def bound_p@(n): return n
def bound_q@(n): return n
def bound_map@(items): return list(map(bound_k@, items)), min(items, key=lambda n: bound_l@(n))
def bound_sort@(items): return sorted(items, key=bound_k@), max(items, key=bound_k@)
def bound_list@(items): return [bound_m@(n) for n in items], {n: bound_m@(n) for n in items}
def bound_class@():
    class Local:
        x = bound_n@(1)
        y = bound_n@(2)
    return Local
class Box@:
    def __init__(self): self.left = bound_p@(3)
    def __getitem__(self, n): return bound_o@(n)
    def __lt__(self, other): return bound_o@(True)
    def __enter__(self): return bound_o@(1)
    def __exit__(self, *_): return bound_o@(None)
    def __iter__(self): return self
    def __call__(self, n): return bound_p@(n)
    def __getattr__(self, name): return bound_p@(name)
    def size(self): return bound_o@(1)
    size = property(size)
    def __next__(self):
        self.left -= bound_p@(1)
        if self.left < 0: raise StopIteration
        return self.left
class Gone@:
    def __del__(self): bound_q@(1)
def bound_del@():
    for _ in range(4):
        gone = Gone@()
        del gone
def bound_box@():
    box, other = Box@(), Box@()
    with box:
        box[1], box.size, box.missing, box(1), box < other, max(box, other), sorted((box, other))
    return list(box)
""",
    16,
)

EXCEPTIONS: Any = generate(
    "exceptions",
    """
def caught_a@(n): return n
def fail_a@(n):
    try: return fail_b@(n)
    except KeyError as error:
        caught_a@(n)
        return error
def fail_b@(n): return fail_c@(n)
def fail_c@(n):
    try: return fail_d@(n)
    finally: fail_f@(n)
def fail_d@(n):
    with Guard@(): return fail_e@(n)
def fail_e@(n): raise KeyError(n)
def fail_f@(n): return n
def guard_x@(n): return n
class Guard@:
    def __enter__(self): return guard_x@(1)
    def __exit__(self, *_): return guard_x@(None)
def unwind_a@(n): return unwind_b@(n - 1)
def unwind_b@(n): return unwind_a@(n - 1) if n > 0 else unwind_c@(n)
def unwind_c@(n): raise ValueError(n)
""",
    16,
)

TRACED: Any = generate(
    "traced",
    """
def traced_a@(n): return traced_b@(n)
def traced_b@(n): return traced_c@(n)
def traced_c@(n): return n
""",
    16,
)

DISCARDED = """
def gone_f@(n): return gone_g@(n)
def gone_g@(n): return gone_h@(n)
def gone_h@(n): return n
def gone_i@(n): return n
class Gone_class@:
    x = gone_i@(1)
gone_f@(1)
(lambda: gone_i@(1))()
"""


def spin_calls(gate: Gate) -> None:
    families = [CALLS[f"call_a{number}"] for number in range(FAMILIES)]
    while not gate.closed():
        for _ in range(20):
            CALLS["call_all"]()
            for family in families:
                family(1)


def spin_recursion(gate: Gate) -> None:
    families = [RECURSION[f"{name}_a{n}"] for n in range(16) for name in ("self", "turn")]
    while not gate.closed():
        for depth in (1, 2, 5, 30):
            for family in families:
                family(depth)


def spin_deep(gate: Gate) -> None:
    """Past the frames that are kept of a stack, and past one chunk of frames."""
    families = [RECURSION[f"deep_a{n}"] for n in range(16)]
    while not gate.closed():
        for place, family in enumerate(families):
            family((60, 90, 300, 1500)[place % 4])


def spin_boundaries(gate: Gate) -> None:
    """C calls Python: the interpreter's loop is entered anew on the C stack."""
    names = ("map", "sort", "list")
    with_items = [BOUNDARIES[f"bound_{name}{n}"] for n in range(16) for name in names]
    alone = [BOUNDARIES[f"bound_{name}{n}"] for n in range(16) for name in ("class", "box", "del")]
    items = (3, 1, 2)
    while not gate.closed():
        for one, other in zip(with_items, alone, strict=True):
            one(items)
            other()


def spin_exceptions(gate: Gate) -> None:
    """Errors are kept for a while: their tracebacks take over frames that were only lent."""
    kept: list[BaseException] = []
    while not gate.closed():
        for number in range(16):
            kept.append(EXCEPTIONS[f"fail_a{number}"](1))
            try:
                EXCEPTIONS[f"unwind_a{number}"](60)
            except ValueError as error:
                kept.append(error)
        if len(kept) > 100:
            kept.clear()


def spin_discarded(gate: Gate) -> None:
    """New code at addresses of old code; every second one is left to the garbage collector."""
    numbers = count()
    while not gate.closed():
        for number in (next(numbers) % 1_000_000 for _ in range(20)):
            made: dict[str, object] = {}
            exec(compile(DISCARDED.replace("@", str(number)), "<hammer:discarded>", "exec"), made)
            if number % 2:
                made.clear()


def trace_hook(*_: object) -> Callable[..., Any]:
    return trace_hook


def spin_traced(gate: Gate) -> None:
    """A trace function has the interpreter rewrite the code of all functions, to and fro."""
    families = [TRACED[f"traced_a{n}"] for n in range(16)]
    while not gate.closed():
        sys.settrace(trace_hook)
        for family in families:
            family(1)
        sys.settrace(None)
        for family in families:
            family(1)


KINDS = {
    "calls": spin_calls,
    "recursion": spin_recursion,
    "deep": spin_deep,
    "boundaries": spin_boundaries,
    "exceptions": spin_exceptions,
    "discarded": spin_discarded,
    "traced": spin_traced,
}
