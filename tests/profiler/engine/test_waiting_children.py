"""Transactions that wait for several tasks: each has a share of the time, which adds up."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter

import pytest

from flamespan import profiler
from flamespan.profiler.engine import choose
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import State
from helpers import recordings
from helpers.waited import MS, WAITING, checked_sums, record, seen, spin, waits

try:
    choose("native")
except UsageError as error:
    pytest.skip(f"no native engine here: {error}", allow_module_level=True)


async def left(seconds):
    with profiler.span("db", "left"):
        await asyncio.sleep(seconds)


async def right(seconds):
    with profiler.span("db", "right"):
        await asyncio.sleep(seconds)


async def by_gather(seconds):
    await asyncio.gather(left(seconds), right(seconds))


async def by_group(seconds):
    async with asyncio.TaskGroup() as group:
        group.create_task(left(seconds))
        group.create_task(right(seconds))


async def by_wait(seconds):
    tasks = [asyncio.create_task(work(seconds)) for work in (left, right)]
    await asyncio.wait(tasks)


async def by_shields(seconds):
    await asyncio.gather(*(asyncio.shield(work(seconds)) for work in (left, right)))


async def by_gathers_of_groups(seconds):
    async def one(work):
        async with asyncio.TaskGroup() as group:
            group.create_task(work(seconds))

    await asyncio.gather(asyncio.gather(one(left)), asyncio.shield(one(right)))


async def by_eager_tasks(seconds):
    if sys.version_info >= (3, 12):
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    await by_gather(seconds)


async def by_anyio(seconds):
    anyio = pytest.importorskip("anyio")
    async with anyio.create_task_group() as group:
        group.start_soon(left, seconds)
        group.start_soon(right, seconds)


WAYS = [
    *(by_gather, by_group, by_wait, by_shields, by_gathers_of_groups, by_eager_tasks, by_anyio),
]


def waited_in(rows, state=State.AWAITING):
    """Wall of what was waited for by the description of the span, and the stacks it was in."""
    found, stacks = Counter(), {}
    for (was, stack, what), wall in rows.items():
        if was == state:
            found[what] += wall
            stacks.setdefault(what, set()).add(stack)
    return found, stacks


@pytest.mark.parametrize("way", WAYS)
def test_children_have_equal_shares_of_the_time_they_are_waited_for(tmp_path, way):
    async def request():
        with profiler.transaction("get"):
            await way(1)

    recording = record(tmp_path, lambda: asyncio.run(request()))
    found, stacks = waited_in(waits(recording)["get"])
    whole = sum(found.values())
    for name in ("left", "right"):
        # A pass that comes late on a busy machine books all of its time to one of them.
        assert 0.2 * whole < found[name] < 0.8 * whole, found
        assert all(
            stack[0] == "request" and stack[-2:] == (name, "sleep") for stack in stacks[name]
        )
    assert whole > 400 * MS
    assert checked_sums(recording) == 1


def test_a_child_that_is_done_is_waited_for_no_more(tmp_path):
    async def request():
        with profiler.transaction("get"):
            await asyncio.gather(left(0.2), right(0.8), left(0.2))

    recording = record(tmp_path, lambda: asyncio.run(request()))
    found, _ = waited_in(waits(recording)["get"])
    # Of 0.2 s two thirds, of the rest nothing.
    assert found["right"] > 2 * found["left"] > 0
    assert checked_sums(recording) == 1


@pytest.mark.parametrize("count", [3, 40, 400])
def test_of_many_children_none_is_forgotten_and_none_preferred(tmp_path, count):
    async def child(number):
        with profiler.span("db", str(number % 3)):
            await asyncio.sleep(1.5 if number % 3 else 0)

    async def request():
        with profiler.transaction("get"):
            await asyncio.gather(*(child(number) for number in range(count)))

    recording = record(tmp_path, lambda: asyncio.run(request()))
    found, _ = waited_in(waits(recording)["get"])
    whole = sum(found.values())
    assert found["1"] + found["2"] > 0.8 * whole > 400 * MS
    # A pass that comes late on a busy machine books all of its time to one of them.
    assert min(found["1"], found["2"]) > 0.15 * whole, found
    assert checked_sums(recording) == 1


def test_a_child_of_another_transaction_is_what_is_waited_for_and_keeps_its_own_time(tmp_path):
    async def inner():
        with profiler.transaction("inner"):
            await left(0.4)

    async def request():
        with profiler.transaction("outer"):
            await asyncio.gather(inner(), inner())

    recording = record(tmp_path, lambda: asyncio.run(request()))
    rows = waits(recording)
    assert seen(rows["inner"], State.AWAITING, "inner", "left", "sleep", during="left") > 600 * MS
    # Its own span: it has none of the inner ones'.
    outer = seen(rows["outer"], State.AWAITING, "request", "inner", "left", "sleep", during="outer")
    assert outer > 300 * MS
    assert checked_sums(recording) == 3


def test_a_task_that_is_awaited_is_in_its_own_span(tmp_path):
    async def request():
        with profiler.transaction("get"):
            with profiler.span("outer", "outer"):
                await asyncio.create_task(left(0.3))
            await asyncio.sleep(0.1)

    rows = waits(record(tmp_path, lambda: asyncio.run(request())))["get"]
    assert seen(rows, State.AWAITING, "request", "left", "sleep", during="left") > 200 * MS
    assert seen(rows, State.AWAITING, "request", "left", during="outer") < 20 * MS
    assert seen(rows, State.AWAITING, "request", "sleep", during="get") > 60 * MS


def test_a_child_that_has_moved_on_is_in_the_span_that_is_open_now(tmp_path):
    async def child():
        for _ in range(10):
            await right(0.03)
            await left(0.03)

    async def request():
        with profiler.transaction("get"):
            await asyncio.gather(child(), child())

    recording = record(tmp_path, lambda: asyncio.run(request()))
    starts = {span.id: span for span in recording.spans.started}
    closed = {span.id: span.end_ns for span in recording.spans.ended}
    found = Counter()
    for row in recordings.rows(recording):
        if row.state in WAITING and len(row.stack) > 2:  # else the child has not begun
            what, inner = starts[row.span].description, row.stack[-2].rpartition(".")[2]
            found[what == inner] += row.wall_ns
            # A look lasts some microseconds, in which a span may close.
            assert row.time_ns - row.wall_ns <= closed[row.span] + MS
    assert found[True] > 0.9 * sum(found.values()) > 300 * MS
    assert checked_sums(recording) == 1


def test_children_that_wait_for_the_loop_and_groups_nobody_told_yet(tmp_path):
    async def polite():
        await asyncio.sleep(0)

    async def request():
        with profiler.transaction("get"):
            await asyncio.gather(polite(), polite())

    async def rude():
        for _ in range(4):
            await asyncio.sleep(0)
            spin(0.1)

    async def main():
        await asyncio.gather(request(), rude())

    recording = record(tmp_path, lambda: asyncio.run(main()))
    rows = waits(recording)["get"]
    loop, awaits = (
        sum(wall for (was, _, _), wall in rows.items() if was == state)
        for state in (State.LOOP_WAIT, State.AWAITING)
    )
    assert loop > 200 * MS
    assert awaits < 0.2 * loop
    assert checked_sums(recording) == 1


def test_tasks_that_wait_for_each_other_hang_nobody(tmp_path):
    async def main():
        tasks = []

        async def first():
            with profiler.transaction("get"):
                await asyncio.shield(tasks[1])

        async def second():
            await asyncio.shield(tasks[0])

        tasks += [asyncio.create_task(first()), asyncio.create_task(second())]
        await asyncio.sleep(0.3)
        for task in tasks:
            task.cancel()

    recording = record(tmp_path, lambda: asyncio.run(main()))
    assert seen(waits(recording)["get"], State.AWAITING, "first") > 200 * MS
    assert checked_sums(recording) == 1


def test_a_nursery_waits_for_its_children(tmp_path):
    trio = pytest.importorskip("trio")

    async def nap(name):
        with profiler.span("db", name):
            await trio.sleep(1)

    async def request():
        with profiler.transaction("get"):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(nap, "left")
                nursery.start_soon(nap, "right")

    recording = record(tmp_path, lambda: trio.run(request))
    found, stacks = waited_in(waits(recording)["get"])
    whole = sum(found.values())
    assert 0.2 * whole < found["left"] < 0.8 * whole, found
    assert all("nap" in stack and stack[0] == "request" for stack in stacks["left"])
    assert checked_sums(recording) == 1


def test_a_loop_written_in_c_waits_for_children_too(tmp_path):
    uvloop = pytest.importorskip("uvloop")

    async def request():
        with profiler.transaction("get"):
            await by_gather(0.3)
            await by_group(0.3)

    def main():
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(request())

    recording = record(tmp_path, main)
    found, _ = waited_in(waits(recording)["get"])
    assert found["left"] + found["right"] > 0.9 * sum(found.values()) > 300 * MS
    assert checked_sums(recording) == 1


LATE = """
import sys
from flamespan import profiler

running = profiler.Profiler(sys.argv[1], 500, engine="native")
running.start()
import asyncio

async def child():
    with profiler.span("db", "child"):
        await asyncio.sleep(0.5)

async def request():
    with profiler.transaction("get"):
        await asyncio.gather(child())

assert "asyncio" in sys.modules
asyncio.run(request())
running.stop()
print(running.path)
"""


def test_what_is_imported_after_the_start_is_followed_from_its_first_transaction_on(tmp_path):
    command = [sys.executable, "-c", LATE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    rows = waits(recordings.read(done.stdout.strip()))["get"]
    found, _ = waited_in(rows)
    assert found["child"] > 0.8 * sum(found.values()) > 200 * MS
