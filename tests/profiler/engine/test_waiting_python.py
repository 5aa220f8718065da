"""Transactions that wait, by the Python engine: where they stand, and that their time adds up."""

from __future__ import annotations

import asyncio
import time

import pytest

from flamespan import profiler
from flamespan.aggregator import load
from flamespan.profiler.model import State
from helpers import recordings
from helpers.waited import MS, seen, spin, waits


async def fetch(seconds):
    await asyncio.sleep(seconds)


async def query(seconds):
    with profiler.span("db", "query"):
        await fetch(seconds)


async def items():
    for item in range(2):
        await fetch(0.06)
        yield item


@pytest.fixture
def recorded(tmp_path):
    """Record a program: the recording, and its waiting() by transaction, which must add up."""

    def record(main, rate_hz=200, **options):
        with profiler.Profiler(tmp_path, rate_hz, engine="python", **options) as running:
            main()
        table = load(running.path).waiting(instances=True)
        off = table["recorded_ns"] + table["unobserved_ns"] + table["tail_ns"]
        # A row across an outage is cut to less than there was.
        off = (off - table["duration_ns"]).abs() - table["unobserved_ns"]
        assert off.max() <= 2 * MS, table.to_string()
        return recordings.read(running.path), table

    return record


def test_chains_go_on_to_the_innermost_await(recorded):
    async def handler():
        with profiler.transaction("get"):
            await query(0.1)
            await asyncio.create_task(query(0.1))
            async for _ in items():
                pass
            await asyncio.wait_for(fetch(0.1), 10)
            await asyncio.shield(fetch(0.1))
            async with asyncio.TaskGroup() as group:
                group.create_task(query(0.1))

    recording, table = recorded(lambda: asyncio.run(handler()))
    rows = waits(recording)["get"]
    query_ns = seen(rows, State.AWAITING, "handler", "query", "fetch", "sleep", during="query")
    assert query_ns > 0
    assert seen(rows, State.AWAITING, "handler", "fetch", "sleep") > 0  # what is shielded
    assert seen(rows, State.AWAITING, "handler", "items", "fetch", "sleep") > 0
    assert seen(rows, State.AWAITING, "handler", "wait_for", "fetch", "sleep") > 0
    group_ns = sum(
        wall
        for (_, stack, what), wall in rows.items()
        if "__aexit__" in stack and stack[-3:] == ("query", "fetch", "sleep") and what == "query"
    )
    assert group_ns > 0
    assert table["awaiting_ns"].sum() > 0.8 * table["recorded_ns"].sum()


def test_those_of_gather_have_their_turns(recorded):
    async def handler():
        with profiler.transaction("get"):
            await asyncio.gather(query(0.4), fetch(0.4))

    recording, _ = recorded(lambda: asyncio.run(handler()))
    rows = waits(recording)["get"]
    of_query = seen(rows, State.AWAITING, "handler", "query", "fetch", during="query")
    of_fetch = seen(rows, State.AWAITING, "handler", "fetch", during="get")
    assert 0.25 < of_query / (of_query + of_fetch) < 0.75


def test_many_tasks_are_looked_at_in_turn(recorded):
    async def request():
        with profiler.transaction("get"):
            await query(0.6)

    async def main():
        await asyncio.gather(*(request() for _ in range(200)))

    recording, table = recorded(lambda: asyncio.run(main()))
    assert len(table) == 200
    passes = sum(len(samples.pass_ticks) for samples in recording.samples)
    # At least eight of them at each pass, each as often as the others.
    assert (table["awaiting_ns"] > 0).sum() >= min(200, 8 * passes // 2)


def test_a_task_that_could_go_on_waits_for_its_loop(recorded):
    async def polite(answer):
        with profiler.transaction("polite"):
            await answer

    async def main():
        answer = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(polite(answer))
        await asyncio.sleep(0.01)
        answer.set_result(None)
        spin(0.2)
        await task

    _, table = recorded(lambda: asyncio.run(main()))
    assert table["loop_wait_ns"].sum() > 0.5 * table["recorded_ns"].sum() > 0


def test_what_a_child_task_or_a_thread_does_is_no_waiting(recorded):
    async def child():
        spin(0.2)

    async def main():
        with profiler.transaction("get"):
            await asyncio.create_task(child())

    _, table = recorded(lambda: asyncio.run(main()))
    waited = table["awaiting_ns"].sum() + table["loop_wait_ns"].sum()
    assert waited < 0.5 * table["duration_ns"].sum()


def test_a_generator_that_is_a_transaction_is_entered_again(recorded):
    @profiler.transaction("get")
    async def numbers():
        for number in range(4):
            await fetch(0.02)
            yield number

    async def main():
        async for _ in numbers():
            spin(0.03)  # this is nobody's, and it has to be told once at most

    _, table = recorded(lambda: asyncio.run(main()))
    assert table["recorded_ns"].sum() <= table["duration_ns"].sum()


def test_greenlets(recorded):
    gevent = pytest.importorskip("gevent")

    def request():
        with profiler.transaction("get"), profiler.span("db", "query"):
            gevent.sleep(0.2)

    def main():
        gevent.joinall([gevent.spawn(request) for _ in range(3)])

    recording, table = recorded(main)
    rows = waits(recording)["get"]
    assert table["awaiting_ns"].sum() > 0.8 * table["recorded_ns"].sum() > 0
    assert {what for (_, _, what) in rows} <= {"query", "get"}
    assert all(stack[0] in ("run", "request") or "request" in stack for _, stack, _ in rows)


def test_trio(recorded):
    trio = pytest.importorskip("trio")

    async def request():
        with profiler.transaction("get"), profiler.span("db", "query"):
            await trio.sleep(0.2)

    async def main():
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(request)

    recording, table = recorded(lambda: trio.run(main))
    rows = waits(recording)["get"]
    assert seen(rows, State.AWAITING, "request", "sleep", during="query") > 0
    assert table["awaiting_ns"].sum() > 0.8 * table["recorded_ns"].sum() > 0


def test_a_transaction_that_ends_elsewhere_is_let_go_of(recorded):
    async def main():
        scope = profiler.transaction("get")
        scope.__enter__()
        await fetch(0.1)

        async def closer():
            scope.__exit__(None, None, None)

        await asyncio.create_task(closer())
        time.sleep(0.05)
        await fetch(0.1)

    _, table = recorded(lambda: asyncio.run(main()))
    assert 0 < table["awaiting_ns"].sum() <= table["duration_ns"].sum()
