"""Who had the GIL while others waited: joined by time, exact, nobody charged without evidence."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flamespan.aggregator.gil import NONE_SEEN, OUTSIDE
from flamespan.profiler.errors import UsageError
from helpers import waits
from helpers.drawn import Drawing, Seen
from helpers.waits import MS


@pytest.fixture(scope="module")
def profile():
    return waits.gil().profile()


def pairs(table, who="function"):
    rows = zip(table[who], table["holder"], table["wait_ns"], strict=True)
    return {(waiter, holder): ns for waiter, holder, ns in rows}


def test_holders_by_function(profile):
    table = profile.gil_holders()
    assert pairs(table) == {
        ("victim_a", "sorted"): 40 * MS,
        ("victim_a", NONE_SEEN): 10 * MS,
        ("victim_a", "victim_b"): 10 * MS,
        ("victim_b", "sorted"): 40 * MS,
        ("victim_b", NONE_SEEN): 10 * MS,
    }
    assert table["function"].tolist() == ["victim_a"] * 3 + ["victim_b"] * 2
    assert table["share"].tolist() == pytest.approx([2 / 3, 1 / 6, 1 / 6, 0.8, 0.2])
    assert table["holder_file"].tolist()[0] == "/lib/code.py"
    waiting = profile.waiting("function").set_index("function")["gil_wait_ns"]
    assert table.groupby("function")["wait_ns"].sum().to_dict() == waiting[waiting > 0].to_dict()


def test_the_application_view_names_who_called_the_long_call(profile):
    table = profile.application_frames().gil_holders()
    assert set(table["holder"]) == {"sort_all", "victim_b", NONE_SEEN}


def test_holders_are_found_outside_of_the_view(profile):
    """A transaction is cut to its start, and whoever held the GIL is no part of it."""
    view = profile.transaction("GET /victim")
    assert pairs(view.gil_holders("transaction"), "transaction") == {
        ("GET /victim", "sorted"): 20 * MS,
        ("GET /victim", NONE_SEEN): 10 * MS,
        ("GET /victim", "victim_b"): 10 * MS,
    }
    assert pairs(profile.gil_holders("transaction"), "transaction") == pairs(
        view.gil_holders("transaction"), "transaction"
    )
    assert pairs(profile.thread("victim-b").gil_holders("thread"), "thread") == {
        ("victim-b", "sorted"): 40 * MS,
        ("victim-b", NONE_SEEN): 10 * MS,
    }


def test_a_span_waits_from_its_start_on(profile):
    for each in (False, True):
        table = profile.gil_holders("span", instances=each)
        assert pairs(table, "op") == {
            ("template", NONE_SEEN): 10 * MS,
            ("template", "victim_b"): 10 * MS,
        }
    assert table["id"].tolist() == [2, 2]
    (row,) = profile.waiting("span").to_dict("records")
    assert row["gil_wait_ns"] == 20 * MS


def test_hogs(profile):
    table = profile.gil_hogs()
    rows = zip(table["function"], table["held_ns"], table["wait_ns"], strict=True)
    assert list(rows) == [
        ("sorted", 40 * MS, 80 * MS),
        (NONE_SEEN, 0, 20 * MS),
        ("victim_b", 10 * MS, 10 * MS),
    ]
    assert table["share"].sum() == pytest.approx(1)
    assert profile.gil_hogs("thread")["thread"].tolist() == ["hog", NONE_SEEN, "victim-b"]
    assert profile.gil_hogs("transaction")["transaction"].tolist() == [OUTSIDE, NONE_SEEN]


def test_without_any_waiting(profile):
    drawing = Drawing()
    drawing.add_pass(10, [(0, "main")])
    quiet = drawing.profile()
    for table in (quiet.gil_holders(), quiet.gil_hogs("thread")):
        assert not len(table)
        assert "wait_ns" in table
    with pytest.raises(UsageError, match="no holders by 'span'"):
        profile.gil_hogs("span")


def test_interpreters_with_a_gil_of_their_own():
    drawing = Drawing(tick_ns=1)
    drawing.thread(0, "a")
    drawing.thread(1, "b")
    drawing.thread(2, "c (interpreter 1)")
    drawing.thread(3, "d (interpreter 1)")
    holding = [Seen(0, "hog_0", holds=True), Seen(2, "hog_1", holds=True)]
    drawing.add_rows(10, [*holding, Seen(1, "b", "gil_wait"), Seen(3, "d", "gil_wait")])
    assert pairs(drawing.profile().gil_holders()) == {("b", "hog_0"): 10, ("d", "hog_1"): 10}


PASSES = st.lists(
    st.tuples(
        st.integers(1, 12),
        st.sampled_from([None, 0, 1, 2]),
        st.integers(0, 2),
        st.lists(st.tuples(st.sampled_from([3, 4]), st.integers(1, 40)), max_size=2),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=80, deadline=None)
@given(PASSES)
@example([(1, 0, 0, [(3, 2)]), (1, 0, 2, [])])  # the later holder's row reaches back further
def test_against_every_nanosecond(passes):
    """The holder of a nanosecond is who was seen first after it with a row that covers it."""
    drawing = Drawing(tick_ns=1)
    drawing.now = drawing.samples.start_ticks = 1000
    for index in range(5):
        drawing.thread(index, f"thread {index}")
    held, waited = [], []
    for wall, holder, owed, waiters in passes:
        seen = []
        if holder is not None:
            seen.append(Seen(holder, f"hog_{holder}", holds=True, wall=wall + owed))
        seen += [Seen(t, f"victim_{t}", "gil_wait", wall=long) for t, long in waiters]
        drawing.add_rows(wall, seen)
        if holder is not None:
            held.append((drawing.now - wall - owed, drawing.now, f"hog_{holder}"))
        waited += [(drawing.now - long, drawing.now, f"victim_{t}") for t, long in waiters]

    def holder_at(time):
        covering = [row for row in held if row[0] < time <= row[1]]
        return min(covering, key=lambda row: row[1])[2] if covering else NONE_SEEN

    expected, anyone = Counter(), {}
    for begin, end, victim in waited:
        for time in range(begin + 1, end + 1):
            expected[victim, holder_at(time)] += 1
            anyone[time] = holder_at(time)
    profile = drawing.profile()
    assert pairs(profile.gil_holders()) == expected
    hogs = profile.gil_hogs().set_index("function")
    caused = Counter()
    for (_, holder), ns in expected.items():
        caused[holder] += ns
    assert hogs["wait_ns"].to_dict() == caused
    held_ns = Counter(name for name in anyone.values() if name != NONE_SEEN)
    assert {name: ns for name, ns in hogs["held_ns"].items() if ns} == held_ns
