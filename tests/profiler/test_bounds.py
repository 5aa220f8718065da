"""Spans beyond a bound are dropped and counted; memory stays bounded, and nothing else suffers."""

from __future__ import annotations

import gc
import sys
import threading

import pytest

from flamespan import profiler
from flamespan.aggregator import load
from flamespan.profiler import active
from flamespan.profiler.errors import UsageError
from flamespan.profiler.spanlog import SpanLog
from helpers import recordings


@pytest.fixture
def log():
    logs = []

    def make(*bounds):
        logs.append(SpanLog(*bounds))
        active.record_into(logs[-1])
        return logs[-1]

    yield make
    active.record_into(None)


def test_ten_thousand_open_at_once_are_all_recorded(tmp_path):
    started = profiler.start(tmp_path)
    scopes = [profiler.transaction("job", op=str(i)) for i in range(10_000)]
    for scope in scopes:
        scope.__enter__()
    for scope in reversed(scopes):
        scope.__exit__(None, None, None)
    profiler.stop()
    recording = recordings.read(started.path)
    assert len(recording.spans.started) == len(recording.spans.ended) == 10_000
    assert recording.stats.most_open_spans == 10_000
    assert recording.stats.dropped_spans == 0
    assert profiler.current_span() is None


def test_more_open_than_may_be_are_dropped_with_what_is_in_them(tmp_path):
    started = profiler.start(tmp_path, max_open_spans=5)
    scopes = [profiler.transaction("job") for _ in range(8)]
    ids = [scope.__enter__().id for scope in scopes]
    assert [bool(i) for i in ids] == [True] * 5 + [False] * 3
    with profiler.span("in a dropped one"):
        assert profiler.current_span() is None
    for scope in reversed(scopes):
        scope.__exit__(None, None, None)
    with profiler.transaction("room again"):
        pass
    profiler.stop()
    recording = recordings.read(started.path)
    names = [s.name or s.op for s in recording.spans.started]
    assert names == ["job"] * 5 + ["room again"]
    assert len(recording.spans.ended) == 6
    assert recording.stats.dropped_spans == 4
    (process,) = load(started.path).info()["processes"]
    assert process["dropped_spans"] == 4
    assert process["most_open_spans"] == 5
    told = recordings.run_python(
        "import sys; from flamespan.profiler.__main__ import main; sys.exit(main(sys.argv[1:]))",
        "info",
        str(tmp_path),
    )
    assert "4 dropped spans" in told.stdout


def test_a_flood_is_cut_and_counted(tmp_path):
    started = profiler.start(tmp_path, max_spans_per_s=1000)
    for _ in range(30_000):
        with profiler.transaction("t"), profiler.span("s"):
            pass
    profiler.stop()
    recording = recordings.read(started.path)
    taken = len(recording.spans.started)
    assert 0 < taken < 60_000
    assert taken == len(recording.spans.ended)
    assert taken + recording.stats.dropped_spans == 60_000
    whole = {s.id for s in recording.spans.started}
    assert all(s.parent in whole for s in recording.spans.started if s.parent)


def test_the_queue_is_bounded_in_text_too(log):
    queue = log()
    queue.max_text = 100
    for _ in range(10):
        with profiler.transaction("x" * 30):
            pass
    assert len(queue.drain().rows().started) == 4
    assert queue.dropped == 6
    with profiler.transaction("x" * 30):
        pass
    assert len(queue.drain().rows().started) == 1


def test_counts_of_open_spans_are_right_with_many_threads(log):
    queue = log()

    def work():
        for _ in range(300):
            with profiler.transaction("t"), profiler.span("s"):
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (queue.open, queue.transactions) == (0, 0)
    assert 2 <= queue.most_open <= 16
    assert len(queue.drain().rows().ended) == 4800


def test_spans_that_nobody_can_close_do_not_count_for_ever(log):
    pytest.importorskip("flamespan.profiler.engine._native", exc_type=ImportError)
    queue = log(100, 10)
    for _ in range(50):
        profiler.transaction("lost").begin()
        queue.drain()
    gc.collect()
    queue.drain()
    assert queue.open == 0
    assert queue.dropped == 0
    assert not queue.drain(restart=True).rows().started
    assert not queue.drain().rows().started  # nor are they told again in the next file


def test_spans_nested_a_hundred_thousand_deep(log):
    queue = log(10**6, 10**6)
    scopes = [profiler.span("s") for _ in range(100_000)]
    for scope in scopes:
        scope.__enter__()
    for scope in reversed(scopes):
        scope.__exit__(None, None, None)
    del scopes, scope
    events = queue.drain().rows()
    assert len(events.started) == len(events.ended) == 100_000


def test_ends_after_the_recording_are_let_go(tmp_path):
    profiler.start(tmp_path)
    name = "".join(["kept", " by none"])
    before = sys.getrefcount(name)
    scope = profiler.transaction(name)
    scope.__enter__()
    profiler.stop()
    scope.__exit__(None, None, None)
    del scope
    gc.collect()
    assert sys.getrefcount(name) == before


@pytest.mark.parametrize("name", ["max_spans_per_s", "max_open_spans"])
def test_bounds_that_cannot_be(tmp_path, name):
    for bound in (0, -1, 10**9, 1.5):
        with pytest.raises(UsageError, match=name):
            profiler.start(tmp_path, **{name: bound})
