"""Transactions and spans as the application uses them; what they say is read from the file."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import math
import sys
import threading
import time

import pytest

from flamespan import profiler
from flamespan.profiler import active
from flamespan.profiler.errors import UsageError
from flamespan.profiler.spanlog import MAX_TEXT, SpanLog
from helpers import recordings


@pytest.fixture
def recorded(tmp_path):
    """Start a recording; calling the fixture stops it and gives the events of its file."""
    started = profiler.start(tmp_path)

    def finish():
        profiler.stop()
        return recordings.read(started.path).spans

    yield finish
    profiler.stop()


def names(events):
    return [s.name or s.op for s in events.started]


def statuses(events):
    who = {s.id: s.name or s.op for s in events.started}
    return {who[e.id]: e.status for e in events.ended}


def parents(events):
    who = {s.id: s.name or s.op for s in events.started}
    return {s.name or s.op: who.get(s.parent) for s in events.started}


def test_nesting_and_fields(recorded):
    before = time.monotonic_ns()
    with profiler.transaction("GET /cart", op="http.server", tags={"shard": 3}) as cart:
        with profiler.span("db.query", "select 1") as query:
            assert profiler.current_span() is query
            profiler.set_tag("user", "alice")
            query.set_measurement("rows", 17)
        profiler.set_measurement("size", 2.5, "byte")
        assert profiler.current_span() is cart
    assert profiler.current_span() is None
    after = time.monotonic_ns()
    events = recorded()
    cart_row, query_row = events.started
    assert (cart_row.name, cart_row.op, cart_row.parent) == ("GET /cart", "http.server", 0)
    assert (query_row.name, query_row.op, query_row.description) == ("", "db.query", "select 1")
    assert query_row.parent == cart_row.id > 0
    assert cart_row.thread_ident == threading.get_ident()
    ends = {e.id: e.end_ns for e in events.ended}
    assert before <= cart_row.start_ns <= query_row.start_ns
    assert query_row.start_ns <= ends[query_row.id] <= ends[cart_row.id] <= after
    assert {(t.id, t.key, t.value) for t in events.tags} == {
        (cart_row.id, "shard", "3"),
        (cart_row.id, "user", "alice"),
    }
    assert {(m.id, m.name, m.value, m.unit) for m in events.measurements} == {
        (query_row.id, "rows", 17.0, ""),
        (cart_row.id, "size", 2.5, "byte"),
    }


def test_span_outside_a_transaction_is_one_and_has_a_name(recorded):
    with profiler.span("db.query", "select 1"):
        pass
    with profiler.span("db.query"):
        pass
    events = recorded()
    assert [(s.name, s.parent) for s in events.started] == [("select 1", 0), ("db.query", 0)]


def test_transaction_inside_a_transaction_stands_for_itself(recorded):
    with profiler.transaction("outer"):
        with profiler.transaction("inner"), profiler.span("part"):
            pass
        with profiler.span("rest"):
            pass
    assert parents(recorded()) == {"outer": None, "inner": None, "part": "inner", "rest": "outer"}


def test_exceptions_pass_and_set_the_status(recorded):
    with pytest.raises(KeyError), profiler.transaction("fails"):
        raise KeyError

    def says_why():
        with profiler.transaction("said"), profiler.span("inner") as inner:
            inner.set_status("not_found")
            raise KeyError

    with pytest.raises(KeyError):
        says_why()
    with profiler.transaction("fine") as fine:
        fine.set_status("cached")
    assert statuses(recorded()) == {
        "fails": "error",
        "said": "error",
        "inner": "not_found",
        "fine": "cached",
    }


def test_everything_is_harmless_while_nothing_records():
    with profiler.transaction("t", tags={"a": 1}) as t, profiler.span("s") as s:
        for span in (t, s):
            span.set_tag("a", 1)
            span.set_measurement("b", "no number")
            span.set_status("x")
        assert t.id == s.id == 0
        assert t.status == ""
        assert profiler.current_span() is None
        profiler.set_tag("a", 1)
        profiler.set_measurement("b", 2)
    assert active.ACTIVE.get() is None


class Unprintable:
    def __str__(self):
        raise RuntimeError("no")

    __float__ = __repr__ = __str__


def test_impossible_values_never_raise(recorded):
    with profiler.transaction(12, op=None, tags={1: Unprintable()}) as t:
        t.set_tag(Unprintable(), "x" * (MAX_TEXT + 5))
        t.set_measurement("bad", Unprintable())
        t.set_measurement("bad", "text")
        t.set_measurement("bad", math.nan)
        t.set_measurement("bad", 10**400)
        t.set_measurement("good", True, 7)
        t.set_status(None)
    with profiler.transaction("tags", tags=5):
        pass
    with profiler.transaction("\udce9 lone surrogate \0"):
        pass
    events = recorded()
    assert names(events) == ["12", "tags", "\udce9 lone surrogate \0"]
    assert [t.key for t in events.tags] == ["1", "<Unprintable that cannot be shown>"]
    assert events.tags[0].value == "<Unprintable that cannot be shown>"
    assert len(events.tags[1].value) == MAX_TEXT + 1
    assert [(m.name, m.value, m.unit) for m in events.measurements] == [("good", 1.0, "7")]


def test_forgotten_brackets_are_told_at_once():
    for decorator in (profiler.transaction, profiler.span):
        with pytest.raises(UsageError, match="needs brackets"):

            @decorator
            def function():
                pass


def test_decorators_made_before_the_start_record_after_it(tmp_path):
    @profiler.transaction("job", op="task")
    def job(a, *, b):
        """Doc."""
        return a + b

    @profiler.span("async.part")
    async def part():
        await asyncio.sleep(0)
        return profiler.current_span().op

    @profiler.transaction("async")
    async def whole():
        return await part()

    class Shop:
        @profiler.span("static")
        @staticmethod
        def static():
            return 1

        @profiler.span("class")
        @classmethod
        def of_class(cls):
            return cls

        @profiler.span("method")
        def method(self):
            return self

    assert job(1, b=2) == 3
    with profiler.Profiler(tmp_path) as running:
        assert (job(1, b=2), job.__doc__, job.__name__) == (3, "Doc.", "job")
        assert asyncio.run(whole()) == "async.part"
        shop = Shop()
        assert (shop.static(), Shop.of_class(), shop.method()) == (1, Shop, shop)
    assert job(1, b=2) == 3
    events = recordings.read(running.path).spans
    assert names(events) == ["job", "async", "async.part", "static", "class", "method"]
    assert len(events.ended) == 6
    assert parents(events)["async.part"] == "async"


def test_generator_is_open_to_its_end_and_active_in_its_steps_only(recorded):
    seen = []

    @profiler.span("numbers")
    def numbers():
        seen.append(profiler.current_span().op)
        got = yield 1
        seen.append(profiler.current_span().op)
        try:
            yield got
        except KeyError:
            seen.append("caught")
        return "result"

    def outside():
        return profiler.current_span().name

    with profiler.transaction("consumer"):
        generator = numbers()
        assert next(generator) == 1
        assert outside() == "consumer"
        assert generator.send("sent") == "sent"
        assert outside() == "consumer"
        with pytest.raises(StopIteration) as stop:
            generator.throw(KeyError)
        assert stop.value.value == "result"
        assert outside() == "consumer"
        left = numbers()
        next(left)
        left.close()
        assert outside() == "consumer"
    assert seen == ["numbers", "numbers", "caught", "numbers"]
    events = recorded()
    assert names(events) == ["consumer", "numbers", "numbers"]
    assert {e.status for e in events.ended} == {"ok"}
    assert len(events.ended) == 3


def test_generator_that_raises_ends_in_error(recorded):
    @profiler.span("broken")
    def broken():
        yield 1
        raise KeyError

    with pytest.raises(KeyError):
        list(broken())
    assert statuses(recorded()) == {"broken": "error"}


def test_interleaved_generators_keep_their_spans_apart(recorded):
    @profiler.span("g")
    def generator(mine):
        for _ in range(3):
            mine.append(profiler.current_span())
            yield

    first, second = [], []
    a, b = generator(first), generator(second)
    for _ in range(3):
        next(a), next(b)
    assert len(set(first)) == len(set(second)) == 1
    assert first[0] is not second[0]
    for left in (a, b):
        assert next(left, None) is None
    assert len(recorded().ended) == 2


def test_async_generator(recorded):
    seen = []

    @profiler.span("stream")
    async def stream():
        seen.append(profiler.current_span().op)
        got = yield 1
        await asyncio.sleep(0)
        seen.append(profiler.current_span().op)
        yield got

    async def consume():
        with profiler.transaction("consumer"):
            async for item in stream():
                seen.append((item, profiler.current_span().name))  # noqa: PERF401
            left = stream()
            await left.asend(None)
            assert await left.asend("x") == "x"
            await left.aclose()
            assert profiler.current_span().name == "consumer"

    asyncio.run(consume())
    assert seen[:4] == ["stream", (1, "consumer"), "stream", (None, "consumer")]
    events = recorded()
    assert len(events.ended) == 3
    assert {e.status for e in events.ended} == {"ok"}


def test_closing_out_of_order_leaves_the_right_one_active(recorded):
    with profiler.transaction("t"):
        outer, inner = profiler.span("outer"), profiler.span("inner")
        outer.__enter__()
        inner.__enter__()
        outer.__exit__(None, None, None)
        assert profiler.current_span().op == "inner"
        inner.__exit__(None, None, None)
        assert profiler.current_span().name == "t"
    assert profiler.current_span() is None
    assert len(recorded().ended) == 3


def test_closing_in_another_task_or_thread_or_twice(recorded):
    scope = profiler.transaction("moved")

    async def opens():
        scope.__enter__()

    async def closes():
        scope.__exit__(None, None, None)
        scope.__exit__(None, None, None)

    async def both():
        await asyncio.create_task(opens())
        await asyncio.create_task(closes())

    asyncio.run(both())
    other = profiler.transaction("thread")
    other.__enter__()
    thread = threading.Thread(target=other.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    assert profiler.current_span() is None
    with profiler.span("after"):
        pass
    events = recorded()
    assert sorted(statuses(events)) == ["after", "moved", "thread"]
    assert parents(events)["after"] is None


def test_one_scope_shared_by_tasks(recorded):
    shared = profiler.span("shared")

    async def work(delay):
        with profiler.transaction(f"t{delay}"), shared as mine:
            await asyncio.sleep(delay)
            assert profiler.current_span() is mine

    async def main():
        await asyncio.gather(work(0.02), work(0.01), work(0.03))

    asyncio.run(main())
    events = recorded()
    assert len(events.ended) == 6
    ends = {e.id: e.end_ns for e in events.ended}
    for span in events.started:
        if span.parent:
            assert ends[span.id] <= ends[span.parent]


def test_context_travels_with_copies(recorded):
    with profiler.transaction("t"):
        context = contextvars.copy_context()
    assert context.run(profiler.current_span) is None  # closed by now
    with profiler.transaction("u"):
        context = contextvars.copy_context()
        thread_saw = []
        thread = threading.Thread(
            target=lambda: thread_saw.append(context.run(profiler.current_span).name)
        )
        thread.start()
        thread.join()
        assert thread_saw == ["u"]
    assert names(recorded()) == ["t", "u"]


def test_open_spans_stay_open_and_do_not_leak_into_the_next_recording(tmp_path):
    first = profiler.start(tmp_path)
    profiler.transaction("left open").__enter__()
    profiler.stop()
    second = profiler.start(tmp_path)
    assert profiler.current_span() is None
    with profiler.span("fresh"):
        pass
    profiler.stop()
    active.ACTIVE.set(None)
    before, after = recordings.read(first.path).spans, recordings.read(second.path).spans
    assert (names(before), before.ended) == (["left open"], [])
    assert parents(after) == {"fresh": None}


def test_beyond_the_bound_spans_are_dropped_and_counted():
    log = SpanLog(max_spans=5)
    active.record_into(log)
    try:
        with profiler.transaction("kept") as kept:
            for _ in range(20):
                with profiler.span("many"):
                    inner = profiler.current_span()
            assert inner is kept
            kept.set_tag("too", "late")
        events = log.drain().rows()
        assert len(events.started) == 6
        assert {e.id for e in events.ended} == {s.id for s in events.started}
        assert log.dropped == 16
        with profiler.span("room again"):
            pass
        assert names(log.drain().rows()) == ["room again"]
    finally:
        active.record_into(None)


def test_restart_tells_open_spans_again_and_those_just_closed():
    log = SpanLog()
    active.record_into(log)
    try:
        with profiler.transaction("early"):
            pass
        log.drain()
        with profiler.transaction("open"):
            with profiler.span("closed"):
                pass
            assert names(log.drain(restart=True).rows()) == ["open", "closed"]
            again = log.drain().rows()
            assert sorted(names(again)) == ["closed", "open"]
            assert statuses(again) == {"closed": "ok"}
        assert statuses_of_ends(log.drain().rows()) == ["ok"]
    finally:
        active.record_into(None)


@pytest.mark.parametrize("told", [False, True])
def test_what_it_is_may_be_said_later(told):
    log = SpanLog()
    active.record_into(log)
    try:
        with profiler.transaction("early", op="o") as one, profiler.span("s", "first") as inner:
            before = log.drain().rows().started if told else []
            one.describe(name="late")
            one.describe(name="late")
            inner.describe(op="S", description="last")
        after = log.drain().rows()
        assert [s.name for s in before] == (["early", ""] if told else [])
        assert [(s.name, s.op, s.description) for s in after.started] == [
            ("late", "o", ""),
            ("", "S", "last"),
        ]
        assert [s.id for s in after.started] == [one.id, inner.id]
        assert len(after.ended) == 2
        one.describe(name="too late")
        assert not log.drain()
    finally:
        active.record_into(None)


def statuses_of_ends(events):
    return [e.status for e in events.ended]


def test_spans_of_many_threads_are_all_there(recorded):
    def work(number):
        for i in range(200):
            with profiler.transaction(f"{number}"), profiler.span("s", str(i)) as span:
                span.set_tag("i", i)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = recorded()
    assert len(events.started) == len(events.ended) == 3200
    assert len({s.id for s in events.started}) == 3200
    assert len(events.tags) == 1600
    assert active.BY_THREAD == {}


def test_a_closed_span_is_let_go(recorded):
    name = "".join(["only", " here"])
    before = sys.getrefcount(name)
    with profiler.transaction(name), profiler.span("inner"):
        assert sys.getrefcount(name) > before
    recorded()
    gc.collect()
    assert sys.getrefcount(name) == before
