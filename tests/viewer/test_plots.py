"""matplotlib figures: what is drawn, where, and what happens without matplotlib."""

import io
import subprocess
import sys

import numpy as np
import pytest

from flamespan.aggregator import compare
from flamespan.aggregator.timeline import timelines
from flamespan.profiler.errors import UsageError
from flamespan.viewer import layout, plots
from helpers import pictures, waits
from helpers.drawn import Drawing, draw
from helpers.scenes import MS, close_span, open_span, shop

figure = pytest.importorskip("matplotlib.figure")
text = pytest.importorskip("matplotlib.text")


@pytest.fixture(scope="module")
def profile():
    return shop().profile()


def rectangles(ax):
    """(left, right, row) of every box, in the order of the collection."""
    (boxes,) = ax.collections
    found = [path.get_extents() for path in boxes.get_paths()]
    return [(box.x0, box.x1, round(box.y0 - 0.06)) for box in found]


def labels(ax):
    return [text.get_text() for text in ax.texts]


def test_the_merged_flame_graph_has_a_box_a_node(profile):
    ax = plots.plot_flamegraph(profile)
    boxes = layout.left_heavy(profile.tree())
    expected = list(zip(boxes.x0 * 100, boxes.x1 * 100, boxes.depth, strict=True))
    assert np.allclose(rectangles(ax), expected)
    assert labels(ax)[:2] == ["main", "run"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["application", "stdlib"]
    assert ax.get_title(loc="left").startswith("drawn.fspan: 360 ms of wall time")


def test_the_time_line_is_in_seconds_and_of_the_busiest_thread(profile):
    ax = plots.plot_flamegraph(profile, "time")
    assert ax.get_xlim() == (0, 0.28)
    assert max(right for _, right, _ in rectangles(ax)) == pytest.approx(0.28)
    assert "MainThread: 280 ms" in ax.get_title(loc="left")
    worker = [row.name for row in profile.tables.threads].index("worker-1")
    other = plots.plot_flamegraph(profile, "time", thread=worker)
    assert min(left for left, _, _ in rectangles(other)) == pytest.approx(0.2)


def test_the_users_axes_are_drawn_into(profile):
    ax = figure.Figure(figsize=(8, 4)).subfigures(1, 2)[0].subplots()
    assert plots.plot_flamegraph(profile, ax=ax) is ax
    assert plots.plot_self_time(profile, ax=figure.Figure().subplots()).patches


def test_labels_only_where_they_fit():
    ax = plots.plot_flamegraph(draw([("main;wide", 995), ("main;narrow", 5)]))
    assert labels(ax) == ["main", "wide"]


def test_self_time_bars_are_in_one_unit_largest_on_top(profile):
    ax = plots.plot_self_time(profile, limit=3)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [
        "execute  (stdlib)",
        "walk  (application)",
        "sort  (stdlib)",
    ]
    assert [bar.get_width() for bar in ax.patches] == [50, 90, 170, 50, 90, 170]
    assert labels(ax) == [" 13.9 %", " 25.0 %", " 47.2 %"]
    assert ax.get_xlabel() == "wall time, ms (bar and %: self, outline: total)"


def test_the_share_stands_beside_its_interval():
    requests = Drawing()
    for number in range(1, 9):
        open_span(requests, number, 0, 10 * (number - 1) + 1, f"GET /{number}", "http.server")
        requests.spans.ended.append(close_span(number, 10 * number))
        requests.add_pass(10 * MS, [(0, f"main;{'ab'[number % 2]}")], span=number)
    profile = requests.profile()
    ax = plots.plot_self_time(profile)
    high = profile.functions()["self_share_high"].to_numpy()[::-1] * 100
    assert len(high) == 3
    assert high.max() < 100
    for text_, share in zip(ax.texts, high, strict=True):
        assert text_.get_position()[0] >= share * profile.total_ns / 100 / 1e6


def test_narrow_boxes_of_a_long_time_line_are_joined():
    samples = [("main;a", 1), ("main;b", 2)] * 3000
    lines = timelines(draw(samples))
    boxes = layout.time_order(lines, lines.threads[0])
    assert len(boxes) == 6001
    joined = layout.coarse(boxes, 100)
    assert len(joined) == 101
    assert int(joined.count.sum()) == 6001
    assert int(joined.total_ns.sum()) == int(boxes.total_ns.sum())
    assert int(joined.self_ns.sum()) == 9000
    # b has most of every stretch
    b = boxes.function[boxes.total_ns == 2][0]
    assert set(joined.function[joined.depth == 1].tolist()) == {int(b)}
    assert layout.coarse(joined, 10**9) is joined


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_saving_draws_every_name(kind):
    d = Drawing()
    d.add_pass(10, [(0, "<$x^2 \ud800 $>;<日本語 🐍>;<\x1b[2J>")])
    for ax in (plots.plot_flamegraph(d.profile()), plots.plot_self_time(d.profile())):
        file = io.BytesIO()
        plots.save(ax, file, kind, 60)
        assert len(file.getvalue()) > 2000


def test_nothing_in_view():
    nothing = draw([("a", 5)]).states("gc")
    assert rectangles(plots.plot_flamegraph(nothing)) == []
    assert list(plots.plot_self_time(nothing).patches) == []
    with pytest.raises(UsageError, match="no thread has samples"):
        plots.plot_flamegraph(nothing, "time")


def test_what_cannot_be_asked(profile):
    with pytest.raises(UsageError, match="no flame graph 'pie'; there are merged, time"):
        plots.plot_flamegraph(profile, "pie")
    with pytest.raises(UsageError, match="ask for 1 or more"):
        plots.plot_self_time(profile, limit=0)


def test_without_matplotlib_one_line_says_how_to_get_it(tmp_path):
    path = shop().write(tmp_path / "shop.fspan")
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from flamespan.profiler.__main__ import main\n"
        f"sys.exit(main(['plot', {str(path)!r}, '-o', {str(tmp_path / 'x.png')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == 'flamespan: pictures need matplotlib: pip install "flamespan[plot]"\n'
    assert not (tmp_path / "x.png").exists()


def test_matplotlib_is_not_imported_before_it_is_needed():
    code = "import sys, flamespan.viewer.cli; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_suspended_tasks_have_no_time_line():
    tasks = waits.tasks().profile()
    with pytest.raises(UsageError, match="suspended tasks overlap: they have none"):
        plots.plot_flamegraph(tasks.states("awaiting"), "time")
    axes = plots.plot_flamegraph(tasks.all_states(), "time")
    assert "100 ms of wall time" in axes.get_title(loc="left")
    plots.plot_flamegraph(tasks.states("awaiting"))


def test_threads_are_bars_of_their_states(profile):
    ax = plots.plot_threads(profile)
    table = profile.threads().iloc[::-1]
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == [f"{n}  ({p})" for n, p in zip(table["thread"], table["pid"], strict=True)]
    states = [name for name in table if name.endswith("_ns") and name not in ("wall_ns", "cpu_ns")]
    drawn = sum(bar.get_width() for bar in ax.patches)
    assert drawn * 1e6 == pytest.approx(table[states].to_numpy().sum())
    with pytest.raises(UsageError, match="ask for 1 or more"):
        plots.plot_threads(profile, limit=0)


def test_latency_has_the_percentiles_of_the_table(profile):
    ax = plots.plot_latency(profile, limit=4)
    table = profile.functions_per_transaction()
    table = table.sort_values(["p95_ns", "function"], ascending=[False, True]).head(4)
    _, p50, p95, p99, slowest = ax.collections
    for marks, name in ((p50, "p50"), (p95, "p95"), (p99, "p99"), (slowest, "max")):
        found = marks.get_offsets()[::-1, 0] * 1e6
        assert np.allclose(found, table[f"{name}_ns"]), name
    with pytest.raises(UsageError, match="nothing to draw"):
        plots.plot_latency(draw([("main", 5)]))


def test_a_transaction_has_its_spans_over_its_frames(profile):
    ax = plots.plot_transaction(profile)
    spans = profile.tables.spans
    root = max(np.flatnonzero(spans.is_transaction), key=lambda row: spans.duration_ns[row])
    rows = np.flatnonzero(spans.transaction == root)
    widths = sorted(bar.get_width() * 1e9 for bar in ax.patches)
    assert np.allclose(widths, np.sort(spans.duration_ns[rows]))
    assert ax.get_xlim() == pytest.approx((0, spans.duration_ns[root] / 1e9))
    assert min(row for _, _, row in rectangles(ax)) == len(rows) + 1
    with pytest.raises(UsageError, match="no transaction"):
        plots.plot_transaction(draw([("main", 5)]))


def test_changes_stand_where_compare_says():
    base, new = draw([("main;a", 60), ("main;b", 40)]), draw([("main;a", 90), ("main;b", 10)])
    found = compare(base, new)
    ax = plots.plot_diff(found)
    points = [float(marks.get_offsets()[0, 0]) for marks in ax.collections]
    wanted = found.table["std_share_change"].to_numpy()[::-1] * 100
    assert points[-len(wanted) :] == pytest.approx(wanted.tolist())


def slower():
    """The shop after a change: its query takes longer, and what it sorted is looked up."""
    base = draw([("main;cart;execute", 300), ("main;cart;sort", 200), ("main;render", 500)])
    new = draw([("main;cart;execute", 450), ("main;cart;look_up", 50), ("main;render", 500)])
    return compare(base, new)


PLOTS = {
    "flamegraph": plots.plot_flamegraph,
    "timeline": lambda profile, ax=None: plots.plot_flamegraph(profile, "time", ax),
    "self-time": plots.plot_self_time,
    "transaction": plots.plot_transaction,
    "threads": plots.plot_threads,
    "latency": plots.plot_latency,
    "diff": lambda profile, ax=None: plots.plot_diff(slower(), ax),
}


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_looks_as_it_did_when_it_was_looked_at(profile, name):
    ax = PLOTS[name](profile)
    pictures.check(f"plot-{name}", ax)
    within = figure.Figure(figsize=(7, 4)).subplots()
    assert PLOTS[name](profile, ax=within) is within
    assert not isinstance(ax, figure.Figure)


def test_a_picture_of_something_else_does_not_pass_for_it(profile):
    one, other = plots.plot_threads(profile), plots.plot_threads(waits.gil().profile())
    assert pictures.difference(pictures.drawn(one), pictures.drawn(other)) > pictures.TOLERANCE


@pytest.mark.parametrize("name", PLOTS)
@pytest.mark.parametrize(("kind", "starts"), [("svg", b"<?xml"), ("pdf", b"%PDF-")])
def test_a_plot_is_written_in_the_formats_of_papers(profile, name, kind, starts):
    file = io.BytesIO()
    plots.save(PLOTS[name](profile), file, kind, 100)
    assert file.getvalue().startswith(starts)
    assert len(file.getvalue()) > 4000


PAPER_INCHES = 10.6
"""A4 across, without margins."""


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_can_be_read_on_paper(profile, name):
    """No letter is smaller than 6 pt, with the picture as wide as the paper at most."""
    ax = PLOTS[name](profile)
    shrunk = min(PAPER_INCHES / ax.figure.get_figwidth(), 1)
    said = [found for found in ax.findobj(text.Text) if found.get_text().strip()]
    assert len(said) > 5
    assert min(found.get_fontsize() for found in said) * shrunk >= 6
