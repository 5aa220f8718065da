"""Transactions, spans, gaps, op breakdown: drawn scenes with answers worked out by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamespan.aggregator.spanjoin import SpanJoiner
from flamespan.aggregator.spantables import exclusive_ns
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import (
    SpanEnd,
    SpanEvents,
    SpanMeasurement,
    SpanStart,
    SpanTag,
    Thread,
)
from helpers.drawn import EPOCH_NS, Drawing, folded, functions

MS = 1_000_000


def test_a_span_that_is_told_again_is_called_what_was_told_last():
    joiner = SpanJoiner()
    for name in ("GET <no route>", "GET /cart"):
        events = SpanEvents(started=[SpanStart(1, 0, 5, name, "http.server", "", 10)])
        joiner.add(0, events, 0, {})
    assert joiner.spans([20]).name == ["GET /cart"]


def transaction(drawing, number, name, start, end, status="ok", op="http.server"):
    drawing.spans.started.append(SpanStart(number, 0, 100, name, op, "", start))
    if end is not None:
        drawing.spans.ended.append(SpanEnd(number, end, status))


def span(drawing, number, parent, op, description, start, end, status="ok"):
    drawing.spans.started.append(SpanStart(number, parent, 100, "", op, description, start))
    if end is not None:
        drawing.spans.ended.append(SpanEnd(number, end, status))


def request(drawing=None):
    """One request of a second: 100 ms view, 300 ms query, 400 ms nobody says, 200 ms template."""
    drawing = drawing or Drawing()
    transaction(drawing, 1, "GET /cart", 0, 1000 * MS)
    span(drawing, 2, 1, "db.query", "select 1", 100 * MS, 400 * MS)
    span(drawing, 3, 1, "template", "cart.html", 800 * MS, 1000 * MS)
    drawing.spans.tags.append(SpanTag(1, "user", "ann"))
    drawing.spans.measurements.append(SpanMeasurement(1, "size", 12, "byte"))
    for until, stack, number, state in (
        (100, "main;view", 1, "running"),
        (300, "main;view;query", 2, "idle"),
        (400, "main;view;query", 2, "running"),
        (700, "main;view;price;lib_math", 1, "running"),
        (800, "main;view;audit", 1, "idle"),
        (1000, "main;view;render", 3, "running"),
    ):
        drawing.add_pass(until * MS - drawing.now, [(0, stack)], span=number, state=state)
    return drawing


@pytest.fixture
def profile():
    drawing = request(Drawing({"lib_math": "system"}))
    drawing.add_pass(500 * MS, [(0, "main;serve")])
    return drawing.profile()


def test_the_transactions_table(profile):
    (row,) = profile.transactions().to_dict("records")
    assert row == {
        "transaction": "GET /cart", "op": "http.server", "count": 1, "errors": 0,
        "total_ns": 1000 * MS, "mean_ns": 1000 * MS, "p50_ns": 1000 * MS, "p95_ns": 1000 * MS,
        "max_ns": 1000 * MS, "wall_ns": 700 * MS, "cpu_ns": 700 * MS, "waiting_ns": 300 * MS,
        "samples": 6,
    }  # fmt: skip
    (row,) = profile.transactions(instances=True).to_dict("records")
    assert row["start_ns"] == EPOCH_NS
    assert (row["id"], row["status"], row["thread"], row["pid"], row["spans"]) == (
        1, "ok", "MainThread", 7, 2,
    )  # fmt: skip
    spans = profile.tables.spans
    assert spans.tags[0] == {"user": "ann"}
    assert spans.measurements[0] == {"size": (12.0, "byte")}


def test_the_spans_table(profile):
    table = profile.spans().set_index("op")
    columns = ["count", "total_ns", "exclusive_ns", "wall_ns", "waiting_ns"]
    found = table.loc["db.query", columns].tolist()
    assert found == [1, 300 * MS, 300 * MS, 100 * MS, 200 * MS]
    assert profile.spans(instances=True)["transaction"].tolist() == ["GET /cart"] * 2


def test_gaps_name_the_application_function_that_filled_them(profile):
    gaps = profile.gaps()
    assert gaps[["start_ns", "duration_ns"]].to_numpy().tolist() == [
        [EPOCH_NS + 400 * MS, 400 * MS]
    ]
    assert gaps["function"].tolist() == ["price"]
    assert gaps["function_ns"].tolist() == [300 * MS]
    assert gaps["samples"].tolist() == [2]
    # 100 ms is not longer than 100 ms; a lower threshold shows the leading gap too.
    assert profile.gaps(min_ns=99 * MS)["function"].tolist() == ["price", "view"]
    assert profile.gaps(min_ns=0, min_share=0.5).empty


def test_op_breakdown_adds_up(profile):
    table = profile.op_breakdown()
    assert table["op"].tolist() == ["other", "db.query", "template"]
    assert table["exclusive_ns"].tolist() == [500 * MS, 300 * MS, 200 * MS]
    assert table["share"].sum() == pytest.approx(1)


def test_views_by_transaction_and_span(profile):
    inside = profile.transaction("GET /cart")
    assert inside.total_ns == 700 * MS
    assert inside.excluded_ns == 300 * MS
    assert inside.all_states().total_ns == 1000 * MS
    for which in ("GET *", 1, "#1"):
        assert profile.transaction(which).folded() == inside.folded()
    assert profile.outside_transactions().total_ns == 500 * MS
    assert profile.in_transactions().folded() == inside.folded()
    assert functions(profile.span("template")) == {
        "main": [0, 200 * MS], "view": [0, 200 * MS], "render": [200 * MS, 200 * MS],
    }  # fmt: skip
    assert profile.span("cart.*").folded() == profile.span("template").folded()
    assert profile.span("template").op_breakdown()["op"].tolist() == ["template"]


@pytest.mark.parametrize(
    ("view", "message"),
    [
        (lambda p: p.transaction("GET /card"), "no transaction 'GET /card'; there is 'GET /cart'"),
        (lambda p: p.transaction(77), "no transaction '77'"),
        (lambda p: p.span("sql"), "no span 'sql'; there is"),
        (lambda p: p.span("template").transaction("GET *"), "has no transactions"),
        (lambda p: p.thread("worker"), "no thread 'worker'; there is 'MainThread'"),
        (lambda p: p.process(8), "no process '8'; there is '7'"),
        (lambda p: p.states("sleeping"), "no state 'sleeping'; there are unknown, running"),
        (lambda p: p.clock("sun"), "no clock 'sun'; there are wall, cpu, gil, wait"),
        (lambda p: p.collapse_recursion("all"), "no way to collapse 'all'"),
        (lambda p: p.tree("sideways"), "no direction 'sideways'"),
        (lambda p: p.between(5, 4), "ends \\(4\\) before it starts \\(5\\)"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(profile, view, message):
    with pytest.raises(UsageError, match=message):
        view(profile)


def test_clocks(profile):
    whole = profile.all_states()
    assert profile.clock("cpu").total_ns == 1200 * MS
    assert profile.clock("wait").total_ns == whole.total_ns - 1200 * MS == 300 * MS
    assert functions(profile.clock("wait").application_frames())["audit"] == [100 * MS, 100 * MS]


def test_nested_spans_have_gaps_of_their_own():
    drawing = Drawing()
    transaction(drawing, 1, "job", 0, 1000 * MS)
    span(drawing, 2, 1, "outer", "", 0, 1000 * MS)
    span(drawing, 3, 2, "inner", "", 0, 300 * MS)
    span(drawing, 4, 2, "inner", "", 200 * MS, 500 * MS)
    drawing.add_pass(1000 * MS, [(0, "main")], span=2)
    gaps = drawing.profile().gaps()
    assert gaps[["row", "start_ns", "duration_ns"]].to_numpy().tolist() == [
        [1, EPOCH_NS + 500 * MS, 500 * MS]
    ]


def test_a_transaction_without_spans_is_one_gap():
    drawing = Drawing()
    transaction(drawing, 1, "job", 0, 500 * MS)
    drawing.add_pass(500 * MS, [(0, "main;work")], span=1)
    assert drawing.profile().gaps()["function"].tolist() == ["work"]


def test_open_spans_end_with_the_recording_and_say_so():
    drawing = Drawing()
    transaction(drawing, 1, "job", 10, None)
    span(drawing, 2, 1, "step", "", 20, None)
    drawing.add_pass(100, [(0, "main")], span=2)
    table = drawing.profile().transactions(instances=True)
    assert table["status"].tolist() == ["open"]
    assert table["duration_ns"].tolist() == [90]
    assert drawing.profile().transactions()["errors"].tolist() == [0]


def test_a_span_is_in_the_thread_that_its_samples_say():
    """Idents are used again: here two threads, one after the other, have the same."""
    drawing = Drawing()
    drawing.definitions.threads = [
        Thread(0, 100, 1, "first"),
        Thread(1, 100, 2, "second"),
        Thread(2, 7, 3, "helper"),
    ]
    for number in (1, 2, 3):
        transaction(drawing, number, f"job {number}", 100 * number, 100 * number + 50)
    drawing.add_pass(110, [(2, "main"), (0, "main")], span=1)
    drawing.add_pass(100, [(1, "main")], span=2)
    table = drawing.profile().transactions(instances=True)
    assert table["thread"].tolist() == ["first", "second", ""]


def test_lost_parents_make_roots():
    drawing = Drawing()
    span(drawing, 5, 4, "db", "", 10, 20)
    drawing.add_pass(30, [(0, "main")], span=5)
    spans = drawing.profile().tables.spans
    assert spans.transaction.tolist() == [0]
    assert spans.parent.tolist() == [-1]


TREES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 100), st.integers(1, 60)), min_size=0, max_size=8
)


@settings(max_examples=80, deadline=None)
@given(TREES)
def test_exclusive_time_is_the_youngest_open_span_at_every_moment(children):
    drawing = Drawing()
    transaction(drawing, 1, "job", 0, 100)
    times = [(0, 100)]
    for number, (wanted, start, length) in enumerate(children, 2):
        parent = min(wanted, number - 2)
        span(drawing, number, parent + 1, "op", "", start, start + length)
        times.append((start, start + length))
    drawing.add_pass(100, [(0, "main")], span=1)
    spans = drawing.profile().tables.spans
    mask = spans.transaction >= 0
    expected = [0] * len(times)
    for moment in range(100):
        on = [(start, row) for row, (start, end) in enumerate(times) if start <= moment < end]
        expected[max(on)[1]] += 1
    assert exclusive_ns(spans, mask).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from(["a", "a;b", "c"])), min_size=1),
    st.lists(st.integers(-10, 400), min_size=2, max_size=4).map(sorted),
)
def test_windows_that_touch_add_up(passes, cuts):
    drawing = Drawing()
    for wall, stack in passes:
        drawing.add_pass(wall, [(0, stack)])
    profile = drawing.profile()
    edges = [EPOCH_NS + cut for cut in cuts]
    whole = folded(profile.between(edges[0], edges[-1]))
    parts: dict[str, int] = {}
    for begin, end in pairwise(edges):
        for stack, weight in folded(profile.between(begin, end)).items():
            parts[stack] = parts.get(stack, 0) + weight
    assert parts == whole
    inside = max(min(cuts[-1], drawing.now) - max(cuts[0], 0), 0)
    assert sum(whole.values()) == inside
