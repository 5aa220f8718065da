"""Focus, hide, callers, callees, wall_any, time per transaction, and what is behind a row."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamespan.aggregator.data import HIDDEN
from flamespan.aggregator.wallany import _weigh
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import Flag, SpanEnd, SpanMeasurement, SpanStart, SpanTag
from helpers import oracle
from helpers.drawn import EPOCH_NS, Drawing, draw, folded, functions
from helpers.scenes import MS, shop

STACKS = st.lists(st.sampled_from("abcdS"), min_size=1, max_size=8).map(tuple)
SAMPLES = st.lists(st.tuples(STACKS, st.integers(1, 10**12)), min_size=1, max_size=30)
ORIGIN = {"S": "system", "d": "system"}
several = settings(max_examples=60, deadline=None)


def drawn(samples):
    return draw([(";".join(stack), weight) for stack, weight in samples], ORIGIN)


def totals(table):
    rows = zip(table["function"], table["self_ns"], table["total_ns"], strict=True)
    return {name: [own, total] for name, own, total in rows}


@several
@given(SAMPLES, st.sampled_from("abcdS"))
def test_focus(samples, function):
    expected = oracle.focus(samples, function)
    if not expected:
        return
    view = drawn(samples).focus(function)
    assert folded(view) == oracle.fold(expected)
    assert functions(view) == oracle.functions(expected)
    assert view.total_ns == functions(drawn(samples))[function][1]
    whole = drawn(samples).focus(function, callers=True)
    assert folded(whole) == oracle.fold([s for s in samples if function in s[0]])
    assert whole.folded() == drawn(samples).containing(function).folded()
    both = view.application_frames().collapse_recursion("cycles")
    assert both.functions(quick=True)["self_ns"].sum() == view.total_ns


@several
@given(SAMPLES, st.sets(st.sampled_from("abcdS"), min_size=1, max_size=3))
def test_hide(samples, hidden):
    names = {name for stack, _ in samples for name in stack}
    if not names & hidden:
        return
    view = drawn(samples).hide("^code.[" + "".join(sorted(hidden)) + "]$")
    expected = oracle.hide(samples, hidden, HIDDEN)
    assert folded(view) == oracle.fold(expected)
    assert functions(view) == oracle.functions(expected)
    assert view.total_ns == drawn(samples).total_ns
    one_by_one = drawn(samples)
    for name in sorted(names & hidden):
        one_by_one = one_by_one.hide(name)
    assert one_by_one.folded() == view.folded()
    for side in (view.application_frames(), view.system_frames()):
        assert side.functions(quick=True)["self_ns"].sum() == view.total_ns


def test_hide_and_focus_take_names_modules_files_globs_and_patterns():
    profile = shop().profile()
    for what in ("sort", "sort (/lib/code.py:1)", "so?t", re.compile("^code.sort$"), "s.rt$"):
        assert "sort" not in functions(profile.hide(what))
    assert set(functions(profile.hide("/lib/code.py"))) == {
        "main", "cart", "load_items", "render", "slow", "walk", "work",
    }  # fmt: skip
    assert set(functions(profile.hide("code"))) == {HIDDEN}
    assert set(functions(profile.focus("w[ao]?k"))) == {"walk", "work", "sort"}
    with pytest.raises(UsageError, match="no function 'sirt'; there is 'sort'"):
        profile.focus("sirt")
    with pytest.raises(UsageError, match="no function '<system>'"):
        profile.application_frames().focus("<system>")


@several
@given(SAMPLES, st.sampled_from("abcdS"))
def test_callers_and_callees(samples, function):
    profile = drawn(samples)
    if not oracle.focus(samples, function):
        return
    total = functions(profile)[function][1]
    for table, expected in (
        (profile.callers(function), oracle.callers(samples, function)),
        (profile.callees(function), oracle.callees(samples, function)),
    ):
        assert totals(table) == expected
        assert table["total_ns"].sum() == total
    around = profile.sandwich(function)
    assert [around.self_ns, around.total_ns] == functions(profile)[function]
    assert around.callers.total_ns[0] == around.callees.total_ns[0] == total
    down = oracle.tree(oracle.focus(samples, function))
    assert {path: pair for path, pair in paths(around.callees).items() if len(path) == 2} == {
        path: pair for path, pair in down.items() if len(path) == 2
    }
    above = [(stack[: stack.index(function) + 1], w) for stack, w in samples if function in stack]
    up = {path: pair[1] for path, pair in paths(around.callers).items()}
    assert up == oracle.bottom_up(above)


def paths(tree):
    path = [()]
    for node in range(1, len(tree)):
        path.append((*path[tree.parent[node]], tree.name(node)))
    return {path[n]: [int(tree.self_ns[n]), int(tree.total_ns[n])] for n in range(1, len(tree))}


def test_folded_recursion_is_no_callee_of_itself():
    profile = draw([("main;a;a;b", 5), ("main;a;a", 3)])
    assert totals(profile.callees("a")) == {"a": [3, 8]}
    folding = profile.collapse_recursion()
    assert totals(folding.callees("a")) == {"<itself>": [3, 3], "b": [5, 5]}
    assert totals(folding.callers("a")) == {"main": [3, 8]}


@several
@given(SAMPLES)
def test_call_paths(samples):
    profile = drawn(samples)
    table = profile.call_paths()
    rows = zip(table["path"], table["self_ns"], table["total_ns"], strict=True)
    found = {tuple(path.split(";")): [own, total] for path, own, total in rows}
    assert found == oracle.tree(samples)
    assert table["self_ns"].sum() == profile.total_ns
    order = list(zip(-table["self_ns"], -table["total_ns"], table["path"], strict=True))
    assert order == sorted(order)
    tree = profile.tree()
    assert tree.total_ns[table["node"]].tolist() == table["total_ns"].tolist()


@several
@given(SAMPLES)
def test_files_and_modules(samples):
    profile = drawn(samples)
    files = profile.files().set_index("file")
    assert files["self_ns"].sum() == profile.total_ns
    library = sum(weight for stack, weight in samples if {"S", "d"} & set(stack))
    assert files["total_ns"].get("/lib/code.py", 0) == library


THREADED = st.lists(
    st.tuples(st.integers(1, 9), st.lists(STACKS, min_size=1, max_size=3)), min_size=1, max_size=12
)


def threaded(passes):
    drawing, seen = Drawing(ORIGIN), []
    for thread in range(3):
        drawing.thread(thread, f"t{thread}")
    for wall, stacks in passes:
        drawing.add_pass(wall, [(i, ";".join(stack)) for i, stack in enumerate(stacks)])
        seen += [(drawing.now - wall, drawing.now, stack) for stack in stacks]
    return drawing.profile(), seen


@several
@given(THREADED)
def test_wall_any(passes):
    profile, seen = threaded(passes)
    table = profile.functions().set_index("function")
    assert table["wall_any_ns"].to_dict() == oracle.wall_any(seen)
    assert (table["wall_any_ns"] <= table["total_ns"]).all()
    cut = profile.between(EPOCH_NS + 3, EPOCH_NS + 17)
    inside = [(max(b, 3), min(e, 17), stack) for b, e, stack in seen if b < 17 and e > 3]
    found = cut.functions().set_index("function")["wall_any_ns"].to_dict()
    assert found == oracle.wall_any(inside)
    kept, _ = oracle.keep([(stack, 0) for *_, stack in seen], {"a", "b", "c"}, "<system>")
    app = [(begin, end, stack) for (begin, end, _), (stack, _) in zip(seen, kept, strict=True)]
    view = profile.application_frames().clock("cpu").functions().set_index("function")
    assert view["wall_any_ns"].to_dict() == oracle.wall_any(app)


MANY = st.integers(0, 199).map(lambda n: ("main", f"a{n % 90}", f"b{n % 70}", f"c{n}"))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 9), st.lists(MANY, max_size=3)), min_size=9, max_size=60))
def test_wall_any_of_more_functions_than_a_word_has_bits(passes):
    profile, seen = threaded(passes)
    found = profile.functions().set_index("function")["wall_any_ns"].to_dict()
    assert found == oracle.wall_any(seen)


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**58)), max_size=20))
def test_bits_are_weighed_exactly_however_long_they_lasted(moments):
    words = np.array([word for word, _ in moments], np.uint64)
    found = _weigh(words, np.array([length for _, length in moments], np.int64))
    for bit in range(64):
        assert found[bit] == sum(length for word, length in moments if word >> bit & 1)


def test_wall_any_of_many_functions():
    """More functions than bits in a word."""
    drawing = Drawing()
    drawing.thread(0, "t0")
    drawing.thread(1, "t1")
    for number in range(150):
        drawing.add_pass(10, [(0, f"main;f{number}"), (1, f"main;f{number + number % 2}")])
    table = drawing.profile().functions().set_index("function")["wall_any_ns"]
    assert table["main"] == 1500
    assert table["f0"] == 10
    assert table["f2"] == 20
    assert table["f1"] == 10


UNITS = st.lists(
    st.lists(st.tuples(STACKS, st.integers(1, 10**6)), max_size=6), min_size=1, max_size=9
)


def with_transactions(units, gap=0):
    """One transaction after the other; ``(unit, stack, weight)`` of every sample."""
    drawing, seen = Drawing(ORIGIN), []
    for number, samples in enumerate(units, 1):
        if gap:
            drawing.add_pass(gap, [(0, "a")])
        drawing.spans.started.append(
            SpanStart(number, 0, 100, f"job {number % 2}", "task", "", drawing.now)
        )
        for stack, weight in samples:
            drawing.add_pass(weight, [(0, ";".join(stack))], span=number)
            seen.append((number, stack, weight))
        drawing.spans.ended.append(SpanEnd(number, drawing.now, "ok"))
    if not drawing.samples:
        drawing.add_pass(5, [(0, "a")])
    return drawing.profile(), seen


@several
@given(UNITS, st.integers(0, 5))
def test_functions_per_transaction(units, gap):
    profile, seen = with_transactions(units, gap)
    for measure in ("total", "self"):
        counted = seen if measure == "total" else [(u, s[-1:], w) for u, s, w in seen]
        expected = oracle.per_unit(counted)
        table = profile.functions_per_transaction(measure=measure).set_index("function")
        assert set(table.index) == set(expected)
        for name, by_unit in expected.items():
            row, values = table.loc[name], list(by_unit.values())
            assert row["transactions"] == len(values)
            assert row["transaction_share"] == len(values) / len(units)
            assert row["sum_ns"] == sum(values)
            assert row["max_ns"] == max(values)
            for q in (50, 75, 95, 99):
                assert row[f"p{q}_ns"] == oracle.percentile(values, q / 100)


def test_a_function_and_its_transactions():
    units = [[(("a", "b"), 10), (("a",), 5)], [(("a",), 7)], [(("a", "b"), 30)]]
    profile, _ = with_transactions(units, gap=100)
    view = profile.containing("b")
    assert view.transactions(instances=True)["id"].tolist() == [1, 3]
    behind = profile.behind("function", profile.functions().set_index("function").loc[["b"]]
                            .reset_index().iloc[0])  # fmt: skip
    assert behind.samples()["wall_ns"].tolist() == [10, 30]
    assert behind.samples()["transaction_id"].tolist() == [1, 3]


@several
@given(SAMPLES)
def test_behind_every_row_are_its_samples(samples):
    profile = drawn(samples)
    for by, table in (
        ("function", profile.functions()),
        ("line", profile.lines()),
        ("module", profile.modules()),
        ("file", profile.files()),
        ("path", profile.call_paths()),
    ):
        for row in table.to_dict("records"):
            view = profile.behind(by, row)
            assert view.total_ns == row["total_ns"]
            assert len(view.samples()) == row["samples"]
            assert view.samples()["weight_ns"].sum() == row["total_ns"]
    app = profile.application_frames()
    for row in app.functions().to_dict("records"):
        assert app.behind("function", row).total_ns == row["total_ns"]
    name = samples[0][0][-1]
    for by, table in (("callers", profile.callers(name)), ("callees", profile.callees(name))):
        for row in table.to_dict("records"):
            assert profile.behind(by, row, of=name).total_ns == row["total_ns"]


def test_behind_rows_of_other_tables():
    profile = shop().profile()
    for by, table, column in (
        ("thread", profile.threads(), "samples"),
        ("process", profile.process_table(), "samples"),
        ("transaction", profile.transactions(), "samples"),
        ("transaction", profile.transactions(instances=True), "samples"),
        ("span", profile.spans(), "samples"),
        ("span", profile.spans(instances=True), "samples"),
        ("gap", profile.gaps(), "samples"),
    ):
        assert len(table)
        for row in table.to_dict("records"):
            view = profile.all_states().behind(by, row)
            assert len(view.samples()) == row[column]
    exclusive = profile.op_breakdown().set_index("op")["exclusive_ns"]
    for row in profile.op_breakdown().to_dict("records"):
        assert profile.behind("op", row).total_ns == exclusive[row["op"]]
    with pytest.raises(UsageError, match="a row of callers needs the function they are callers of"):
        profile.behind("callers", profile.callers("sort").iloc[0])
    row = profile.measurements().iloc[0]
    assert profile.behind("measurement", row).transactions()["transaction"].tolist() == [
        "GET /cart"
    ]
    with pytest.raises(UsageError, match="no table 'colour' with rows to look behind"):
        profile.behind("colour", {})
    with pytest.raises(UsageError, match="a row of the function table has a column 'function'"):
        profile.behind("function", profile.threads().iloc[0])


def test_samples_say_everything():
    table = shop().profile().all_states().samples()
    assert len(table) == 48
    assert table["time_ns"].is_monotonic_increasing
    first = table[table["span"] >= 0].iloc[0].to_dict()
    assert first == {
        "time_ns": EPOCH_NS + 110 * MS, "pid": 7, "thread": "MainThread", "state": "running",
        "wall_ns": 10 * MS, "cpu_ns": 6 * MS, "weight_ns": 10 * MS, "transaction": "GET /cart",
        "transaction_id": 1, "op": "http.server", "span": 0, "function": "cart",
        "module": "code", "file": "/app/code.py", "line": 12, "stack": "main;run;cart", "flags": "",
    }  # fmt: skip


def test_the_gil_clock():
    drawing = Drawing()
    drawing.add_pass(10, [(0, "main;a")], flags=Flag.HOLDS_GIL)
    drawing.add_pass(20, [(0, "main;b")], flags=Flag.LATE)
    drawing.add_pass(30, [(0, "main;c")], flags=Flag.HOLDS_GIL | Flag.LATE)
    profile = drawing.profile().clock("gil")
    assert functions(profile) == {"main": [0, 40], "a": [10, 10], "b": [0, 0], "c": [30, 30]}
    assert profile.total_ns == 40
    assert profile.caveats == []
    untold = draw([("a", 5)]).clock("gil")
    assert untold.total_ns == 0
    assert "no sample here says that its thread held the GIL" in untold.caveats[0]


def test_tags():
    drawing = Drawing()
    for number, (start, value) in enumerate([(0, "ann"), (100, "bob"), (200, "anna")], 1):
        drawing.spans.started.append(SpanStart(number, 0, 100, "job", "task", "", start))
        drawing.spans.ended.append(SpanEnd(number, start + 90, "ok"))
        drawing.spans.tags.append(SpanTag(number, "user", value))
    drawing.spans.started.append(SpanStart(9, 2, 100, "", "db", "select", 120))
    drawing.spans.tags.append(SpanTag(9, "rows", "12"))
    for stack, span in (("a", 1), ("b", 2), ("c", 9), ("d", 3)):
        drawing.add_pass(50 if span != 3 else 100, [(0, stack)], span=span)
    profile = drawing.profile()
    assert set(functions(profile.tag("user", "bob"))) == {"b", "c"}
    assert set(functions(profile.tag("user", "ann*"))) == {"a", "d"}
    assert set(functions(profile.tag("user"))) == {"a", "b", "c", "d"}
    # Counted from where the span that has the tag begins.
    assert functions(profile.tag("rows")) == {"c": [30, 30]}
    assert profile.tag("user", "bob").transactions()["count"].tolist() == [1]
    with pytest.raises(UsageError, match="no tag 'usr'; there is 'user'"):
        profile.tag("usr")
    with pytest.raises(UsageError, match="no tag user with the value 'bib'; there is 'bob'"):
        profile.tag("user", "bib")


def test_measurements():
    drawing = Drawing()
    for number, value in enumerate([3.0, 1.0, 2.0], 1):
        drawing.spans.started.append(SpanStart(number, 0, 100, "job", "task", "", number))
        drawing.spans.measurements.append(SpanMeasurement(number, "size", value, "byte"))
    drawing.add_pass(10, [(0, "a")], span=1)
    profile = drawing.profile()
    assert profile.measurements().to_dict("records") == [{
        "transaction": "job", "op": "task", "measurement": "size", "unit": "byte",
        "count": 3, "sum": 6.0, "mean": 2.0, "min": 1.0, "p50": 2.0, "p95": 3.0, "max": 3.0,
    }]  # fmt: skip
    each = profile.measurements(instances=True)
    assert each[["id", "value"]].to_numpy().tolist() == [[1, 3.0], [2, 1.0], [3, 2.0]]
    assert draw([("a", 1)]).measurements().empty


def test_processes():
    (row,) = shop().profile().process_table().to_dict("records")
    assert (row["pid"], row["threads"], row["samples"], row["wall_ns"]) == (7, 2, 48, 480 * MS)
    assert (row["idle_ns"], row["running_ns"], row["cpu_ns"]) == (120 * MS, 360 * MS, 216 * MS)
    assert row["duration_ns"] == 400 * MS
