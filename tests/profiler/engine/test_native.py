"""What only the native engine can do: look without the GIL, at everything, at any time."""

from __future__ import annotations

import signal
import sys
import threading
import time
import zlib
from collections import Counter
from contextlib import contextmanager

import pytest

from flamespan import profiler
from flamespan.profiler.engine import choose
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import Flag, Recording, State, Tables
from helpers import recordings
from helpers.ownthreads import system_threads

try:
    from flamespan.profiler.engine.native import NativeEngine

    choose("native")
except (ImportError, UsageError) as error:
    pytest.skip(f"no native engine here: {error}", allow_module_level=True)

MS = 1_000_000


@contextmanager
def sampled(interval_ms=1.0, **options):
    """Yields a list; the rows of what ran in the block are in it afterwards."""
    engine = NativeEngine((200, 56), **options)
    found = []
    engine.start(int(interval_ms * MS))
    try:
        yield found
    finally:
        engine.stop()
        batch = engine.drain()
        whole = Recording(header=None, tables=Tables())
        whole.tables.add(batch.definitions)
        whole.samples.append(batch.samples)
        found += recordings.rows(whole)


def spin(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def names(row):
    return [name.rpartition(".")[2] for name in row.stack]


def test_what_is_thrown_through_generators_that_wait_for_each_other():
    """C's throw() puts those on the way on the stack without entering them."""

    def innermost():
        try:
            yield
        finally:
            spin(0.1)

    def middle():
        yield from innermost()

    def outermost():
        yield from middle()

    generator = outermost()
    next(generator)
    with sampled() as rows, pytest.raises(KeyError):
        generator.throw(KeyError)
    spinning = [names(row) for row in rows if "spin" in row.stack]
    assert spinning
    assert {tuple(stack[-4:]) for stack in spinning} == {
        ("outermost", "middle", "innermost", "spin")
    }


def test_a_call_that_holds_the_gil_is_seen_while_it_lasts():
    def hold():
        return sorted(numbers)

    numbers = [(i * 7919) % 1_000_003 + 0.5 for i in range(2_000_000)]
    with sampled() as rows:
        began = time.perf_counter_ns()
        hold()
        took = time.perf_counter_ns() - began
    mine = [r for r in rows if "hold" in names(r)]
    assert took > 30 * MS
    assert abs(sum(r.wall_ns for r in mine) - took) < 0.2 * took
    assert len(mine) > 0.2 * took / MS  # looked at all along, not once at the end
    # It may have to wait for the GIL first, or the new list may set off a collection.
    assert sum(r.wall_ns for r in mine if r.state == State.RUNNING) > 0.8 * took


@pytest.mark.parametrize("may_drop_files", [True, False])
def test_either_way_of_reading_sees_the_same(may_drop_files):
    def down(n):
        return down(n - 1) if n else spin(0.1)

    with sampled(may_drop_files=may_drop_files) as rows:
        down(40)
    deep = [r for r in rows if names(r)[-1] == "spin"]
    assert len(deep) > 30
    assert all(names(r).count("down") == 41 for r in deep if not r.flags & Flag.TORN)
    assert sum(bool(r.flags & Flag.TORN) for r in deep) <= 0.02 * len(deep) + 1


def test_every_kind_of_frame_and_call_from_c():
    class Thing:
        def __init__(self):
            spin(0.02)

        def __getitem__(self, key):
            spin(0.02)
            return key

        @property
        def value(self):
            spin(0.02)

    def generate():
        spin(0.02)
        yield 1

    def main():
        thing = Thing()
        assert thing[3] == 3
        assert thing.value is None
        next(generate())
        sorted([2, 1], key=lambda _: spin(0.02) or 0)
        [spin(0.02) for _ in range(1)]

        class Body:
            spin(0.02)

    with sampled() as rows:
        main()
    above = {names(r)[-2] for r in rows if names(r)[-1] == "spin" and "main" in names(r)}
    expected = {"__init__", "__getitem__", "value", "generate", "<lambda>", "Body"}
    assert expected <= above
    assert above <= expected | {"<listcomp>", "main"}
    for row in rows:
        if "generate" in names(row):
            assert names(row)[names(row).index("generate") - 1] == "main"


@pytest.mark.parametrize("name", ["ascii", "ÿ_latin", "Ж_кириллица", "漢字", "𝒻𝓊𝓃", "a" * 5000])
def test_names_in_any_script(name):
    scope = {"spin": spin}
    exec(compile(f"def {name}():\n    spin(0.02)\n", f"/srv/{name[:40]}.py", "exec"), scope)
    run = next(value for key, value in scope.items() if callable(value) and key != "spin")
    with sampled() as rows:
        run()
    expected = run.__qualname__ if len(name) <= 4096 else run.__qualname__[:4096] + "…"
    assert expected in {r.stack[-2] for r in rows if r.stack[-1] == "spin"}


@pytest.mark.parametrize("depth", [15_000, 40_000])
def test_very_deep_recursion_keeps_both_ends_or_the_leaf(depth):
    def down(left):
        if left:
            down(left - 1)
        else:
            spin(0.3)

    limit, size = sys.getrecursionlimit(), threading.stack_size(512 << 20)
    sys.setrecursionlimit(1_000_000)
    try:
        thread = threading.Thread(target=down, args=(depth,), name="deep")
        with sampled(10) as rows:
            thread.start()
            thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(size)
    (leaf,) = {tuple(names(r)[-200:]) for r in rows if names(r)[-1] == "spin"}
    assert leaf == ("down",) * 199 + ("spin",)
    roots = {names(r)[0] for r in rows if names(r)[-1] == "spin"}
    assert roots == ({"_bootstrap"} if depth == 15_000 else {"<torn>"})


def test_c_code_without_the_gil_is_running_and_a_lock_is_not():
    data = bytes(range(256)) * 40_000

    def compress():
        for _ in range(3):
            zlib.compress(data, 6)

    def wait(over):
        over.wait(5)

    over = threading.Event()
    thread = threading.Thread(target=wait, args=(over,), name="waiter")
    thread.start()
    with sampled() as rows:
        compress()
    over.set()
    thread.join()
    at_work = [r for r in rows if names(r)[-1] == "compress"]
    assert len(at_work) > 20
    running = sum(r.wall_ns for r in at_work if r.state == State.RUNNING)
    assert running > 0.8 * sum(r.wall_ns for r in at_work)
    waiting = Counter(r.state for r in rows if r.thread == "waiter")
    assert set(waiting) == {State.IDLE}
    # One row stands for many passes, and for more than one only where a pass came late.
    assert sum(waiting.values()) < len(at_work)


def test_threads_that_fight_for_the_gil_wait_for_it():
    over = threading.Event()

    def burn():
        while not over.is_set():
            spin(0.01)

    threads = [threading.Thread(target=burn, name=f"burner {n}") for n in range(4)]
    for thread in threads:
        thread.start()
    with sampled() as rows:
        time.sleep(0.5)
    over.set()
    for thread in threads:
        thread.join()
    time_in = Counter()
    for row in rows:
        if row.thread.startswith("burner"):
            time_in[row.state] += row.wall_ns
    whole = sum(time_in.values())
    assert whole > 1.5e9
    assert 0.15 < time_in[State.RUNNING] / whole < 0.4
    assert time_in[State.GIL_WAIT] / whole > 0.5
    assert time_in[State.IDLE] / whole < 0.1


def test_parked_threads_are_left_alone_until_they_can_have_moved():
    calls = [threading.Event() for _ in range(40)]
    over = threading.Event()

    def parked(call):
        call.wait()
        spin(0.1)  # seen at work, though it was left alone for long
        over.wait()

    threads = [
        threading.Thread(target=parked, args=(call,), name=f"p{i}") for i, call in enumerate(calls)
    ]
    for thread in threads:
        thread.start()
    with sampled(2) as rows:
        began = time.monotonic_ns()
        spin(0.7)
        for call in calls[::10]:
            call.set()
            spin(0.2)
        time.sleep(0.5)
        ended = time.monotonic_ns()
    over.set()
    for call in calls:
        call.set()
    for thread in threads:
        thread.join()
    wall = Counter()
    worked = Counter()
    for row in rows:
        wall[row.thread] += row.wall_ns
        worked[row.thread] += row.wall_ns * ("spin" in names(row))
    for i in range(40):
        assert wall[f"p{i}"] == pytest.approx(ended - began, rel=0.02, abs=30 * MS)
        assert (worked[f"p{i}"] > 50 * MS) == (i % 10 == 0)


def test_cpu_time_belongs_to_what_used_it_not_to_the_sleep_after():
    def burst():
        spin(0.003)

    def rest():
        time.sleep(0.004)

    with sampled(5) as rows:
        began = time.thread_time_ns()
        for _ in range(120):
            burst()
            rest()
        used = time.thread_time_ns() - began
    cpu = Counter()
    for row in rows:
        if {"burst", "rest"} & set(names(row)):
            cpu["rest" if "rest" in names(row) else "burst"] += row.cpu_ns
    assert cpu["burst"] > 0.8 * used
    assert cpu["rest"] < 0.1 * used


def test_a_collection_is_told_from_other_running():
    import gc

    heap = [[] for _ in range(1_000_000)]
    with sampled() as rows:
        for _ in range(10):
            gc.collect()
    del heap
    states = Counter(r.state for r in rows if r.thread == "MainThread")
    assert states[State.GC] > 0.5 * sum(states.values())


def test_more_than_fits_is_dropped_and_counted():
    engine = NativeEngine((200, 56), max_samples=20)
    engine.start(MS)
    until = time.monotonic() + 30  # on a busy machine looks are rare
    while engine.stats().dropped_samples <= 20 and time.monotonic() < until:
        spin(0.1)
    engine.stop()
    assert engine.stats().dropped_samples > 20
    assert len(engine.drain().samples) == 20


def test_a_budget_makes_passes_rarer_and_says_so():
    engine = NativeEngine((200, 56), budget=0.002)
    engine.start(MS // 10)
    spin(1.0)
    engine.stop()
    stats = engine.stats()
    assert stats.stretched_passes
    assert stats.interval_ns > MS // 10
    assert stats.sampler_cpu_ns < 0.05 * 1e9


def test_start_and_stop_from_any_thread_thousands_of_times():
    import os

    engine = NativeEngine((200, 56))
    files = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    tasks = len(os.listdir("/proc/self/task")) if files else 0

    def cycle():
        for _ in range(250):
            engine.start(MS)
            engine.stop()

    threads = [threading.Thread(target=cycle) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.stop()
    assert not system_threads()
    if files:
        assert len(os.listdir("/proc/self/fd")) <= files
        # Libraries (pyarrow) may have started threads that Python does not know of.
        assert len(os.listdir("/proc/self/task")) <= max(tasks, threading.active_count() + 4)


def test_threads_that_end_while_a_new_file_begins_are_defined_in_it():
    """Each drain opens a new file here; threads come, are seen and end all the while."""
    engine = NativeEngine((200, 56))
    over = threading.Event()

    def live():
        while not over.is_set():
            thread = threading.Thread(target=spin, args=(0.002,))
            thread.start()
            thread.join()

    makers = [threading.Thread(target=live) for _ in range(3)]
    engine.start(MS // 10)
    for maker in makers:
        maker.start()
    seen = 0
    for _ in range(400):
        time.sleep(0.002)
        batch = engine.drain(restart=True)
        in_samples = set(batch.samples.thread)
        assert in_samples <= {thread.index for thread in batch.definitions.threads}
        seen += len(in_samples)
    over.set()
    for maker in makers:
        maker.join()
    engine.stop()
    assert seen > 400


def test_threads_whose_names_cannot_be_asked_for_are_recorded_all_the_same():
    class Odd(threading.Thread):
        asked = 0

        @property
        def name(self):
            self.asked += 1
            if self.asked > 3:
                raise ValueError("no name")
            return 7

        @name.setter
        def name(self, value):
            pass

    engine = NativeEngine((200, 56))
    odd = Odd(target=spin, args=(0.3,))
    engine.start(MS)
    odd.start()
    batches = []
    while odd.is_alive():
        time.sleep(0.02)
        batches.append(engine.drain())
    engine.stop()
    seen = {row.index: row.name for batch in batches for row in batch.definitions.threads}
    assert all(set(batch.samples.thread) <= seen.keys() for batch in batches)
    assert all(isinstance(name, str) for name in seen.values())
    assert odd.asked > 3


@pytest.mark.skipif(not hasattr(signal, "sigtimedwait"), reason="needs sigtimedwait")
def test_signals_that_the_application_waits_for_are_not_ours(tmp_path):
    done = recordings.run_python(
        """
        import os, signal, sys, time
        from flamespan import profiler
        profiler.start(sys.argv[1], 1000, engine="native")
        time.sleep(1.2)  # all our threads have begun
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        for _ in range(20):
            os.kill(os.getpid(), signal.SIGUSR1)
            assert signal.sigtimedwait({signal.SIGUSR1}, 5).si_signo == signal.SIGUSR1
        profiler.stop()
        print("waited")
        """,
        str(tmp_path),
    )
    assert (done.stdout, done.stderr) == ("waited\n", "")


def test_closing_every_file_descriptor_harms_nobody(tmp_path):
    done = recordings.run_python(
        """
        import os, sys, time
        from flamespan.profiler.engine import choose
        engine, _ = choose("native")
        engine.start(200_000)
        time.sleep(0.05)
        os.closerange(3, 1000)  # as those do that turn into daemons
        files = [open(os.path.join(sys.argv[1], str(n)), "wb") for n in range(50)]
        until = time.time() + 0.3
        while time.time() < until:
            sum(range(100))
        engine.stop()
        print(engine.stats().passes > 500, len(engine.drain().samples) > 500)
        print(all(os.fstat(f.fileno()).st_size == 0 for f in files))
        """,
        str(tmp_path),
    )
    assert done.stdout.split() == ["True"] * 3, done.stderr


def test_subinterpreters_are_told_apart():
    try:
        import _interpreters as interpreters
    except ImportError:
        interpreters = pytest.importorskip("_xxsubinterpreters")
    code = (
        "import time\ndef inner():\n"
        "    until = time.perf_counter() + 0.2\n"
        "    while time.perf_counter() < until:\n        pass\n"
        "inner()"
    )
    other = interpreters.create()
    try:
        with sampled() as rows:
            if hasattr(interpreters, "exec"):
                interpreters.exec(other, code)
            else:
                interpreters.run_string(other, code)
    finally:
        interpreters.destroy(other)
    inner = [r for r in rows if "inner" in names(r)]
    assert len(inner) > 50
    assert all("(interpreter" in r.thread for r in inner)
    # The system's thread ran once, whichever interpreter's it was: its CPU time counts once.
    assert sum(r.cpu_ns for r in rows) < 1.3e9 * 0.25
    mine = [r for r in rows if r.thread == "MainThread" and r.state == State.RUNNING]
    assert sum(r.wall_ns for r in mine) < 0.1e9


def test_spans_of_executors_and_copied_contexts(tmp_path):
    import asyncio
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    async def serve():
        with profiler.transaction("threaded"):
            await asyncio.to_thread(spin, 0.1)

    with profiler.Profiler(tmp_path, 1000, engine="native") as running:
        asyncio.run(serve())
        with ThreadPoolExecutor(1) as pool, profiler.transaction("pooled"):
            pool.submit(copy_context().run, spin, 0.1).result()
    recording = recordings.read(running.path)
    transactions = {s.id: s.name for s in recording.spans.started}
    owners = Counter()
    for row in recordings.rows(recording):
        if names(row)[-1:] == ["spin"]:
            owners[transactions.get(row.span)] += row.wall_ns
    assert owners["threaded"] > 80 * MS
    assert owners["pooled"] > 80 * MS
    assert owners[None] < 0.01 * sum(owners.values())


def test_a_span_among_many_variables(tmp_path):
    from contextvars import ContextVar, copy_context

    def crowd(number):
        for n in range(number):
            ContextVar(f"crowd {n}").set(n)
        with profiler.transaction(f"crowd of {number}"):
            spin(0.03)

    with profiler.Profiler(tmp_path, 1000, engine="native") as running:
        for number in (0, 5, 40, 3000):
            copy_context().run(crowd, number)
    recording = recordings.read(running.path)
    spans = {s.id: s.name for s in recording.spans.started}
    seen = Counter(
        spans.get(r.span) for r in recordings.rows(recording) if names(r)[-1:] == ["spin"]
    )
    assert seen[None] <= 1
    assert {name for name in seen if name} == {f"crowd of {n}" for n in (0, 5, 40, 3000)}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with 3.12")
def test_c_functions_by_name_if_asked_for():
    def main():
        zlib.compress(bytes(range(256)) * 40_000, 6)
        sorted([(i * 7919) % 1_000_003 + 0.5 for i in range(400_000)])
        ", ".join(map(str, range(300_000)))

    with sampled(c_calls=True) as rows:
        main()
    seen = {r.stack[-1] for r in rows if len(r.stack) > 1 and r.stack[-2].endswith("main")}
    assert {"zlib.compress", "sorted", "str.join"} <= seen
    assert all(r.lines[-1] == 0 for r in rows if r.stack[-1] == "sorted")
    assert sys.monitoring.get_tool(3) is None


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="works there")
def test_c_functions_by_name_need_a_newer_python():
    with pytest.raises(UsageError, match=r"needs Python 3\.12"):
        NativeEngine((200, 56), c_calls=True)
