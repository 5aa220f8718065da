"""What each text format holds: sums stay whole, files are readable by their own rules."""

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamespan.aggregator import exporting, load
from helpers import golden, speedscope_rules, waits
from helpers.drawn import Drawing, draw, folded
from helpers.scenes import MS, close_span, open_span, shop

VIEWS = {
    "all": lambda p: p,
    "one transaction": lambda p: p.transaction("GET /slow"),
    "application": lambda p: p.application_frames(),
    "collapsed recursion": lambda p: p.collapse_recursion("cycles"),
    "every state": lambda p: p.all_states(),
    "cpu": lambda p: p.clock("cpu"),
    "wait": lambda p: p.clock("wait"),
    "one thread": lambda p: p.thread("worker-1"),
    "nothing": lambda p: p.states("gc"),
}


@pytest.fixture(scope="module")
def profile():
    return shop().profile()


def text(profile, name):
    file = io.StringIO()
    exporting.write(profile, name, file)
    return file.getvalue()


def weights_by_thread(profile):
    names = [row.name for row in profile.tables.threads]
    found = {}
    for thread, weight in zip(profile.selected.thread, profile.weights_ns, strict=True):
        found[names[thread]] = found.get(names[thread], 0) + int(weight)
    return {name: weight for name, weight in found.items() if weight}


@pytest.mark.parametrize("view", VIEWS)
def test_collapsed_sums_to_the_total_and_comes_back_equal(profile, view, tmp_path):
    shown = VIEWS[view](profile)
    lines = text(shown, "collapsed").splitlines()
    assert lines == sorted(lines, key=lambda line: line.rpartition(" ")[0])
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == shown.total_ns
    if not lines:
        return
    path = tmp_path / "x.collapsed.txt"
    exporting.export(shown, "collapsed", path)
    assert load(path).folded() == shown.folded()


def test_collapsed_keeps_what_parts_frames_and_lines_out_of_names(tmp_path):
    profile = draw([("plain;two words", 5), ("<b\nc\r\u2028d>", 2), ("", 4), ("<f (x)>", 1)])
    profile.tables.function_name[profile.tables.function_name.index("plain")] = "od;d\n"
    profile.tables.function_name[profile.tables.function_name.index("<f (x)>")] = "f (x)"
    written = text(profile, "collapsed")
    assert written.split("\n") == [
        "<b c  d> 2",
        "<no stack> 4",
        "f (x) (:0) 1",
        "od:d  (/app/code.py:1);two words (/app/code.py:1) 5",
        "",
    ]
    path = tmp_path / "x.txt"
    path.write_text(written)
    assert "f (x)" in load(path).folded()


def test_suspended_tasks_are_in_merged_formats_and_not_in_time_order():
    """Several tasks of one thread wait at once: no order of one thread can hold that."""
    tasks = waits.tasks().profile().all_states()
    assert tasks.total_ns == 220 * MS
    lines = text(tasks, "collapsed").splitlines()
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == 220 * MS
    assert sum(json.loads(text(tasks, "json"))["tree"]["self_ns"]) == 220 * MS
    with pytest.warns(UserWarning, match=r"0\.120 s of suspended tasks left out"):
        data = json.loads(text(tasks, "speedscope"))
    (thread,) = data["profiles"]
    shown = zip(thread["samples"], thread["weights"], strict=True)
    assert sum(weight for stack, weight in shown if stack) == 100 * MS
    assert thread["endValue"] == 100 * MS
    names = {frame["name"] for frame in data["shared"]["frames"]}
    assert "recv" not in names


@pytest.mark.parametrize("view", VIEWS)
def test_speedscope_follows_the_format_and_keeps_each_threads_weight(profile, view):
    shown = VIEWS[view](profile)
    data = speedscope_rules.check(text(shown, "speedscope"))
    busy = {}
    for thread in data["profiles"]:
        pairs = zip(thread["samples"], thread["weights"], strict=True)
        busy[thread["name"]] = sum(weight for sample, weight in pairs if sample)
    expected = weights_by_thread(shown)
    assert busy == (expected or {"nothing in view": 0})
    assert busy[data["profiles"][data["activeProfileIndex"]]["name"]] == max(busy.values())
    names = [(f["name"], f.get("file")) for f in data["shared"]["frames"]]
    assert len(names) == len(set(names))
    assert speedscope_rules.folded(data) == folded(shown)


def test_speedscope_threads_share_one_time_axis(profile):
    data = speedscope_rules.check(text(profile, "speedscope"))
    main, worker = data["profiles"]
    assert (main["name"], worker["name"]) == ("MainThread", "worker-1")
    assert main["endValue"] == worker["endValue"] == 280 * MS
    names = [f["name"] for f in data["shared"]["frames"]]
    said = [([names[i] for i in sample], weight // MS) for sample, weight in _samples(worker)]
    assert said == [([], 200), (["run", "work", "sort"], 80)]
    everything = speedscope_rules.check(text(profile.all_states(), "speedscope"))
    assert [p["endValue"] for p in everything["profiles"]] == [400 * MS, 400 * MS]


def test_speedscope_shows_other_transactions_as_idle():
    d = Drawing()
    for number, start in ((1, 0), (2, 10), (3, 20)):
        open_span(d, number, 0, start, "even" if number % 2 == 0 else "odd", "task")
        d.spans.ended.append(close_span(number, start + 10))
        d.add_pass(10 * MS, [(0, "main;work")], span=number)
    data = speedscope_rules.check(text(d.profile().transaction("odd"), "speedscope"))
    assert list(_samples(data["profiles"][0])) == [
        ([0, 1], 10 * MS),
        ([], 10 * MS),
        ([0, 1], 10 * MS),
    ]


def test_speedscope_tells_threads_of_one_name_apart():
    d = Drawing()
    d.thread(0, "worker")
    d.thread(1, "worker")
    d.add_pass(10, [(0, "a"), (1, "b")])
    data = speedscope_rules.check(text(d.profile(), "speedscope"))
    assert [p["name"] for p in data["profiles"]] == ["worker (200)", "worker (201)"]


def test_speedscope_warns_of_timelines_that_are_too_long(profile, monkeypatch):
    monkeypatch.setattr("flamespan.aggregator.exporting.speedscope.MANY_SAMPLES", 3)
    with pytest.warns(UserWarning, match="a thread has 5 samples"):
        text(profile, "speedscope")


@pytest.mark.parametrize("name", ["speedscope", "speedscope-merged"])
def test_speedscope_warns_of_stacks_that_are_too_deep(name, monkeypatch):
    monkeypatch.setattr("flamespan.aggregator.exporting.speedscope.DEEPEST", 3)
    text(draw([("a;b;c", 1)]), name)
    with pytest.warns(UserWarning, match="a stack has 4 frames"):
        text(draw([("a;b;c;d", 1)]), name)


passes = st.lists(
    st.tuples(
        st.integers(0, 50),
        st.lists(st.sampled_from(["a", "a;b", "c", ""]), min_size=2, max_size=2),
        st.sampled_from(["running", "idle", "gil_wait"]),
    ),
    min_size=1,
    max_size=12,
)


@given(passes)
@settings(max_examples=60, deadline=None)
def test_speedscope_is_exact_for_any_recording(drawn):
    d = Drawing()
    d.thread(0, "one")
    d.thread(1, "two")
    for wall, stacks, state in drawn:
        d.add_pass(wall, list(enumerate(stacks)), state=state)
    profile = d.profile()
    data = speedscope_rules.check(text(profile, "speedscope"))
    total = sum(w for p in data["profiles"] for s, w in _samples(p) if s)
    assert total == profile.total_ns
    assert len({p["endValue"] for p in data["profiles"]}) == 1


def _samples(thread):
    return zip(thread["samples"], thread["weights"], strict=True)


def test_csv_is_the_functions_table(profile):
    rows = list(csv.DictReader(io.StringIO(text(profile, "csv"))))
    table = profile.functions()
    assert [row["function"] for row in rows] == list(table["function"])
    assert sum(int(row["self_ns"]) for row in rows) == profile.total_ns


@pytest.mark.parametrize("view", VIEWS)
def test_json_holds_whole_sums_and_a_tree_over_its_functions(profile, view):
    shown = VIEWS[view](profile)
    data = json.loads(text(shown, "json"))
    tree = data["tree"]
    assert data["info"]["total_ns"] == shown.total_ns == sum(tree["self_ns"])
    assert sum(row["self_ns"] for row in data["functions"]) == shown.total_ns
    assert len({len(tree[name]) for name in tree if name != "direction"}) == 1
    assert tree["function"][0] == -1
    assert all(0 <= f < len(data["functions"]) for f in tree["function"][1:])
    own = {}
    for function, weight in zip(tree["function"][1:], tree["self_ns"][1:], strict=True):
        name = data["functions"][function]["function"]
        own[name] = own.get(name, 0) + weight
    assert own == {row["function"]: row["self_ns"] for row in data["functions"]}


@pytest.mark.parametrize(
    "name", ["collapsed", "speedscope", "speedscope-merged", "firefox", "chrome", "sentry", "csv"]
)
def test_golden(profile, name, monkeypatch):
    monkeypatch.setattr(exporting, "version", lambda: "0")
    golden.check(f"shop{exporting.FORMATS[name].suffix}", text(profile, name))
