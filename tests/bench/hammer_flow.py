"""Workers whose frames leave the stack and come back: generators, coroutines, tasks, greenlets.

Such a frame lives with its object; only a link to the one below changes when it is resumed. Each
level is a function of its own, so that a link of a moment ago shows as a call that is never made.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from hammer_calls import Gate
from hammer_graph import generate

try:
    import greenlet
except ImportError:
    greenlet = None

RULES = """
Thread.run -> spin_generators, spin_coroutines, spin_tasks, spin_greenlets
spin_generators, spin_coroutines, spin_tasks, spin_greenlets -> Gate.closed
spin_generators -> tree_a@ -> tree_b@ -> tree_c@ -> tree_d@ -> tree_e@ -> tree_f@
spin_generators -> loop_a@ -> loop_b@ -> loop_c@ -> loop_d@
spin_generators -> ping_a@ -> ping_b@ -> ping_c@
ping_a@ -> ping_c@
spin_generators -> share_a@, share_b@ -> shared@
spin_generators -> shared@
spin_generators -> total@
total@.<locals>.<genexpr> -> total_x@
spin_coroutines -> wait_a@ -> wait_b@ -> wait_c@ -> Tick@.__await__, flow@, step@
wait_c@ -> Door@.__aenter__, Door@.__aexit__ -> Tick@.__await__
flow@ -> Tick@.__await__
* -> tasks_main
* -> task_a@ -> task_b@ -> task_c@ -> task_d@
task_b@ -> task_e@
spin_greenlets -> hub
<root> -> green_a@ -> green_b@ -> green_c@
<root> -> pair_a@ -> pair_b@
<root> -> ring_a@ -> ring_b@
"""

GENERATORS: Any = generate(
    "generators",
    """
def tree_a@():
    yield from tree_b@()
    yield 1
    yield from tree_b@()
def tree_b@():
    yield from tree_c@()
    yield 1
    yield from tree_c@()
def tree_c@():
    yield from tree_d@()
    yield 1
    yield from tree_d@()
def tree_d@():
    yield from tree_e@()
    yield 1
    yield from tree_e@()
def tree_e@():
    yield from tree_f@()
    yield 1
    yield from tree_f@()
def tree_f@():
    yield 1
def loop_a@():
    for n in loop_b@(): yield n
def loop_b@():
    for n in loop_c@(): yield n
def loop_c@():
    for n in loop_d@(): yield n
def loop_d@():
    for n in range(30): yield n
def ping_a@():
    other = ping_b@()
    next(other)
    for _ in range(30): yield other.send(1)
    other.close()
def ping_b@():
    other = ping_c@()
    next(other)
    try:
        for _ in range(40): yield other.send(1)
    finally: other.close()
def ping_c@():
    for _ in range(50): yield 1
def share_a@(other): return next(other)
def share_b@(other): return next(other)
def shared@():
    while True: yield 1
def total_x@(n): return n
def total@(): return sum(total_x@(n) for n in range(10))
""",
    16,
)

COROUTINES: Any = generate(
    "coroutines",
    """
class Tick@:
    def __await__(self): yield
class Door@:
    async def __aenter__(self): await Tick@()
    async def __aexit__(self, *_): await Tick@()
def step@(n): return n
async def flow@():
    yield 1
    await Tick@()
    yield 2
async def wait_a@(): return await wait_b@()
async def wait_b@(): return await wait_c@()
async def wait_c@():
    for _ in range(4):
        await Tick@()
        async with Door@():
            await Tick@()
        async for n in flow@():
            step@(n)
""",
    16,
)

TASKS: Any = generate(
    "tasks",
    """
import asyncio
async def task_a@(n):
    for _ in range(5): await task_b@(n)
async def task_b@(n):
    await task_c@(n)
    async with asyncio.timeout(60): await task_c@(n)
    task_e@(n)
async def task_c@(n):
    await asyncio.sleep(0)
    task_d@(n)
    await asyncio.sleep(0)
def task_d@(n): return n
def task_e@(n): return n
""",
    40,
)

GREENLETS: Any = generate(
    "greenlets",
    """
def green_a@(hub): return green_b@(hub)
def green_b@(hub): return green_c@(hub)
def green_c@(hub):
    for _ in range(20): hub.switch()
def pair_a@(both): return pair_b@(both)
def pair_b@(both):
    for _ in range(20): both[1].switch(both)
def ring_a@(both): return ring_b@(both)
def ring_b@(both):
    for _ in range(30): both[0].switch(both)
""",
    16,
)


def spin_generators(gate: Gate) -> None:
    names = ("tree_a", "loop_a", "ping_a")
    iterated = [GENERATORS[f"{name}{number}"] for number in range(16) for name in names]
    shared = [[GENERATORS[f"{name}{n}"] for name in ("shared", "share_a", "share_b", "total")]
              for n in range(16)]  # fmt: skip
    while not gate.closed():
        for make in iterated:
            for _ in make():
                pass
        side_by_side = [make() for make in iterated]
        for _ in range(10):
            for one in side_by_side:
                next(one)
        for one in side_by_side:
            for _ in one:
                pass
        for make, one, other, total in shared:
            leaf = make()
            for _ in range(20):
                one(leaf)
                other(leaf)
            total()
            leaf.close()


def spin_coroutines(gate: Gate) -> None:
    """Coroutines stepped in turn by hand, faster than a loop can."""
    while not gate.closed():
        waiting = deque(COROUTINES[f"wait_a{number}"]() for number in range(16))
        while waiting:
            one = waiting.popleft()
            try:
                one.send(None)
            except StopIteration:
                continue
            waiting.append(one)


async def tasks_main() -> None:
    await asyncio.gather(*(TASKS[f"task_a{number}"](number) for number in range(40)))


def spin_tasks(gate: Gate) -> None:
    while not gate.closed():
        asyncio.run(tasks_main())


def hub(number: int) -> None:
    """Greenlets that go through a hub, and two that switch to each other."""
    centre = greenlet.getcurrent()
    live = [greenlet.greenlet(GREENLETS[f"green_a{(number + n) % 16}"]) for n in range(8)]
    while live:
        for one in live:
            one.switch(centre)
        live = [one for one in live if not one.dead]
    both = [greenlet.greenlet(GREENLETS[f"{name}_a{number}"]) for name in ("pair", "ring")]
    while not all(one.dead for one in both):
        for one in both:
            if not one.dead:
                one.switch(both)


def spin_greenlets(gate: Gate) -> None:
    while not gate.closed():
        for number in range(16):
            hub(number)


KINDS = {
    "generators": spin_generators,
    "coroutines": spin_coroutines,
    "tasks": spin_tasks,
}
if greenlet is not None:
    KINDS["greenlets"] = spin_greenlets
