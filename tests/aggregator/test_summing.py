"""Large recordings are summed as they are read: every table, tree and sum stays what it was."""

from __future__ import annotations

import warnings
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamespan.aggregator import diff, exporting, load
from flamespan.aggregator.decode import read_content
from flamespan.aggregator.questions import QUESTIONS
from flamespan.profiler.__main__ import main
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import Flag, SpanEnd, SpanStart
from helpers.drawn import Drawing
from helpers.scenes import shop

VIEWS = {
    "all": lambda p: p,
    "every state": lambda p: p.all_states(),
    "transaction": lambda p: p.transaction("GET *"),
    "in transactions": lambda p: p.in_transactions(),
    "outside": lambda p: p.outside_transactions(),
    "span": lambda p: p.span("db.*"),
    "thread": lambda p: p.thread(0),
    "application": lambda p: p.application_frames(),
    "recursion": lambda p: p.collapse_recursion("cycles"),
    "cpu": lambda p: p.clock("cpu"),
    "wait": lambda p: p.clock("wait"),
    "gil": lambda p: p.clock("gil"),
}
TABLES = {
    "functions": lambda p: timed_left_out(p, p.functions()),
    "lines": lambda p: timed_left_out(p, p.lines()),
    "modules": lambda p: timed_left_out(p, p.modules()),
    "files": lambda p: timed_left_out(p, p.files()),
    "quick functions": lambda p: p.functions(quick=True),
    "in a transaction": lambda p: timed_left_out(p, p.in_transactions().functions(), inside=True),
    "per transaction": lambda p: p.functions_per_transaction(),
    "self per transaction": lambda p: p.functions_per_transaction(measure="self"),
    "threads": lambda p: p.threads(),
    "processes": lambda p: p.process_table(),
    "call paths": lambda p: timed_left_out(p, p.call_paths()),
    "measurements": lambda p: p.measurements(),
    "waiting": lambda p: p.waiting(),
    "waiting of each": lambda p: p.waiting(instances=True),
    "waiting by span": lambda p: p.waiting("span"),
    "waiting by each span": lambda p: p.waiting("span", instances=True),
    "waiting by function": lambda p: p.waiting("function"),
    "waiting by thread": lambda p: p.waiting("thread"),
    "transactions": lambda p: p.transactions(),
    "each transaction": lambda p: p.transactions(instances=True),
    "spans": lambda p: p.spans(),
    "each span": lambda p: p.spans(instances=True),
    "ops": lambda p: p.op_breakdown(),
}


def timed_left_out(profile, table, *, inside=False):
    """The columns that need no single samples: of what is outside transactions no intervals."""
    table = table.drop(columns="wall_any_ns", errors="ignore")
    if inside or not (profile.selected.span < 0).any():
        return table
    return table.drop(columns=[name for name in table if name.endswith(("_low", "_high"))])


def both(path):
    return load(path, keep_samples=True), load(path, keep_samples=False)


@pytest.fixture
def recorded(tmp_path):
    return shop().write(tmp_path / "shop.fspan")


def same(kept, summed):
    for name, table in TABLES.items():
        assert table(kept).equals(table(summed)), name
    assert kept.folded() == summed.folded()
    assert kept.total_ns == summed.total_ns
    assert kept.excluded_ns == summed.excluded_ns
    assert kept.duration_ns == summed.duration_ns
    for direction in ("top-down", "bottom-up"):
        a, b = kept.tree(direction), summed.tree(direction)
        for column in ("parent", "function", "self_ns", "total_ns", "samples"):
            assert (getattr(a, column) == getattr(b, column)).all()


@pytest.mark.parametrize("view", VIEWS)
def test_every_table_is_the_same(recorded, view):
    kept, summed = both(recorded)
    assert len(summed.rows) < len(kept.rows)
    same(VIEWS[view](kept), VIEWS[view](summed))


@pytest.mark.parametrize("function", ["render", "run"])
def test_callers_and_callees_are_the_same(recorded, function):
    kept, summed = both(recorded)
    assert len(kept.callers(function))
    assert kept.callers(function).equals(summed.callers(function))
    assert kept.callees(function).equals(summed.callees(function))
    row = kept.functions().set_index("function", drop=False).loc[function]
    behind = (p.behind("function", row).functions(quick=True) for p in (kept, summed))
    assert next(behind).equals(next(behind))


def thirty_transactions():
    """A thread in one transaction after another, and a second thread that holds the GIL."""
    d = Drawing()
    d.thread(0, "one")
    d.thread(1, "two")
    d.add_pass(10**7, [(0, "a"), (1, "c")], flags=int(Flag.HOLDS_GIL))
    for number in range(1, 31):
        began = d.now
        for step in range(6):
            stack = "a;b" if (number + step) % 3 else "a;c"
            flags = int(Flag.HOLDS_GIL) if step % 2 else 0
            state = "gil_wait" if step == 2 else "running"
            d.add_pass(10**7, [(0, stack)], state=state, span=number, cpu=10**6 * step, flags=flags)
        d.spans.started.append(SpanStart(number, 0, 100, f"GET /{number % 2}", "http", "", began))
        d.spans.ended.append(SpanEnd(number, d.now + 1000, "ok"))
    return d


def test_intervals_of_transactions_are_the_same(tmp_path):
    kept, summed = both(thirty_transactions().write(tmp_path / "x.fspan"))
    inside = kept.in_transactions().functions()
    assert inside["self_share_low"].notna().all()
    same(kept, summed)
    same(kept.clock("gil"), summed.clock("gil"))
    assert kept.clock("gil").total_ns > 0
    # Outside of transactions nothing tells how sure a share is, and that is said.
    assert summed.functions()["self_share_low"].isna().all()
    assert any("--keep-samples" in caveat for caveat in summed.caveats)
    assert not any("--keep-samples" in caveat for caveat in summed.in_transactions().caveats)


def test_a_comparison_of_transactions_is_the_same(tmp_path):
    kept, summed = both(thirty_transactions().write(tmp_path / "x.fspan"))
    assert diff(kept, kept).equals(diff(summed, summed))
    assert diff(kept, kept)["p_value"].notna().any()


def test_a_comparison_without_transactions_has_too_few_to_tell(tmp_path):
    d = Drawing()
    d.thread(0, "one")
    for _ in range(20):
        d.add_pass(10**10, [(0, "a;b")], state="running")
        d.add_pass(10**9, [(0, "a;c")], state="running")
    kept, summed = both(d.write(tmp_path / "x.fspan"))
    assert set(diff(kept, kept)["verdict"]) == {"same"}
    assert set(diff(summed, summed)["verdict"]) == {"too few to tell"}


def facts(profile):
    said = profile.info()
    del said["summed"]
    return said


def test_info_says_so_and_counts_the_same(recorded):
    kept, summed = both(recorded)
    assert (kept.info()["summed"], summed.info()["summed"]) == (False, True)
    assert facts(kept) == facts(summed)


@pytest.mark.parametrize(
    "ask",
    [
        lambda p: p.between(0, 1),
        lambda p: p.gaps(),
        lambda p: p.samples(),
        lambda p: p.gil_holders(),
        lambda p: p.gil_hogs(),
        lambda p: exporting.export(p, "speedscope", "/dev/null"),
        lambda p: exporting.export(p, "firefox", "/dev/null"),
        lambda p: exporting.export(p, "html", "/dev/null"),
    ],
)
def test_what_needs_single_samples_says_how_to_keep_them(recorded, ask):
    with pytest.raises(UsageError, match="--keep-samples"):
        ask(load(recorded, keep_samples=False))


@pytest.mark.parametrize("name", ["collapsed", "speedscope-merged", "pprof", "parquet"])
def test_exports_without_times_are_the_same(recorded, tmp_path, name):
    if name == "parquet":
        pytest.importorskip("pyarrow.parquet", reason="needs pyarrow: flamespan[arrow]")
    kept, summed = both(recorded)
    for profile, path in ((kept, tmp_path / "kept"), (summed, tmp_path / "summed")):
        exporting.export(profile, name, path)
    assert (tmp_path / "kept").read_bytes() == (tmp_path / "summed").read_bytes()


def test_large_files_are_summed_unless_told(recorded, monkeypatch):
    assert load(recorded).rows.summed is None
    monkeypatch.setitem(load.__globals__, "KEEP_BYTES", 10)
    assert load(recorded).rows.summed is not None
    assert load(recorded, keep_samples=True).rows.summed is None


def test_a_summed_and_a_foreign_recording_go_together(recorded, tmp_path):
    other = tmp_path / "x.txt"
    other.write_text("a;b 5\n")
    kept, summed = (load(recorded, other, keep_samples=keep) for keep in (True, False))
    assert kept.folded() == summed.folded()
    assert kept.info()["samples"] == summed.info()["samples"]


passes = st.lists(
    st.tuples(
        st.integers(0, 10**10),
        st.lists(st.sampled_from(["a", "a;b", "a;b;a", "c", ""]), min_size=1, max_size=2),
        st.sampled_from(["running", "idle", "gil_wait"]),
        st.integers(0, 3),
        st.integers(0, 2 * 10**10),
    ),
    min_size=1,
    max_size=25,
)


@given(passes, st.integers(1, 4), st.integers(1, 20), st.sampled_from(list(VIEWS)))
@settings(max_examples=60, deadline=None)
def test_any_recording_in_runs_of_any_size(tmp_path_factory, drawn, run, most, view):
    path = tmp_path_factory.mktemp("summing") / "x.fspan"
    d = Drawing()
    d.thread(0, "one")
    d.thread(1, "two")
    starts = {}
    for wall, stacks, state, span, cpu in drawn:
        d.add_pass(wall, list(enumerate(stacks)), state=state, span=span, cpu=cpu)
        starts.setdefault(span, d.now - wall // 2)  # a span begins between two passes
    starts[1] = min(starts.get(1, d.now), starts.get(2, d.now))
    for number, parent in ((1, 0), (2, 1), (3, 0)):
        name, op = ("", "db.query") if parent else (f"GET /{number}", "http")
        begin = starts.get(number, d.now)
        d.spans.started.append(SpanStart(number, parent, 100, name, op, "", begin))
        d.spans.ended.append(SpanEnd(number, d.now, "ok"))
    d.write(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flamespan.aggregator.decode._RUN", run)
        patch.setattr("flamespan.aggregator.summing._MOST_ROWS", most)
        kept, summed = both(path)
        same(VIEWS[view](kept), VIEWS[view](summed))


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        (["report", "--by", "function"], False),
        (["report", "--by", "function", "--keep-samples"], True),
        (["report", "--by", "gap"], True),
        (["report", "--by", "sample"], True),
        (["report", "--by", "gil-holders-span"], True),
        (["report", "--by", "gil-hogs"], True),
        (["report", "--by", "waiting"], False),
        (["report", "--by", "line", "--between", "0s..1s"], True),
        (["export", "-f", "pprof", "-o", "/dev/null"], False),
        (["export", "-f", "firefox", "-o", "/dev/null"], True),
        (["export", "-f", "html", "-o", "/dev/null"], True),
        (["plot", "--kind", "self-time", "-o", "OUT.svg"], False),
        (["plot", "--kind", "timeline", "-o", "OUT.svg"], True),
    ],
)
def test_commands_keep_samples_where_they_need_them(recorded, monkeypatch, tmp_path, command, kept):
    monkeypatch.setitem(load.__globals__, "KEEP_BYTES", 10)
    seen = []

    def reads(reader, *, keep_samples):
        seen.append(keep_samples)
        return read_content(reader, keep_samples=keep_samples)

    monkeypatch.setitem(load.__globals__, "read_content", reads)
    words = [word.replace("OUT", str(tmp_path / "out")) for word in command]
    assert main([words[0], str(recorded), *words[1:]]) == 0
    assert seen == [kept]


@pytest.mark.parametrize("shape", ["table", "json"])
@pytest.mark.parametrize("by", QUESTIONS)
def test_every_question_is_answered_of_a_large_recording(recorded, monkeypatch, capsys, by, shape):
    monkeypatch.setitem(load.__globals__, "KEEP_BYTES", 10)
    words = ["report", str(recorded), "--by", by, "--function", "render", "--format", shape]
    assert main(words) == 0
    assert capsys.readouterr().out


def test_time_asleep_is_not_unobserved(tmp_path):
    d = Drawing()
    d.thread(0, "one")
    for _ in range(3):
        d.add_pass(100, [(0, "a")])
    d.samples.pass_unobserved[1] = 70
    d.samples.pass_asleep = array("q", [0, 50, 0])
    tick_ns = d.samples.tick_ns
    for profile in both(d.write(tmp_path / "x.fspan")):
        assert profile.unobserved_ns == 20 * tick_ns
        assert profile.processes[0].asleep_ns == 50 * tick_ns
    start = profile.rows.time_ns[0]
    for end, unobserved in ((40, 0), (50, 0), (60, 10), (70, 20), (300, 20)):
        window = load(tmp_path / "x.fspan").between(start, start + end * tick_ns)
        assert window.unobserved_ns == unobserved * tick_ns


def test_every_format_that_needs_single_samples_is_marked(recorded, tmp_path):
    pytest.importorskip("pyarrow.parquet", reason="needs pyarrow: flamespan[arrow]")
    summed = load(recorded, keep_samples=False)
    refused = set()
    for name in exporting.FORMATS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exporting.export(summed, name, tmp_path / "x")
        except UsageError:
            refused.add(name)
    assert refused == {name for name, how in exporting.FORMATS.items() if how.timed}
