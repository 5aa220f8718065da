"""Transactions that wait: where their suspended tasks stand, and that their time adds up."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from flamespan import profiler
from flamespan.aggregator import load
from flamespan.profiler.engine import choose
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import State
from helpers import recordings
from helpers.waited import MS, WAITING, checked_sums, ends, record, seen, spin, waits

try:
    choose("native")
except UsageError as error:
    pytest.skip(f"no native engine here: {error}", allow_module_level=True)


async def fetch(seconds):
    await asyncio.sleep(seconds)


async def query(seconds):
    with profiler.span("db", "query"):
        await fetch(seconds)


def test_a_suspended_task_is_sampled_at_its_innermost_await(tmp_path):
    async def handler():
        with profiler.transaction("get"):
            await fetch(0.2)
            await query(0.3)

    recording = record(tmp_path, lambda: asyncio.run(handler()))
    rows = waits(recording)["get"]
    assert seen(rows, State.AWAITING, "handler", "fetch", "sleep", during="get") > 150 * MS
    assert (
        seen(rows, State.AWAITING, "handler", "query", "fetch", "sleep", during="query") > 200 * MS
    )
    threads = {row.thread for row in recordings.rows(recording) if row.state in WAITING}
    assert threads == {"MainThread"}
    lines = {row.lines[0] for row in recordings.rows(recording) if row.state == State.AWAITING}
    first = handler.__code__.co_firstlineno
    assert lines <= {first + 2, first + 3}


def test_the_chain_goes_on_through_tasks_generators_and_wrappers(tmp_path):
    class Custom:
        def __await__(self):
            return fetch(0.1).__await__()

    async def items():
        for item in range(2):
            await fetch(0.1)
            yield item

    async def handler():
        with profiler.transaction("get"):
            await asyncio.create_task(query(0.15))
            await Custom()
            async for _ in items():
                pass
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(fetch(5), 0.15)

    rows = waits(record(tmp_path, lambda: asyncio.run(handler())))["get"]
    assert seen(rows, State.AWAITING, "handler", "query", "fetch", "sleep") > 80 * MS
    assert seen(rows, State.AWAITING, "handler", "fetch", "sleep") > 50 * MS
    assert seen(rows, State.AWAITING, "handler", "items", "fetch", "sleep") > 100 * MS
    assert seen(rows, State.AWAITING, "handler", "wait_for") > 80 * MS


def test_the_name_of_the_task_is_kept(tmp_path):
    async def handler():
        with profiler.transaction("get", tags={"tier": "gold"}):
            await fetch(0.01)

    async def main():
        await asyncio.create_task(handler(), name="worker-7")

    recording = record(tmp_path, lambda: asyncio.run(main()))
    assert {(tag.key, tag.value) for tag in recording.spans.tags} == {
        ("tier", "gold"),
        ("task.name", "worker-7"),
    }


def test_a_task_that_could_go_on_waits_for_its_loop(tmp_path):
    async def polite(answer):
        with profiler.transaction("polite"):
            await asyncio.sleep(0)
            await answer

    async def rude(answer):
        await asyncio.sleep(0)
        spin(0.2)  # meanwhile sleep(0) is over
        await asyncio.sleep(0)
        answer.set_result(None)
        spin(0.2)  # meanwhile the answer is there

    async def main():
        answer = asyncio.get_running_loop().create_future()
        await asyncio.gather(rude(answer), *(polite(answer) for _ in range(3)))

    rows = waits(record(tmp_path, lambda: asyncio.run(main())))["polite"]
    assert seen(rows, State.LOOP_WAIT, "polite") > 0
    assert seen(rows, State.AWAITING, "polite") < 0.2 * seen(rows, State.LOOP_WAIT, "polite")


def test_running_awaiting_and_waiting_for_the_loop_add_up(tmp_path):
    async def request(number):
        with profiler.transaction(str(number)):
            for _ in range(5):
                spin(0.002)
                await query(0.02)
                await asyncio.sleep(0)
            await asyncio.gather(fetch(0.01), query(0.03))
            await asyncio.to_thread(time.sleep, 0.05)

    async def main():
        for _ in range(2):
            await asyncio.gather(*(request(number) for number in range(20)))

    recording = record(tmp_path, lambda: asyncio.run(main()))
    assert checked_sums(recording) == 40


STOPPED = """
import asyncio, sys, time
from flamespan import profiler

async def request(number):
    await asyncio.sleep(number * 0.07)
    with profiler.transaction(str(number)):
        await asyncio.sleep(0.3)
        until = time.perf_counter() + 0.02
        while time.perf_counter() < until:
            pass
        await asyncio.sleep(0.5)

async def main():
    await asyncio.gather(*(request(number) for number in range(30)))

with profiler.Profiler(sys.argv[1], 500, engine="native") as running:
    print(running.path, flush=True)
    asyncio.run(main())
"""


def test_time_in_which_the_process_was_stopped_is_known_of_each_transaction(tmp_path):
    """Some begin before it stops, some go on only after: none is charged for what it did not do."""
    command = [sys.executable, "-c", STOPPED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        path = program.stdout.readline().strip()
        for _ in range(4):
            time.sleep(0.25)
            program.send_signal(signal.SIGSTOP)
            time.sleep(0.4)
            program.send_signal(signal.SIGCONT)
        assert program.wait(60) == 0
    table = load(path).waiting(instances=True)
    assert len(table) == 30
    assert table["unobserved_ns"].max() > 300 * MS
    told = table["recorded_ns"] + table["unobserved_ns"] + table["tail_ns"]
    # An interval, and as much again where the machine is busy.
    assert (told - table["duration_ns"]).abs().max() <= 4 * MS


def test_of_very_many_that_wait_some_are_looked_at_in_turn(tmp_path):
    count, seconds = 1500, 2.0

    async def request():
        with profiler.transaction("wait"):
            await fetch(seconds)

    async def main():
        await asyncio.gather(*(request() for _ in range(count)))

    recording = record(tmp_path, lambda: asyncio.run(main()), 100)
    booked = Counter()
    for row in recordings.rows(recording):
        if row.state in WAITING:
            booked[row.span] += row.wall_ns
    per_pass = [n for samples in recording.samples for n in samples.pass_samples]
    assert max(per_pass) <= 1100
    assert len(booked) > 0.95 * count  # none is left out in the long run
    starts = {span.id: span.start_ns for span in recording.spans.started}
    durations = sum(end_ns - starts[span] for span, end_ns in ends(recording).items())
    assert sum(booked.values()) <= durations
    assert sum(booked.values()) > 0.2 * durations


def test_first_looks_at_thousands_are_not_paid_for_by_looking_no_more(tmp_path):
    count, seconds = 3000, 6.0

    async def request():
        with profiler.transaction("wait"):
            await fetch(seconds)

    async def main():
        await asyncio.gather(*(request() for _ in range(count)))

    with profiler.Profiler(tmp_path, 100, engine="native") as running:
        asyncio.run(main())
    table = load(running.path).waiting(instances=True)
    assert (table["recorded_ns"] > 0).sum() > 0.98 * count
    told = table["recorded_ns"] + table["unobserved_ns"] + table["tail_ns"]
    assert (told - table["duration_ns"]).abs().max() <= 100 * MS
    # Each was looked at again, and not long before its end.
    assert (table["tail_ns"] / table["duration_ns"]).median() < 0.6


def test_what_runs_before_its_turn_came_again_had_waited_until_then(tmp_path):
    count = 600

    async def request(until, number):
        with profiler.transaction("wait"):
            await until[number].wait()
            if number % 40 == 0:
                spin(0.03)

    async def main():
        until = [asyncio.Event() for _ in range(count)]
        tasks = [asyncio.create_task(request(until, number)) for number in range(count)]
        await asyncio.sleep(1.5)  # some sixteen are looked at in a pass
        for one in until:
            one.set()
        await asyncio.gather(*tasks)

    with profiler.Profiler(tmp_path, 100, engine="native", budget=0.002) as running:
        asyncio.run(main())
    table = load(running.path).waiting(instances=True)
    told = table["recorded_ns"] + table["unobserved_ns"] + table["tail_ns"]
    ran = table["on_cpu_ns"] > 0
    assert ran.sum() >= 10
    off = (told - table["duration_ns"]).abs()
    assert off[ran].median() <= 20 * MS
    assert off[ran].sort_values().iloc[-3] <= 100 * MS  # some were never looked at before


def test_more_than_there_is_room_for_are_counted(tmp_path):
    async def request():
        with profiler.transaction("wait"):
            await asyncio.Future()

    def main():
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        waiting = [request() for _ in range(70_000)]
        for each in waiting:
            each.send(None)
        for each in waiting:
            each.close()
        asyncio.set_event_loop(None)
        loop.close()

    recording = record(tmp_path, main, 100, max_open_spans=100_000, max_spans_per_s=1_000_000)
    assert recording.stats.unfollowed_transactions == 70_000 - 65_535


def test_nothing_is_booked_to_what_is_closed(tmp_path):
    opened = []

    async def opens():
        transaction = profiler.transaction("early")
        transaction.__enter__()
        opened.append(transaction)
        await fetch(0.3)

    async def main():
        task = asyncio.create_task(opens())
        await asyncio.sleep(0.1)
        opened[0].__exit__(None, None, None)  # from another task
        await task
        await asyncio.sleep(0.1)

    recording = record(tmp_path, lambda: asyncio.run(main()))
    ((span, end_ns),) = ends(recording).items()
    rows = [row for row in recordings.rows(recording) if row.span == span]
    assert rows
    assert all(row.time_ns - row.wall_ns <= end_ns for row in rows)
    assert checked_sums(recording) == 1


def test_transactions_left_open_or_abandoned_harm_nobody(tmp_path):
    async def leaves():
        profiler.transaction("left").__enter__()
        await fetch(0.02)

    async def abandoned():
        with profiler.transaction("abandoned"):
            await asyncio.get_running_loop().create_future()

    async def main():
        for _ in range(20):
            await leaves()
            task = asyncio.create_task(abandoned())
            await asyncio.sleep(0.01)
            task.cancel()
            del task
        chain = abandoned()
        chain.send(None)  # driven by hand, and then let go of
        del chain
        await fetch(0.1)

    recording = record(tmp_path, lambda: asyncio.run(main()))
    for row in recordings.rows(recording):
        if row.state in WAITING:
            assert row.stack[0].rpartition(".")[2] in ("leaves", "abandoned", "main")


def test_trio_tasks_wait_too(tmp_path):
    trio = pytest.importorskip("trio")

    async def nap(seconds):
        await trio.sleep(seconds)

    async def request():
        with profiler.transaction("get"):
            spin(0.01)
            await nap(0.2)

    async def main():
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(request)

    recording = record(tmp_path, lambda: trio.run(main))
    rows = waits(recording)["get"]
    assert seen(rows, State.AWAITING, "request", "nap") > 600 * MS
    assert checked_sums(recording) == 5


def test_greenlets_wait_too(tmp_path):
    gevent = pytest.importorskip("gevent")

    def nap(seconds):
        gevent.sleep(seconds)

    def request(number):
        with profiler.transaction(str(number)):
            spin(0.005)
            with profiler.span("db", "query"):
                nap(0.2)

    def main():
        gevent.joinall([gevent.spawn(request, number) for number in range(5)])

    recording = record(tmp_path, main)
    assert checked_sums(recording) == 5
    for rows in waits(recording).values():
        entered = sum(
            wall
            for (_, stack, what), wall in rows.items()
            if "request" in stack and what == "query"
        )
        assert entered > 150 * MS
        if sys.version_info < (3, 14):
            assert any(stack[-2:] == ("nap", "sleep") for _, stack, _ in rows)


def test_no_sample_of_a_transaction_is_told_behind_its_end(tmp_path):
    """Not even one of a thread that was left to the next pass since it had just woken up."""

    def client(until):
        while time.monotonic() < until:
            with profiler.transaction("get"):
                spin(0.0005)
                time.sleep(0.001)
                spin(0.0005)

    def main():
        until = time.monotonic() + 0.5
        threads = [threading.Thread(target=client, args=(until,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    recording = record(tmp_path, main, rate_hz=2000)
    over = ends(recording)
    late = [row for row in recordings.rows(recording) if row.time_ns > over.get(row.span, 1 << 62)]
    assert not late


LATE_IMPORT = """
import sys
from pathlib import Path
from flamespan import profiler

with profiler.Profiler(Path(sys.argv[1]), 500, engine="native") as running:
    import gevent

    def request():
        with profiler.transaction("get"):
            gevent.sleep(0.2)

    gevent.joinall([gevent.spawn(request) for _ in range(3)])
print(running.path)
"""


def test_greenlets_that_are_imported_after_the_start_are_followed_from_the_first_on(tmp_path):
    pytest.importorskip("gevent")
    done = subprocess.run(
        [sys.executable, "-c", LATE_IMPORT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    table = load(done.stdout.strip()).waiting(instances=True)
    told = table["recorded_ns"] + table["unobserved_ns"] + table["tail_ns"]
    assert len(table) == 3
    assert ((told - table["duration_ns"]).abs() < 5 * MS).all()


def test_time_in_which_no_pass_was_made_for_a_fork_is_in_no_sample(tmp_path):
    async def main():
        with profiler.transaction("get"):
            for _ in range(5):
                await asyncio.sleep(0.02)
                child = os.fork()
                if not child:
                    os._exit(0)
                os.waitpid(child, 0)

    with profiler.Profiler(tmp_path, 500, engine="native") as running:
        asyncio.run(main())
    (row,) = load(running.path).waiting(instances=True).to_dict("records")
    told = row["recorded_ns"] + row["unobserved_ns"] + row["tail_ns"]
    assert abs(told - row["duration_ns"]) < 5 * MS, row
