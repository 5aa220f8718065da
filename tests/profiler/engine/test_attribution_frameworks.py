"""Whose time is it under trio, anyio, greenlet and gevent."""

from __future__ import annotations

import contextvars
import functools
import tempfile
from pathlib import Path

import pytest

from flamespan import profiler
from helpers import recordings
from helpers.marked import NOBODY, needs_native, prove, work

TESTS = Path(__file__).parents[2]


@pytest.fixture
def trio():
    return pytest.importorskip("trio")


@pytest.fixture
def greenlet():
    return pytest.importorskip("greenlet")


@pytest.fixture
def gevent():
    return pytest.importorskip("gevent")


@pytest.mark.parametrize("engine", ["native", "python"])
def test_trio_nurseries(recorded, trio, engine):
    async def part(name, span=""):
        work(name, span)
        await trio.sleep(0.001)
        work(name, span)

    async def request(name):
        with profiler.transaction(name):
            await part(name)
            with profiler.span("s", "b"):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(part, name, "b")
                    nursery.start_soon(part, name, "b")
            trio.lowlevel.spawn_system_task(part, NOBODY)
            with trio.move_on_after(0.001), profiler.span("s", "c"):
                try:
                    await trio.sleep_forever()
                finally:
                    work(name, "c")

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(request, "1")
            nursery.start_soon(request, "2")
        await trio.sleep(0.2)

    recorded(lambda: trio.run(main), "1", "1 b", "1 c", "2", "2 b", "2 c", NOBODY)


def test_trio_threads(recorded, trio):
    def in_thread(name):
        work(name, "b")
        trio.from_thread.run_sync(work, name, "b")
        trio.from_thread.run(back, name)

    async def back(name):
        await trio.sleep(0)
        work(name, "b")

    async def request(name):
        with profiler.transaction(name), profiler.span("s", "b"):
            await trio.to_thread.run_sync(in_thread, name)

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(request, "1")
            nursery.start_soon(request, "2")

    recorded(lambda: trio.run(main), "1 b", "2 b")


@pytest.mark.parametrize("backend", ["asyncio", "trio", "uvloop"])
def test_anyio(recorded, backend):
    anyio = pytest.importorskip("anyio")
    pytest.importorskip(backend)

    async def part(name, span=""):
        work(name, span)
        await anyio.sleep(0.001)
        work(name, span)

    def in_thread(name):
        work(name, "b")
        anyio.from_thread.run_sync(work, name, "b")
        anyio.from_thread.run(part, name, "b")

    async def request(name):
        with profiler.transaction(name):
            await part(name)
            with profiler.span("s", "b"):
                async with anyio.create_task_group() as group:
                    group.start_soon(part, name, "b")
                    group.start_soon(anyio.to_thread.run_sync, in_thread, name)
            with anyio.move_on_after(0.001), profiler.span("s", "c"):
                try:
                    await anyio.sleep_forever()
                finally:
                    work(name, "c")

    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(request, "1")
            group.start_soon(request, "2")

    options = {"use_uvloop": True} if backend == "uvloop" else {}
    name = "trio" if backend == "trio" else "asyncio"
    go = functools.partial(anyio.run, main, backend=name, backend_options=options)
    recorded(go, "1", "1 b", "1 c", "2", "2 b", "2 c")


def test_anyio_portal_from_a_thread_without_a_loop(recorded):
    anyio = pytest.importorskip("anyio")

    async def part(name):
        work(name, "b")
        await anyio.sleep(0)
        work(name, "b")

    def main():
        with (
            anyio.from_thread.start_blocking_portal() as portal,
            profiler.transaction("1"),
            profiler.span("s", "b"),
        ):
            portal.call(part, "1")

    recorded(main, "1 b")


@pytest.mark.parametrize("engine", ["native", "python"])
def test_greenlets(recorded, greenlet, engine):
    main_greenlet = greenlet.getcurrent()

    def request(name):
        with profiler.transaction(name):
            for _ in range(2):
                work(name)
                main_greenlet.switch()
                work(name)
                with profiler.span("s", "b"):
                    work(name, "b")
                    main_greenlet.switch()
                    work(name, "b")

    def main():
        with profiler.transaction("3"):
            greenlets = [greenlet.greenlet(lambda n=n: request(n)) for n in ("1", "2")]
            while any(not one.dead for one in greenlets):
                for one in greenlets:
                    one.switch()
                work("3")

    recorded(main, "1", "1 b", "2", "2 b", "3")


def test_a_greenlet_that_is_given_a_context(recorded, greenlet):
    def main():
        with profiler.transaction("1"), profiler.span("s", "b"):
            child = greenlet.greenlet(lambda: work("1", "b"))
            child.gr_context = contextvars.copy_context()
            child.switch()
            greenlet.greenlet(lambda: work(NOBODY)).switch()

    recorded(main, "1 b", NOBODY)


@pytest.mark.parametrize("engine", ["native", "python"])
def test_gevent_greenlets(recorded, gevent, engine):
    def request(name):
        with profiler.transaction(name):
            for _ in range(2):
                work(name)
                gevent.sleep(0)
                work(name)
                with profiler.span("s", "b"):
                    gevent.sleep(0.001)
                    work(name, "b")
        gevent.sleep(0)
        work(NOBODY)

    def main():
        gevent.joinall([gevent.spawn(request, str(n)) for n in range(3)], raise_error=True)

    recorded(main, "0", "0 b", "1", "1 b", "2", "2 b", NOBODY)


def test_gevent_with_contexts_given_on(recorded, gevent):
    def request(name):
        with profiler.transaction(name):
            work(name)
            gevent.sleep(0)
            work(name)
            with profiler.span("s", "b"):
                gevent.sleep(0.001)
                work(name, "b")
                context = contextvars.copy_context()
                gevent.spawn(context.run, work, name, "b").join()
                gevent.get_hub().threadpool.apply(context.run, (work, name, "b"))
            gevent.sleep(0)
            work(name)

    def main():
        gevent.joinall([gevent.spawn(request, str(n)) for n in range(4)], raise_error=True)

    recorded(main, *(str(n) for n in range(4)), *(f"{n} b" for n in range(4)))


@pytest.mark.parametrize("patched_first", [True, False])
def test_gevent_with_everything_patched(tmp_path, gevent, patched_first):
    needs_native()
    code = """
        import sys
        from gevent import monkey
        if sys.argv[2] == "True":
            monkey.patch_all()
        from flamespan import profiler
        from helpers.marked import work
        profiler.start(sys.argv[1], 1000, engine="native", budget=0)
        monkey.patch_all()
        import threading, time

        def request(name):
            with profiler.transaction(name):
                work(name)
                time.sleep(0.001)
                work(name)
                with profiler.span("s", "b"):
                    time.sleep(0.001)
                    work(name, "b")

        threads = [threading.Thread(target=request, args=(str(n),)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        profiler.stop()
    """

    def record():
        folder = tempfile.mkdtemp(dir=tmp_path)
        done = recordings.run_python(code, folder, str(patched_first), cwd=TESTS)
        assert done.returncode == 0, done.stderr
        assert not done.stderr
        return recordings.read_one(folder)

    prove(record, *(str(n) for n in range(4)), *(f"{n} b" for n in range(4)))
