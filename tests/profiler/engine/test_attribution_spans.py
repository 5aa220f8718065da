"""Whose time is it in threads, generators, and spans that are opened and closed in any order."""

from __future__ import annotations

import contextlib
import contextvars
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flamespan import aggregator, profiler
from flamespan.profiler import active
from flamespan.profiler.model import State
from helpers import recordings
from helpers.marked import NOBODY, needs_native, prove, work

TESTS = Path(__file__).parents[2]


def in_threads(*calls):
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("engine", ["native", "python"])
def test_nested_spans(recorded, engine):
    def main():
        work(NOBODY)
        with profiler.transaction("1"):
            work("1")
            with profiler.span("s", "b"):
                work("1", "b")
                with profiler.span("s", "c"):
                    work("1", "c")
                work("1", "b")
            work("1")
        work(NOBODY)
        with profiler.transaction("2"):
            work("2")

    recorded(main, "1", "1 b", "1 c", "2", NOBODY)


@pytest.mark.parametrize("engine", ["native", "python"])
def test_a_transaction_in_a_transaction(recorded, engine):
    def main():
        with profiler.transaction("1"), profiler.span("s", "b"):
            work("1", "b")
            with profiler.transaction("2"):
                work("2")
                with profiler.span("s", "c"):
                    work("2", "c")
                work("2")
            work("1", "b")

    recorded(main, "1 b", "2", "2 c")


@pytest.mark.parametrize("engine", ["native", "python"])
def test_spans_that_overlap(recorded, engine):
    def main():
        with profiler.transaction("1"):
            first, second = profiler.span("s", "b"), profiler.span("s", "c")
            first.__enter__()
            work("1", "b")
            second.__enter__()
            work("1", "c")
            first.__exit__(None, None, None)
            work("1", "c")
            second.__exit__(None, None, None)
            work("1")

    recorded(main, "1", "1 b", "1 c")


@pytest.mark.parametrize("engine", ["native", "python"])
def test_a_transaction_that_closes_before_its_span(recorded, engine):
    def main():
        outer, inner = profiler.transaction("1"), profiler.span("s", "b")
        outer.__enter__()
        inner.__enter__()
        outer.__exit__(None, None, None)
        work("1", "b")
        inner.__exit__(None, None, None)
        work(NOBODY)

    recorded(main, "1 b", NOBODY)


def test_overlapping_transactions(recorded):
    def main():
        first, second = profiler.transaction("1"), profiler.transaction("2")
        first.__enter__()
        work("1")
        second.__enter__()
        work("2")
        first.__exit__(None, None, None)
        work("2")
        second.__exit__(None, None, None)
        work(NOBODY)

    recorded(main, "1", "2", NOBODY)


def test_a_transaction_in_another_is_closed_elsewhere(recorded):
    def main():
        with profiler.transaction("1"):
            inner = profiler.transaction("2")
            inner.__enter__()
            work("2")
            in_threads(lambda: inner.__exit__(None, None, None))
            work("1")
            with profiler.span("s", "b"):
                work("1", "b")

    recorded(main, "1", "1 b", "2")


@pytest.mark.parametrize("engine", ["native", "python"])
def test_a_span_closed_in_another_thread(recorded, engine):
    def main():
        with profiler.transaction("1"):
            moved = profiler.span("s", "b")
            moved.__enter__()
            work("1", "b")
            in_threads(lambda: moved.__exit__(None, None, None))
            work("1")

    recorded(main, "1", "1 b")


def test_exceptions_leave_nothing_behind(recorded):
    @profiler.span("s", "b")
    def fails():
        work("1", "b")
        raise KeyError

    @profiler.transaction("1")
    def request():
        with contextlib.suppress(KeyError):
            fails()
        work("1")
        fails()

    def main():
        for _ in range(2):
            with pytest.raises(KeyError):
                request()
            work(NOBODY)

    recorded(main, "1", "1 b", NOBODY)


def test_threads_with_copied_contexts(recorded):
    def request(name):
        with profiler.transaction(name):
            with profiler.span("s", "b"):
                contexts = [contextvars.copy_context() for _ in range(3)]
                in_threads(*(lambda c=c: c.run(work, name, "b") for c in contexts))
            in_threads(lambda: contexts[0].run(work, name))  # "b" is over
            in_threads(lambda: work(NOBODY))

    def main():
        in_threads(lambda: request("1"), lambda: request("2"))

    recorded(main, "1", "1 b", "2", "2 b", NOBODY)


def test_a_thread_pool_serves_many_transactions(recorded):
    def main():
        with ThreadPoolExecutor(3) as pool:
            calls = []
            for number in range(12):
                with profiler.transaction(str(number)):
                    context = contextvars.copy_context()
                    calls.append(pool.submit(context.run, work, str(number)))
                    calls.append(pool.submit(work, NOBODY))
                    calls[-2].result()
            for call in calls:
                call.result()

    recorded(main, *(str(number) for number in range(12)), NOBODY)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="threads take a context since Python 3.14")
def test_a_thread_that_is_given_a_context(recorded):
    def main():
        with profiler.transaction("1"), profiler.span("s", "b"):
            context = contextvars.copy_context()
            thread = threading.Thread(target=work, args=("1", "b"), context=context)
            thread.start()
            thread.join()

    recorded(main, "1 b")


@pytest.mark.parametrize("engine", ["native", "python"])
def test_generators_that_set_variables(recorded, engine):
    variable = contextvars.ContextVar("variable")

    @profiler.span("s", "b")
    def steps(name):
        for number in range(3):
            token = variable.set(number)
            work(name, "b")
            yield number
            variable.reset(token)

    def main():
        with profiler.transaction("1"):
            first, second = steps("1"), steps("1")
            for _ in zip(first, second, strict=True):
                work("1")
            with profiler.span("s", "c"):
                for _ in steps("1"):
                    work("1", "c")
        left = steps("1")  # opened outside: a transaction of its own, never begun
        left.close()

    recorded(main, "1", "1 b", "1 c")


@pytest.mark.parametrize("count", [1, 10, 17, 40, 2000])
def test_among_many_variables(recorded, count):
    """A context's variables lie in a tree of several kinds of nodes, as deep as there are many."""
    others = [contextvars.ContextVar(f"other {i}") for i in range(count)]

    def request(name):
        for variable in others[::2]:
            variable.set(name)
        with profiler.transaction(name):
            for variable in others[1::2]:
                variable.set(name)
            work(name)
            with profiler.span("s", "b"):
                work(name, "b")
                for variable in others:
                    variable.set(None)
                work(name, "b")
            work(name)
        work(NOBODY)

    def main():
        for name in ("1", "2"):
            contextvars.Context().run(request, name)

    recorded(main, "1", "1 b", "2", "2 b", NOBODY)


def test_a_variable_set_all_the_time_changes_nothing(recorded):
    variable = contextvars.ContextVar("variable")

    def main():
        with profiler.transaction("1"):
            for number in range(3000):
                variable.set(number)
                work("1", seconds=0.00002)

    recorded(main, "1")


def test_a_signal_handler_runs_in_the_span_it_interrupts(recorded):
    import signal

    def main():
        before = signal.signal(signal.SIGUSR1, lambda *_: work("1", "b"))
        with profiler.transaction("1"), profiler.span("s", "b"):
            signal.raise_signal(signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, before)

    recorded(main, "1 b")


def test_spans_that_are_open_when_the_process_ends(tmp_path):
    code = """
        import os, sys, threading
        from flamespan import profiler
        from helpers.marked import work
        profiler.start(sys.argv[1], 1000, engine="native", budget=0)
        profiler.transaction("1").__enter__()
        profiler.span("s", "b").__enter__()
        def other():
            profiler.transaction("2").__enter__()
            work("2")
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        work("1", "b")
    """

    def record():
        folder = tempfile.mkdtemp(dir=tmp_path)
        done = recordings.run_python(code, folder, cwd=TESTS)
        assert done.returncode == 0, done.stderr
        table = aggregator.load(folder).transactions(instances=True)
        ends = sorted(zip(table["transaction"], table["status"], strict=True))
        assert ends == [("1", "open"), ("2", "open")]
        return recordings.read_one(folder)

    prove(record, "1 b", "2")


def test_a_span_left_open_by_an_earlier_recording_is_nobodys(recorded, tmp_path):
    with profiler.Profiler(tmp_path, 1000, engine="native", budget=0):
        left = profiler.transaction("left open")
        left.__enter__()

    def main():
        work(NOBODY)
        with profiler.transaction("1"):
            work("1")
        work(NOBODY)

    recorded(main, "1", NOBODY)
    active.ACTIVE.set(None)


def waits_in_transactions(until):
    """Always at the same instruction of the same frame, each time in another transaction."""
    while time.monotonic() < until:
        with profiler.transaction("wait"):
            time.sleep(0.05)


def of_closed_spans(recording):
    """Which part of the time in transactions was booked after their end."""
    ends = {end.id: end.end_ns for end in recording.spans.ended}
    rows = [row for row in recordings.rows(recording) if row.span]
    wrong = sum(row.wall_ns for row in rows if row.time_ns - row.wall_ns > ends[row.span])
    return wrong / sum(row.wall_ns for row in rows)


def test_many_threads_that_wait_where_they_waited_before(tmp_path):
    needs_native()
    with profiler.Profiler(tmp_path, 1000, engine="native", budget=0) as running:
        until = time.monotonic() + 1.5
        in_threads(*(lambda: waits_in_transactions(until) for _ in range(400)))
    assert of_closed_spans(recordings.read(running.path)) < 0.02


def test_threads_that_once_waited_for_the_gil(tmp_path):
    needs_native()
    numbers = list(range(300_000))
    with profiler.Profiler(tmp_path, 1000, engine="native", budget=0) as running:
        until = time.monotonic() + 2
        calls = [lambda: waits_in_transactions(until) for _ in range(12)]
        threads = [threading.Thread(target=call, name="waits") for call in calls]
        for thread in threads:
            thread.start()
        for _ in range(10):
            sorted(numbers, key=int.__neg__)  # holds the GIL while threads would go on
            time.sleep(0.01)
        quiet_ns = time.monotonic_ns() + 200_000_000
        for thread in threads:
            thread.join()
    recording = recordings.read(running.path)
    rows = [row for row in recordings.rows(recording) if row.thread == "waits"]
    quiet = [row for row in rows if row.time_ns - row.wall_ns > quiet_ns]
    waited_ns = sum(row.wall_ns for row in quiet if row.state == State.GIL_WAIT)
    assert waited_ns < 0.1 * sum(row.wall_ns for row in quiet)
    assert of_closed_spans(recording) < 0.02
