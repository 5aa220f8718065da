"""The sampler sleeps while no transaction is open, if asked to; and nothing of that is charged."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from flamespan import profiler
from flamespan.aggregator import load
from flamespan.profiler.engine.spancore import SpanCore
from flamespan.profiler.errors import UsageError
from flamespan.profiler.lifecycle import running
from helpers import recordings

ENGINES = ("native", "python")
MS = 1_000_000


@pytest.fixture(params=ENGINES)
def engine(request):
    if request.param == "native":
        pytest.importorskip("flamespan.profiler.engine._native", exc_type=ImportError)
    return request.param


@pytest.fixture
def start(tmp_path, engine):
    def begin(**options):
        options = {"engine": engine, "mode": "transactions", **options}
        return profiler.start(tmp_path, 200, **options)

    yield begin
    profiler.stop()


def stats():
    return running().engine.stats()


def burn(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sum(range(200))


def until_asleep():
    """Wait until no pass is taken any more."""
    for _ in range(100):
        before = stats().passes
        time.sleep(0.15)
        if stats().passes == before:
            return before
    raise AssertionError("the sampler does not sleep")


def wall(recording, function):
    return sum(row.wall_ns for row in recordings.rows(recording) if function in row.stack)


def test_no_pass_and_no_cpu_while_none_is_open(start):
    start()
    until_asleep()
    before = stats()
    time.sleep(0.5)
    after = stats()
    assert after.passes == before.passes
    assert after.sampler_cpu_ns == before.sampler_cpu_ns
    assert after.asleep_ns - before.asleep_ns > 400 * MS


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts wake-ups in /proc")
def test_the_sampler_thread_is_not_woken(start, engine):
    name = "flamespan" if engine == "native" else None
    start()
    until_asleep()

    def switches():
        found = {}
        for task in Path("/proc/self/task").iterdir():
            status = dict(
                line.split(":", 1) for line in (task / "status").read_text().splitlines() if line
            )
            found[task.name] = (status["Name"].strip(), int(status["voluntary_ctxt_switches"]))
        return found

    sampler = {str(t.native_id) for t in threading.enumerate() if t.name == "flamespan-sampler"}
    before = switches()
    time.sleep(0.6)
    after = switches()
    watched = [tid for tid, (comm, _) in after.items() if comm == name or tid in sampler]
    assert watched
    for tid in watched:
        assert after[tid][1] == before[tid][1]


def test_what_happens_in_sleep_is_charged_to_nobody(start):
    def outside():
        burn(0.4)

    def inside():
        burn(0.3)

    started = start()
    until_asleep()
    outside()
    with profiler.transaction("t"):
        inside()
    profiler.stop()
    recording = recordings.read(started.path)
    own = wall(recording, "test_what_happens_in_sleep_is_charged_to_nobody.<locals>.inside")
    assert own > 200 * MS
    slept = wall(recording, "test_what_happens_in_sleep_is_charged_to_nobody.<locals>.outside")
    assert slept == 0
    cpu = sum(row.cpu_ns for row in recordings.rows(recording) if row.thread == "MainThread")
    assert cpu < 0.55 * 1e9  # the burst outside used 0.4 s, in sleep
    asleep = sum(sum(s.pass_asleep) * s.tick_ns for s in recording.samples)
    assert asleep > 400 * MS
    assert recording.stats.asleep_ns >= asleep
    assert recording.header.mode == "transactions"


def test_sleep_is_not_unobserved_late_or_missed(start):
    started = start()
    until_asleep()
    time.sleep(0.5)
    with profiler.transaction("t"):
        burn(0.1)
    profiler.stop()
    (process,) = load(started.path).info()["processes"]
    assert process["mode"] == "transactions"
    assert process["asleep_ns"] > 400 * MS
    assert process["unobserved_ns"] < 300 * MS
    assert process["missed"] < 100  # 0.5 s of sleep would be that many


def test_threads_and_tasks_and_lone_spans_wake_it(start):
    def in_thread():
        with profiler.span("lone"):
            burn(0.15)

    async def in_task():
        with profiler.transaction("task"):
            for _ in range(3):
                burn(0.05)
                await asyncio.sleep(0)

    started = start()
    until_asleep()
    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    until_asleep()
    asyncio.run(in_task())
    profiler.stop()
    recording = recordings.read(started.path)
    names = {i: s.name for i, s in recordings.spans(recording).items()}
    seen = Counter(names.get(row.span) for row in recordings.rows(recording))
    assert seen["lone"] > 3
    assert seen["task"] > 3


def test_a_transaction_left_open_keeps_it_awake_until_nobody_can_close_it(start):
    start()
    until_asleep()
    scope = profiler.transaction("left open")
    span = scope.__enter__()
    before = stats().passes
    time.sleep(0.4)
    assert stats().passes > before + 5
    scope.__exit__(None, None, None)
    del span, scope
    until_asleep()

    def lose():
        profiler.transaction("lost").begin()

    if SpanCore.__module__.endswith("_native"):  # the spans in Python are not told of it
        lose()
        until_asleep()
        assert running().log.transactions == 0


def test_an_exception_ends_it(start):
    start()
    with pytest.raises(KeyError), profiler.transaction("fails"):
        raise KeyError
    until_asleep()


def test_stop_while_asleep_returns_and_a_start_goes_on(start):
    for _ in range(3):
        start()
        until_asleep()
        before = time.monotonic()
        profiler.stop()
        assert time.monotonic() - before < 4


def test_the_next_recording_counts_its_own_transactions_only(start):
    start()
    with profiler.transaction("of the first"):
        profiler.stop()
        start()
        until_asleep()
    assert running().log.transactions == 0
    until_asleep()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forks_asleep_and_awake(tmp_path, engine):
    done = recordings.run_python(
        """
        import os, sys, time
        from flamespan import profiler
        from flamespan.profiler.lifecycle import running
        profiler.start(sys.argv[1], 200, engine=sys.argv[2], mode="transactions")
        def burn(s):
            until = time.thread_time() + s
            while time.thread_time() < until:
                sum(range(200))
        def child():
            if os.fork() == 0:
                burn(0.1)
                with profiler.transaction("in child"):
                    burn(0.2)
                sys.exit(0)
            os.wait()
        time.sleep(0.3)
        child()
        with profiler.transaction("around"):
            child()
            assert running().log.transactions == 1
        time.sleep(0.3)
        assert running().log.transactions == 0
        profiler.stop()
        """,
        str(tmp_path),
        engine,
    )
    assert (done.returncode, done.stderr) == (0, "")
    files = [recordings.read(path) for path in tmp_path.glob("*.fspan")]
    children = [f for f in files if f.header.parent_pid in {g.header.pid for g in files}]
    assert len(children) == 2
    for recording in children:
        names = {i: s.name for i, s in recordings.spans(recording).items()}
        assert sum(names.get(row.span) == "in child" for row in recordings.rows(recording)) > 5


def test_modes_that_cannot_be(tmp_path):
    with pytest.raises(UsageError, match="no mode 'sometimes'"):
        profiler.start(tmp_path, mode="sometimes")
