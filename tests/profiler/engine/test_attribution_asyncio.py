"""Whose time is it under asyncio: tasks, callbacks, generators and threads, on both its loops."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import sys

import pytest

from flamespan import profiler
from helpers.marked import NOBODY, work


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    """``asyncio.run``, or the same on uvloop."""
    if request.param == "asyncio":
        return asyncio.run
    uvloop = pytest.importorskip("uvloop")

    def run_uvloop(main):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main)

    return run_uvloop


@pytest.fixture
def recorded(recorded, run):
    """Record a coroutine that runs on the loop: whose the samples are, see ``prove``."""
    return lambda main, *owners: recorded(lambda: run(main()), *owners)


async def piece(name, span=""):
    """Work of a coroutine before and after it was suspended."""
    work(name, span)
    await asyncio.sleep(0.001)
    work(name, span)


def test_task_group_gather_wait_for_and_shield(recorded):
    async def request(name):
        with profiler.transaction(name):
            async with asyncio.TaskGroup() as group:
                group.create_task(piece(name))
            with profiler.span("s", "b"):
                async with asyncio.TaskGroup() as group:
                    group.create_task(piece(name, "b"))
                    await piece(name, "b")
            with profiler.span("s", "c"):
                await asyncio.gather(piece(name, "c"), asyncio.shield(piece(name, "c")))
            await asyncio.wait_for(piece(name), 30)

    async def main():
        await asyncio.gather(request("1"), request("2"))

    recorded(main, "1", "1 b", "1 c", "2", "2 b", "2 c")


def test_a_task_outlives_the_span_it_was_made_in(recorded):
    async def late(may_go_on, name):
        await may_go_on.wait()
        work(name)

    async def main():
        span_over, all_over = asyncio.Event(), asyncio.Event()
        with profiler.transaction("1"):
            with profiler.span("s", "b"):
                first = asyncio.create_task(late(span_over, "1"))
                second = asyncio.create_task(late(all_over, NOBODY))
                await asyncio.sleep(0)
            span_over.set()
            await first
        all_over.set()
        await second

    recorded(main, "1", NOBODY)


def test_a_task_made_below_many_spans_that_are_over(recorded):
    async def late(may_go_on):
        await may_go_on.wait()
        work("1")
        with profiler.span("s", "b"):
            work("1", "b")

    async def main():
        may_go_on = asyncio.Event()
        with profiler.transaction("1"):
            with contextlib.ExitStack() as spans:
                for _ in range(50):
                    spans.enter_context(profiler.span("deep"))
                task = asyncio.create_task(late(may_go_on))
                await asyncio.sleep(0)
            may_go_on.set()
            await task

    recorded(main, "1", "1 b")


def test_a_task_with_a_context_of_its_own(recorded):
    async def main():
        empty = contextvars.Context()
        with profiler.transaction("1"):
            mine = contextvars.copy_context()
            await asyncio.create_task(piece(NOBODY), context=empty)
        with profiler.transaction("2"):
            task = asyncio.create_task(piece("2"))
            await asyncio.create_task(piece(NOBODY), context=mine)  # "1" is over
            await task

    recorded(main, "2", NOBODY)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_eager_tasks(recorded):
    def eager(loop, coro, *, name=None, context=None, **_):
        # asyncio's own factory takes no more options on early 3.13, but uvloop gives some.
        return asyncio.Task(coro, loop=loop, name=name, context=context, eager_start=True)

    async def child(name, span):
        work(name, span)
        with profiler.span("s", "c"):
            work(name, "c")
            await asyncio.sleep(0)
            work(name, "c")
        work(name, span)

    async def request(name):
        with profiler.transaction(name), profiler.span("s", "b"):
            first, second = (asyncio.create_task(child(name, "b")) for _ in range(2))
            work(name, "b")
            await asyncio.gather(first, second)

    async def main():
        asyncio.get_running_loop().set_task_factory(eager)
        await asyncio.gather(request("1"), request("2"))

    recorded(main, "1 b", "1 c", "2 b", "2 c")


def test_callbacks_run_for_who_asked_for_them(recorded):
    async def request(name):
        loop, all_ran = asyncio.get_running_loop(), asyncio.Barrier(6)

        def callback(whose, *_):
            work(whose)
            all_ran_tasks.append(asyncio.ensure_future(all_ran.wait()))

        all_ran_tasks = []
        with profiler.transaction(name):
            with profiler.span("s", "b"):
                task = asyncio.create_task(asyncio.sleep(0.01))
            loop.call_soon(callback, name)
            loop.call_later(0.005, callback, name)
            loop.call_soon_threadsafe(callback, name)
            task.add_done_callback(functools.partial(callback, name))
            loop.call_soon(callback, NOBODY, context=contextvars.Context())
            await all_ran.wait()
        loop.call_soon(work, NOBODY)
        await asyncio.sleep(0.01)

    async def main():
        await asyncio.gather(request("1"), request("2"))

    recorded(main, "1", "2", NOBODY)


def test_callbacks_of_readable_files(recorded, tmp_path):
    import socket

    async def main():
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        ours, theirs = socket.socketpair()

        def on_readable():
            ours.recv(1)
            work("1", "b")
            done.set()

        with profiler.transaction("1"):
            with profiler.span("s", "b"):
                loop.add_reader(ours, on_readable)
                theirs.send(b"x")
                await done.wait()
            loop.remove_reader(ours)
            work("1")
        ours.close()
        theirs.close()

    recorded(main, "1", "1 b")


def test_async_generators(recorded):
    @profiler.span("s", "b")
    async def decorated(name):
        for _ in range(2):
            work(name, "b")
            await asyncio.sleep(0.001)
            work(name, "b")
            yield 1

    async def request(name):
        with profiler.transaction(name):
            async for _ in decorated(name):
                work(name)
                await asyncio.sleep(0.001)
            left = decorated(name)
            await anext(left)
            work(name)
            await left.aclose()
            work(name)

    async def main():
        await asyncio.gather(request("1"), request("2"))

    recorded(main, "1", "1 b", "2", "2 b")


def test_an_async_context_manager_opens_the_span(recorded):
    @contextlib.asynccontextmanager
    async def connection(name):
        with profiler.span("s", "b"):
            work(name, "b")
            await asyncio.sleep(0)
            yield
            await asyncio.sleep(0)
            work(name, "b")

    async def request(name):
        with profiler.transaction(name):
            work(name)
            async with connection(name):
                await piece(name, "b")
            work(name)

    async def main():
        await asyncio.gather(request("1"), request("2"))

    recorded(main, "1", "1 b", "2", "2 b")


def test_threads_and_executors(recorded):
    async def request(name, pool):
        loop = asyncio.get_running_loop()
        with profiler.transaction(name):
            await asyncio.to_thread(work, name)
            with profiler.span("s", "b"):
                context = contextvars.copy_context()
                await asyncio.gather(
                    loop.run_in_executor(pool, functools.partial(context.run, work, name, "b")),
                    asyncio.to_thread(work, name, "b"),
                )
            # Python takes no context along here, so whose it is cannot be known.
            await loop.run_in_executor(pool, work, NOBODY)

    async def main():
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            await asyncio.gather(request("1", pool), request("2", pool))

    recorded(main, "1", "1 b", "2", "2 b", NOBODY)


def test_back_from_a_thread_into_the_loop(recorded):
    async def main():
        loop = asyncio.get_running_loop()

        def in_thread():
            work("1", "b")
            asyncio.run_coroutine_threadsafe(piece("1", "b"), loop).result(30)

        with profiler.transaction("1"), profiler.span("s", "b"):
            await asyncio.to_thread(in_thread)

    recorded(main, "1 b")


def test_cancelled_and_timed_out_work_is_cleaned_up_in_its_span(recorded):
    async def stuck(name):
        with profiler.span("s", "b"):
            try:
                await asyncio.sleep(30)
            finally:
                work(name, "b")
                await asyncio.sleep(0)
                work(name, "b")

    async def around(inner, name):
        with profiler.span("s", "c"):
            try:
                await inner
            finally:
                work(name, "c")

    async def request(name):
        with profiler.transaction(name):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stuck(name), 0.02)
            work(name)
            task = asyncio.create_task(around(around(stuck(name), name), name))
            await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def main():
        await asyncio.gather(request("1"), request("2"))

    recorded(main, "1", "1 b", "1 c", "2", "2 b", "2 c")


def test_a_span_closed_in_another_task(recorded):
    async def main():
        with profiler.transaction("1"):
            moved = profiler.span("s", "b")
            moved.__enter__()
            work("1", "b")

            async def closes():
                work("1", "b")
                moved.__exit__(None, None, None)
                work("1")

            await asyncio.create_task(closes())
            work("1")
            with profiler.span("s", "c"):
                work("1", "c")

    recorded(main, "1", "1 b", "1 c")


def test_switches_many_times_a_sample(recorded):
    async def request(name):
        with profiler.transaction(name):
            for _ in range(40):
                for _ in range(5):
                    work(name, seconds=0.00005)
                    await asyncio.sleep(0)
                with profiler.span("s", "b"):
                    for _ in range(5):
                        work(name, "b", seconds=0.00005)
                        await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*(request(str(name)) for name in range(20)))

    recorded(main, *(str(name) for name in range(20)))
