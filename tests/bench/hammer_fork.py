"""Workers that fork children, which end in every way there is, and are waited for."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from itertools import count
from typing import Any

from hammer_calls import Gate
from hammer_graph import generate

from flamespan import profiler

CHILD_S = 30
"""A child that has not ended by then hangs."""

ONE_WORLD = threading.Lock()
"""Held while there is a subinterpreter: a fork beside one hangs in CPython itself (3.11)."""

RULES = """
Thread.run -> spin_forks -> Gate.closed
spin_forks -> fork_child -> live_as_child, reap
live_as_child -> child_work -> child_a@ -> child_b@ -> child_c@
live_as_child -> fork_grandchild -> child_work
fork_grandchild -> reap
Thread.run -> child_work
"""

CHILD: Any = generate(
    "forks",
    """
def child_a@(n): return child_b@(n)
def child_b@(n): return child_c@(n)
def child_c@(n): return n
""",
    16,
)


@dataclass
class Children:
    """What became of the forked children; ``alive`` ones may be writing their files."""

    forked: int = 0
    ended: int = 0
    alive: int = 0
    hung: int = 0
    failed: int = 0


CHILDREN = Children()


def child_work(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for number in range(16):
            CHILD[f"child_a{number}"](number)


def fork_grandchild() -> int:
    pid = os.fork()
    if not pid:
        child_work(0.005)
        os._exit(0)
    return reap(pid)


def live_as_child(number: int) -> int:
    """Each way for a child to end in turn; the exit status."""
    way, status = number % 6, 0
    if way:
        child_work((0.003, 0.05)[number % 2])
    if way == 2:
        atexit._run_exitfuncs()
    elif way == 3:
        thread = threading.Thread(target=child_work, args=(0.05,), name="forks0-thread")
        thread.start()
        thread.join()
        profiler.stop()
    elif way == 4:
        status = fork_grandchild()
    elif way == 5:
        profiler.stop()
    return status


def fork_child(number: int) -> None:
    CHILDREN.alive += 1
    with ONE_WORLD:
        pid = os.fork()
    if not pid:
        status = 99
        try:
            status = live_as_child(number)
        finally:
            os._exit(status)
    CHILDREN.forked += 1
    status = reap(pid)
    if status:
        CHILDREN.failed += 1
        print(f"child {number} (way {number % 6}) ended with {status}", file=sys.stderr, flush=True)
    CHILDREN.ended += 1
    CHILDREN.alive -= 1


def reap(pid: int) -> int:
    """Wait for the end of a child; one that hangs is made to dump its stacks. Its status."""
    end = time.monotonic() + CHILD_S
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status) & 0xFF
        time.sleep(0.002)
    CHILDREN.hung += 1
    os.kill(pid, signal.SIGABRT)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xFF


def spin_forks(gate: Gate) -> None:
    numbers = count()
    while not gate.closed():
        fork_child(next(numbers))
        time.sleep(0.2)


KINDS = {"forks": spin_forks} if hasattr(os, "fork") else {}
