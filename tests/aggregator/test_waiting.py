"""Where waiting time goes: by transaction, span, function and thread, adding up exactly."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamespan.aggregator.waiting import COLUMNS
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import SpanEnd, SpanStart, State
from helpers import waits
from helpers.drawn import STATES, Drawing, Seen
from helpers.waits import MS


@pytest.fixture(scope="module")
def tasks():
    return waits.tasks().profile()


def told(table, *names):
    """{names: milliseconds of each column that is not 0}"""
    found = {}
    for row in table.to_dict("records"):
        key = tuple(row[name] for name in names)
        found[key if len(names) > 1 else key[0]] = {
            name.removesuffix("_ns"): row[name] // MS for name in COLUMNS if row[name]
        }
    return found


def test_transactions(tasks):
    table = tasks.waiting()
    assert told(table, "transaction") == {
        "GET /a": {"on_cpu": 24, "other": 6, "awaiting": 40, "loop_wait": 10},
        "GET /b": {"on_cpu": 8, "other": 2, "awaiting": 60, "loop_wait": 10},
    }
    assert table["transaction"].tolist() == ["GET /b", "GET /a"]  # what waited longest
    assert (table["recorded_ns"] == table["duration_ns"]).all()


def test_a_span_has_what_lies_inside_it_and_adds_up_to_its_duration(tasks):
    table = tasks.waiting("span", instances=True)
    assert table["duration_ns"].tolist() == table["recorded_ns"].tolist() == [50 * MS]
    assert told(table, "op", "description", "transaction") == {
        ("db", "db it", "GET /a"): {"awaiting": 40, "loop_wait": 10}
    }


def test_functions_and_threads(tasks):
    functions = told(tasks.waiting("function"), "function")
    assert functions["recv"] == {"awaiting": 100, "loop_wait": 20}
    assert functions["select"] == {"blocked": 40}
    assert told(tasks.waiting("thread"), "thread")["MainThread"]["awaiting"] == 100
    application = told(tasks.application_frames().waiting("function"), "function")
    assert application["query"] == {"awaiting": 40, "loop_wait": 10}
    assert application["read"] == {"awaiting": 60, "loop_wait": 10}


def test_views_choose_and_windows_add_up(tasks):
    table = tasks.transaction("GET /a").waiting()
    assert table["transaction"].tolist() == ["GET /a"]
    first, last = tasks.rows.time_ns.min() - 10 * MS, tasks.rows.time_ns.max()
    whole = tasks.waiting("transaction", instances=True).set_index("id")
    parts = [
        tasks.between(int(a), int(b)).waiting("transaction", instances=True).set_index("id")
        for a, b in [(first, first + 47 * MS), (first + 47 * MS, last)]
    ]
    for name in ("recorded_ns", *COLUMNS[2:], "unobserved_ns", "tail_ns"):
        assert (parts[0][name].add(parts[1][name], fill_value=0) == whole[name]).all()


def test_unknown_words(tasks):
    with pytest.raises(UsageError, match="no grouping by 'color'; there are transaction, span"):
        tasks.waiting("color")


def test_a_thread_did_not_do_what_its_tasks_await(tasks):
    (thread,) = tasks.threads().to_dict("records")
    assert thread["wall_ns"] == 100 * MS
    assert (thread["awaiting_ns"], thread["loop_wait_ns"]) == (100 * MS, 20 * MS)
    states = [name for name in thread if name.endswith("_ns") and name[:-3] in STATES]
    assert sum(thread[name] for name in states) == 220 * MS


def test_default_views_leave_suspended_tasks_out(tasks):
    assert tasks.total_ns == 60 * MS
    assert tasks.excluded_ns == 160 * MS
    assert tasks.transaction("GET /a").total_ns == 30 * MS
    chosen = tasks.transaction("GET /a").states("awaiting", "loop_wait")
    assert chosen.total_ns == 50 * MS
    assert {stack.split(" ")[0] for stack in chosen.folded()} == {"serve"}


def test_a_gap_is_filled_by_what_was_awaited(tasks):
    gaps = tasks.gaps(min_ns=0).set_index("transaction")
    read = gaps.loc["GET /b"]
    assert (read["function"], read["function_ns"], read["samples"]) == ("read", 70 * MS, 3)


OUTAGES = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 49)), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(OUTAGES, st.integers(0, 400), st.integers(0, 400), st.integers(0, 600), st.integers(0, 300))
def test_time_that_no_pass_could_tell_of_completes_the_duration(passes, begin, length, low, wide):
    """A thread that never leaves its transaction: each moment of it is in one of three columns."""
    drawing = Drawing()
    drawing.now = drawing.samples.start_ticks = 100
    end = begin + length
    drawing.spans.started.append(SpanStart(1, 0, 100, "job", "task", "", 100 + begin))
    drawing.spans.ended.append(SpanEnd(1, 100 + end, "ok"))
    last, lost = begin, set()
    for wall, asked in passes:
        unobserved = min(asked, wall - 1)
        before = drawing.now - 100
        inside = begin < before + wall <= end
        drawing.add_pass(wall, [(0, "a")], span=int(inside))
        drawing.samples.pass_unobserved[-1] = unobserved
        if inside:
            last = before + wall
        lost |= set(range(before, before + unobserved))
    profile = drawing.profile()
    (row,) = profile.waiting().to_dict("records")
    assert row["unobserved_ns"] == len(lost & set(range(begin, last)))
    assert row["tail_ns"] == end - last
    assert row["recorded_ns"] + row["unobserved_ns"] + row["tail_ns"] == row["duration_ns"]

    epoch = profile.tables.spans.start_ns[0] - 100 - begin
    inside = set(range(low, low + wide))
    window = profile.between(epoch + 100 + low, epoch + 100 + low + wide)
    assert window.unobserved_ns == len(lost & inside)
    for row in window.waiting().to_dict("records"):
        assert row["unobserved_ns"] == len(lost & set(range(begin, last)) & inside)
        assert row["tail_ns"] == len(set(range(last, end)) & inside)
        told = row["recorded_ns"] + row["unobserved_ns"] + row["tail_ns"]
        assert told == len(set(range(begin, end)) & inside)


STATE_NAMES = sorted(STATES)
ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(STATE_NAMES),
        st.integers(0, 4),
        st.integers(1, 60),
        st.integers(0, 60),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.lists(st.tuples(st.integers(0, 80), st.integers(1, 200)), min_size=4, max_size=4))
def test_against_the_obvious(rows, times):
    """Spans 1 and 4 are transactions; 2 lies in 1, and 3 in 2 with the same op and description."""
    drawing = Drawing(tick_ns=1)
    drawing.now = drawing.samples.start_ticks = 100
    drawing.thread(0, "MainThread")
    parents = {1: 0, 2: 1, 3: 2, 4: 0}
    for number, (begin, length) in enumerate(times, 1):
        texts = ("", "op", "text") if parents[number] else (f"job {number}", "task", "")
        start = SpanStart(number, parents[number], 100, *texts, begin)
        drawing.spans.started.append(start)
        drawing.spans.ended.append(SpanEnd(number, begin + length, "ok"))
    seen = []
    for thread, state, span, wall, cpu in rows:
        drawing.add_rows(10, [Seen(thread, "a", state, span, wall, cpu)])
        seen.append((drawing.now, state, span, wall, cpu))
    profile = drawing.profile()
    start = {number: times[number - 1][0] for number in parents}

    def expected(number, belongs):
        sums = Counter()
        for time, state, span, wall, cpu in seen:
            if span not in belongs:
                continue
            left = min(max(time - max(time - wall, start[number]), 0), wall)
            used = min(cpu, left)
            if STATES[state] in (State.UNKNOWN, State.RUNNING, State.GC):
                sums["on_cpu_ns"] += used
                sums["other_ns"] += left - used
            else:
                sums["blocked_ns" if state == "idle" else f"{state}_ns"] += left
        return [sums[name] for name in COLUMNS]

    inside = {1: {1, 2, 3}, 2: {2, 3}, 3: {3}, 4: {4}}
    for by in ("transaction", "span"):
        table = profile.waiting(by, instances=True).set_index("id")
        assert (table[list(COLUMNS)].sum(axis=1) == table["recorded_ns"]).all()
        for number, row in table.iterrows():
            assert row[list(COLUMNS)].tolist() == expected(number, inside[number])
    (once,) = profile.waiting("span").to_dict("records")
    assert [once[name] for name in COLUMNS] == expected(2, {2, 3})
    assert once["count"] == 2
    by_thread = profile.waiting("thread")
    assert by_thread["recorded_ns"].sum() == profile.all_states().total_ns
