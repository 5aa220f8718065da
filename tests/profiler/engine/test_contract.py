"""What every engine must do, whichever way it samples. A new engine joins ``ENGINES``."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from flamespan.profiler.engine import choose
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import Flag, Recording, State, Tables
from helpers import recordings

ENGINES = ["python", "native"]
MS = 1_000_000


@pytest.fixture(params=ENGINES)
def engine(request):
    made, reason = choose(request.param)
    assert reason
    yield made
    made.stop()


@contextmanager
def sampling(engine, interval_ms=5):
    engine.start(interval_ms * MS)
    try:
        yield
    finally:
        engine.stop()


@contextmanager
def thread_in(function, name="worker"):
    over = threading.Event()
    thread = threading.Thread(target=function, args=(over,), name=name)
    thread.start()
    try:
        yield thread
    finally:
        over.set()
        thread.join()


def inside(function, row):
    """Whether ``row`` has ``function``, which may be a nested one, anywhere on its stack."""
    return any(name == function or name.endswith(f".{function}") for name in row.stack)


def spin(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def rows(*batches):
    whole = Recording(header=None, tables=Tables())
    for batch in batches:
        whole.tables.add(batch.definitions)
        whole.samples.append(batch.samples)
    return list(recordings.rows(whole))


def root_of_main_thread():
    """``<module>``, or what runs it under ``python -m``."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_qualname


def test_it_says_what_it_is(engine):
    assert engine.name in ENGINES
    assert engine.span_rule
    assert engine.state_rule
    assert engine.tick_ns > 0


def test_columns_agree_and_time_adds_up(engine):
    before = time.monotonic_ns()
    with sampling(engine):
        spin(0.2)
    after = time.monotonic_ns()
    samples = engine.drain().samples
    assert len(samples.pass_ticks) == len(samples.pass_samples) > 10
    assert sum(samples.pass_samples) == len(samples)
    for name in ("thread", "span", "wall_extra", "cpu_ticks", "state", "flags"):
        assert len(getattr(samples, name)) == len(samples), name
    start = samples.start_ticks * samples.tick_ns
    end = start + sum(samples.pass_ticks) * samples.tick_ns
    assert before - samples.tick_ns <= start < end <= after
    assert end - start > 150 * MS
    assert min(samples.pass_ticks) > 0


def test_busy_function_is_running_on_the_cpu_where_it_is(engine):
    with sampling(engine):
        spin(0.3)
    mine = [r for r in rows(engine.drain()) if r.thread == "MainThread"]
    in_spin = [r for r in mine if inside("spin", r)]
    wall, cpu = sum(r.wall_ns for r in in_spin), sum(r.cpu_ns for r in in_spin)
    assert wall > 200 * MS
    assert 0.3 * wall < cpu < 1.05 * wall
    assert sum(r.state == State.RUNNING for r in in_spin) > 0.7 * len(in_spin)
    first = spin.__code__.co_firstlineno
    assert {r.lines[-1] for r in in_spin if r.stack[-1] == "spin"} <= {
        first + 1,
        first + 2,
        first + 3,
    }
    assert {r.stack[0] for r in mine} == {root_of_main_thread()}


def test_sleeping_thread_is_idle(engine):
    def sleep(over):
        over.wait(10)

    with thread_in(sleep), sampling(engine):
        spin(0.2)
    mine = [r for r in rows(engine.drain()) if r.thread == "worker"]
    asleep = [r for r in mine if r.state == State.IDLE]
    # One sample may stand for many passes of a thread that does not move.
    assert sum(r.wall_ns for r in asleep) > 100 * MS
    assert len(mine) - len(asleep) <= 1
    assert all(r.cpu_ns == 0 and r.state == State.IDLE for r in asleep)
    assert all(inside("sleep", r) for r in asleep)


def test_own_threads_are_left_out_and_called_when_they_asked_to(engine):
    calls = []

    def own():
        calls.append((time.monotonic(), threading.get_ident()))
        spin(0.03)
        return 0.02

    began = time.monotonic()
    with sampling(engine):
        helper = engine.call_regularly(own, 0.05, "flamespan-test")
        spin(0.4)
        assert helper.stop(5)
        number = len(calls)
        spin(0.1)
    assert len(calls) == number >= 3
    times, idents = zip(*calls, strict=True)
    assert times[0] >= began + 0.05
    assert all(later - earlier >= 0.05 for earlier, later in itertools.pairwise(times))
    assert len(set(idents)) == 1
    assert threading.get_ident() not in idents
    batch = engine.drain()
    assert {r.thread for r in rows(batch)} == {"MainThread"}
    assert not any(inside("own", r) for r in rows(batch))


def test_helper_may_stop_itself_and_be_stopped_before_its_first_call(engine):
    calls, stopped = [], threading.Event()

    def once():
        calls.append(helper.stop(5))
        stopped.set()
        return 0.0

    threads = threading.active_count()
    with sampling(engine, 50):
        never = engine.call_regularly(lambda: calls.append("never"), 60.0, "flamespan-test")
        began = time.monotonic()
        assert never.stop(5)
        assert never.stop(5)
        assert time.monotonic() - began < 4
        helper = engine.call_regularly(once, 0.05, "flamespan-test")
        assert stopped.wait(10)
        assert helper.stop(10)
    assert calls == [False]
    assert threading.active_count() == threads


def test_helper_that_is_busy_is_left_alone_after_the_timeout(engine):
    entered, gate = threading.Event(), threading.Event()

    def busy():
        entered.set()
        gate.wait(20)
        return 0.0

    helper = engine.call_regularly(busy, 0.0, "flamespan-test")
    assert entered.wait(10)
    assert not helper.stop(0.05)
    gate.set()
    assert helper.stop(10)


def test_time_is_charged_backward_to_what_held_the_gil(engine):
    def hold():
        sorted(numbers)

    def before():
        spin(0.1)

    numbers = [(i * 7919) % 1_000_003 + 0.5 for i in range(2_000_000)]
    with sampling(engine, 10):
        started = time.perf_counter()
        before()
        held = time.perf_counter()
        hold()
        ended = time.perf_counter()
        spin(0.1)
    found = rows(engine.drain())
    share = sum(r.wall_ns for r in found if inside("hold", r)) / 1e9
    truth = ended - held
    assert truth > 0.1
    assert truth - 0.03 < share < truth + 0.03
    share_before = sum(r.wall_ns for r in found if inside("before", r)) / 1e9
    assert abs(share_before - (held - started)) < 0.03


def test_late_and_missed_passes_are_counted(engine):
    with sampling(engine, 5):
        spin(0.05)
        for _ in range(3):
            _ = 7**1_200_000  # holds the GIL for many intervals
        spin(0.05)
    batch, stats = engine.drain(), engine.stats()
    if engine.name == "python":
        assert stats.late
        assert stats.missed == sum(batch.samples.pass_missed) > 0
        assert any(r.flags & Flag.LATE for r in rows(batch))
    assert stats.passes == len(batch.samples.pass_ticks)
    assert stats.sampler_cpu_ns > 0
    assert stats.process_cpu_ns > 0


def test_new_thread_is_charged_no_more_than_it_lived(engine):
    lived = {}

    def live():
        start = time.perf_counter_ns()
        spin(0.03)
        lived[threading.current_thread().name] = time.perf_counter_ns() - start

    with sampling(engine, 10):
        for number in range(8):
            thread = threading.Thread(target=live, name=f"short {number}")
            thread.start()
            thread.join()
            time.sleep(0.005)
    charged = dict.fromkeys(lived, 0)
    for row in rows(engine.drain()):
        if row.thread in charged:
            charged[row.thread] += row.wall_ns
    assert sum(charged.values()) > 0
    assert all(charged[name] <= lived[name] + 12 * MS for name in lived)


def test_thread_names_outlive_their_threads(engine):
    with sampling(engine):
        with thread_in(lambda over: over.wait(10), "résumé-Ж-🙂"):
            spin(0.1)
        with thread_in(lambda over: over.wait(10), "second"):
            spin(0.1)
    found = {r.thread for r in rows(engine.drain())}
    assert {"MainThread", "résumé-Ж-🙂", "second"} == found


def test_renamed_thread_gets_its_new_name(engine):
    with thread_in(lambda over: over.wait(10), "old name") as thread, sampling(engine):
        spin(0.05)
        first = engine.drain()
        thread.name = "new name"
        spin(0.05)
        second = engine.drain()
    index = next(t.index for t in first.definitions.threads if t.name == "old name")
    assert [t.index for t in second.definitions.threads if t.name == "new name"] == [index]


def test_deep_stack_keeps_both_ends_and_the_true_number_left_out(engine):
    def down(n):
        if n:
            return down(n - 1)
        return spin(0.1)

    with sampling(engine):
        down(700)
    deep = [r for r in rows(engine.drain()) if inside("spin", r) and r.thread == "MainThread"]
    assert deep
    for row in deep:
        assert row.flags & Flag.TRUNCATED
        assert len(row.stack) == 200 + 1 + 56
        assert row.stack[0] == root_of_main_thread()
        assert row.stack[-1] in ("spin",)
        omitted = row.stack[56]
        assert omitted.startswith("<")
        assert omitted.endswith(" frames omitted>")
        kept = sum(name.endswith("down") for name in row.stack)
        others = len(deep_callers(row))
        assert int(omitted[1:].split()[0]) + kept + others == 701 + others


def deep_callers(row):
    return [name for name in row.stack if not name.endswith(("down", "spin"))]


def test_definitions_are_told_once_and_again_after_a_restart(engine):
    with sampling(engine):
        spin(0.1)
        first = engine.drain()
        spin(0.1)
        second = engine.drain(restart=True)
        spin(0.1)
        third = engine.drain()
    assert first.definitions.first_stack == 1
    assert second.definitions.first_stack == len(first.definitions.stack_parent) + 1
    names = [f.name for f in first.definitions.functions + second.definitions.functions]
    assert names.count("spin") == 1
    assert third.definitions.first_stack == third.definitions.first_function == 1
    alone = rows(third)
    assert any(inside("spin", r) for r in alone)
    assert {r.thread for r in alone} == {"MainThread"}
    assert any(inside("spin", r) for r in rows(first, second))


def test_drains_join_without_a_seam(engine):
    batches = []
    with sampling(engine):
        for _ in range(5):
            spin(0.03)
            batches.append(engine.drain().samples)
    ends = [s.start_ticks + sum(s.pass_ticks) for s in batches]
    assert [s.start_ticks for s in batches[1:]] == ends[:-1]


def test_stops_at_once_and_goes_on_where_it_stopped(engine):
    engine.start(100 * MS)
    began = time.perf_counter()
    engine.stop()
    assert time.perf_counter() - began < 0.09
    engine.start(5 * MS)
    spin(0.1)
    engine.stop()
    assert any(inside("spin", r) for r in rows(engine.drain()))
    passes = engine.stats().passes
    spin(0.05)
    assert engine.stats().passes == passes


def test_starting_often_leaks_nothing(engine):
    threads = threading.active_count()
    for _ in range(200):
        engine.start(MS)
        engine.start(MS)
        engine.stop()
        engine.stop()
    assert threading.active_count() == threads


def test_exec_and_discarded_code_is_let_go(engine):
    import weakref

    alive = weakref.WeakSet()

    class Big:
        pass

    with sampling(engine, 1):
        for number in range(200):
            scope = {"spin": spin, "big": Big()}
            alive.add(scope["big"])
            exec(f"def generated_{number % 7}():\n    spin(0.002)\n", scope)
            code = weakref.ref(scope[f"generated_{number % 7}"].__code__)
            scope[f"generated_{number % 7}"]()
            scope.clear()  # function and scope refer to each other
            assert code() is None or engine_lets_go(code)
    names = {
        r.stack[-2] for r in rows(engine.drain()) if len(r.stack) > 1 and r.stack[-1] == "spin"
    }
    assert sum(name.startswith("generated_") for name in names) >= 3
    assert len(alive) <= 1


def engine_lets_go(code):
    """A pass may be holding the frame right now; it must not hold it for long."""
    until = time.perf_counter() + 1
    while code() is not None and time.perf_counter() < until:
        time.sleep(0.001)
    return code() is None


def test_names_of_reused_addresses_are_right(engine):
    """Code objects come and go at the same addresses; each must be seen under its own name."""
    said = []

    def check(name):
        said.append(name)
        spin(0.004)

    with sampling(engine, 1):
        for number in range(100):
            scope = {"check": check}
            exec(f"def f{number}(): check('f{number}')\nf{number}()", scope)
            scope.clear()
            if number % 10 == 0:
                time.sleep(0.001)
    for row in rows(engine.drain()):
        if row.flags & Flag.TORN:
            continue
        places = [i for i, name in enumerate(row.stack) if name.endswith("check")]
        for i in places:
            assert row.stack[i - 1] in said


def test_unknown_engine_is_refused():
    with pytest.raises(UsageError, match="no engine called 'quantum'"):
        choose("quantum")
