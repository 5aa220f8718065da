"""Whose time is it: marker functions tell which transaction a sample must belong to."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time

import pytest

from flamespan import profiler
from flamespan.profiler import active
from helpers import recordings
from helpers.marked import NOBODY, rightful, work

TASKS = 20


@pytest.fixture(params=["python", "native"])
def engine(request):
    return request.param


def check(recording, at_least):
    assert rightful(recording).total() >= at_least


def test_twenty_concurrent_tasks_share_no_sample(tmp_path, engine):
    async def request(number):
        with profiler.transaction(str(number)):
            for _ in range(12):
                work(str(number), seconds=0.0015)
                await asyncio.sleep(0)
                with profiler.span("nested"):
                    work(str(number), seconds=0.001)
                    await asyncio.sleep(0.001)

    async def main():
        async with asyncio.TaskGroup() as group:
            for number in range(TASKS):
                group.create_task(request(number))

    with profiler.Profiler(tmp_path, 500, engine=engine) as running:
        asyncio.run(main())
    check(recordings.read(running.path), at_least=15)


def test_gather_and_callbacks_and_a_task_made_by_another(tmp_path, engine):
    async def part(number):
        work(str(number), seconds=0.004)
        await asyncio.sleep(0)
        work(str(number), seconds=0.004)

    async def request(number):
        with profiler.transaction(str(number)):
            await asyncio.gather(part(number), part(number))
            await asyncio.wait_for(part(number), 5)

    async def main():
        await asyncio.gather(*(request(number) for number in range(8)))

    with profiler.Profiler(tmp_path, 500, engine=engine) as running:
        asyncio.run(main())
    check(recordings.read(running.path), at_least=5)


def test_a_transaction_around_the_whole_loop(tmp_path, engine):
    async def main():
        with profiler.span("inner"):
            work("3", seconds=0.1)
        work("3", seconds=0.1)

    with profiler.Profiler(tmp_path, 500, engine=engine) as running, profiler.transaction("3"):
        work("3", seconds=0.1)
        asyncio.run(main())
        work("3", seconds=0.1)
    check(recordings.read(running.path), at_least=5)


def test_loop_machinery_between_tasks_is_nobodys(tmp_path, engine):
    async def request():
        with profiler.transaction("sleeper"):
            await asyncio.sleep(0.2)

    with profiler.Profiler(tmp_path, 500, engine=engine) as running:
        asyncio.run(request())
    recording = recordings.read(running.path)
    in_select = [row for row in recordings.rows(recording) if "EpollSelector.select" in row.stack]
    if not in_select:
        pytest.skip("another selector here")
    assert all(row.span == 0 for row in in_select)


def test_threads_each_have_their_own(tmp_path, engine):
    def serve(number):
        for _ in range(5):
            with profiler.transaction(str(number)):
                work(str(number), seconds=0.004)
                with profiler.span("s"):
                    work(str(number), seconds=0.004)

    with profiler.Profiler(tmp_path, 300, engine=engine) as running:
        threads = [threading.Thread(target=serve, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    check(recordings.read(running.path), at_least=5)


def test_two_loops_in_two_threads(tmp_path, engine):
    async def request(number):
        with profiler.transaction(str(number)):
            for _ in range(10):
                work(str(number), seconds=0.002)
                await asyncio.sleep(0)

    async def main(first):
        await asyncio.gather(*(request(first + i) for i in range(5)))

    with profiler.Profiler(tmp_path, 500, engine=engine) as running:
        threads = [threading.Thread(target=asyncio.run, args=(main(first),)) for first in (0, 10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    check(recordings.read(running.path), at_least=5)


def test_dead_thread_with_an_open_span_leaves_nothing_behind(tmp_path, engine):
    def dies():
        profiler.transaction("left open").__enter__()
        time.sleep(0.05)

    with profiler.Profiler(tmp_path, 500, engine=engine) as running:
        for _ in range(3):
            thread = threading.Thread(target=dies)
            thread.start()
            thread.join()
        time.sleep(0.02)
        assert not active.BY_THREAD
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            list(pool.map(work, [NOBODY] * 3))
    check(recordings.read(running.path), at_least=1)


def test_a_sample_after_the_inner_span_closed_belongs_to_the_outer(tmp_path, engine):
    with (
        profiler.Profiler(tmp_path, 500, engine=engine) as running,
        profiler.transaction("1") as outer,
    ):
        with profiler.span("inner"):
            time.sleep(0.01)
        work("1", seconds=0.1)
    rows = list(recordings.rows(recordings.read(running.path)))
    assert {row.span for row in rows if "marker_1_" in row.stack} == {outer.id}
