"""Boxes: where they lie, that nothing is lost, that they nest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamespan.aggregator.timeline import timelines
from flamespan.viewer import layout
from helpers.drawn import Drawing, draw
from helpers.scenes import MS, shop


def names(profile, boxes):
    """(row, name, x0, x1) with x in whole percent."""
    t = profile.tables
    said = {layout.FOLDED: "…", layout.BARE: "-"}
    return [
        (int(d), said.get(int(f)) or t.function_name[f], round(a * 100), round(b * 100))
        for d, f, a, b in zip(boxes.depth, boxes.function, boxes.x0, boxes.x1, strict=True)
    ]


def check_nested(boxes):
    """No overlap in a row; every box below another lies within it."""
    for row in range(int(boxes.depth.max(initial=-1)) + 1):
        mine = np.flatnonzero(boxes.depth == row)
        mine = mine[np.argsort(boxes.x0[mine])]
        assert (boxes.x0[mine] < boxes.x1[mine]).all()
        assert (boxes.x1[mine][:-1] <= boxes.x0[mine][1:] + 1e-12).all()
        if row:
            above = np.flatnonzero(boxes.depth == row - 1)
            for box in mine:
                inside = (boxes.x0[above] <= boxes.x0[box] + 1e-12) & (
                    boxes.x1[above] >= boxes.x1[box] - 1e-12
                )
                assert inside.any()


def test_left_heavy_puts_the_largest_child_leftmost():
    profile = draw([("main;small", 10), ("main;big;x", 50), ("main", 20), ("other", 20)])
    boxes = layout.left_heavy(profile.tree())
    assert names(profile, boxes) == [
        (0, "main", 0, 80),
        (1, "big", 0, 50),
        (2, "x", 0, 50),
        (1, "small", 50, 60),
        (0, "other", 80, 100),
    ]
    assert list(boxes.self_ns) == [20, 0, 50, 10, 20]
    assert boxes.left_out == 0


def test_what_is_too_small_is_folded_and_counted():
    stacks = [("main;a", 500)] + [(f"main;b;c{i}", 9 - i) for i in range(9)]
    profile = draw(stacks)
    boxes = layout.left_heavy(profile.tree(), limit=6)
    assert names(profile, boxes) == [
        (0, "main", 0, 100),
        (1, "a", 0, 92),
        (1, "b", 92, 100),
        (2, "c0", 92, 93),
        (2, "…", 93, 100),
    ]
    assert list(boxes.count) == [1, 1, 1, 1, 8]
    assert boxes.total_ns[-1] == 36
    check_nested(boxes)


def test_time_order_breaks_where_a_function_or_the_work_ends():
    profile = draw(
        [("main;a", 10), ("main;a;b", 10), ("main;c", 20), ("main;c", 20, "idle"), ("main;c", 40)]
    )
    lines = timelines(profile)
    boxes = layout.time_order(lines, lines.threads[0])
    assert names(profile, boxes) == [
        (0, "main", 0, 40),
        (0, "main", 60, 100),
        (1, "a", 0, 20),
        (1, "c", 20, 40),
        (1, "c", 60, 100),
        (2, "b", 10, 20),
    ]
    assert list(boxes.self_ns) == [0, 0, 10, 20, 40, 10]
    check_nested(boxes)


def test_a_thread_that_starts_late_has_its_boxes_at_the_end():
    lines = timelines(shop().profile())
    worker = next(line for line in lines.threads if line.name == "worker-1")
    boxes = layout.time_order(lines, worker)
    assert boxes.x0.min() == pytest.approx(200 / 280)
    assert boxes.x1.max() == 1
    assert worker.busy_ns == 80 * MS


def test_samples_without_frames_are_not_idle():
    lines = timelines(draw([("", 5), ("a", 5)]))
    boxes = layout.time_order(lines, lines.threads[0])
    assert boxes.function[0] == layout.BARE
    assert lines.path(int(lines.threads[0].stacks[0])) == [-1]
    assert boxes.total_ns.sum() == 10


def test_nothing_gives_no_boxes():
    nothing = draw([("a", 5)]).states("gc")
    assert len(layout.left_heavy(nothing.tree())) == 0
    assert timelines(nothing).threads == []


drawn = st.lists(
    st.tuples(
        st.lists(st.sampled_from("abc"), max_size=4).map(";".join),
        st.integers(0, 30),
        st.sampled_from(["running", "idle"]),
    ),
    min_size=1,
    max_size=15,
)


@given(drawn, st.integers(1, 12))
@settings(max_examples=80, deadline=None)
def test_boxes_of_any_recording_nest_and_keep_the_sum(samples, limit):
    profile = draw(samples)
    framed = sum(w for stack, w, state in samples if stack and state == "running")
    for direction in ("top-down", "bottom-up"):
        tree = profile.tree(direction)
        for cut in (None, limit):
            boxes = layout.left_heavy(tree, cut)
            check_nested(boxes)
            assert len(boxes) <= (cut or len(tree))
            nodes = int((tree.total_ns[1:] > 0).sum())
            assert int(boxes.count.sum()) + boxes.left_out == nodes
        if direction == "top-down":
            assert layout.left_heavy(tree).self_ns.sum() == framed
    lines = timelines(profile)
    for line in lines.threads:
        boxes = layout.time_order(lines, line)
        check_nested(boxes)
        assert boxes.self_ns.sum() == line.busy_ns == profile.total_ns


def test_bottom_up_boxes_are_rooted_at_self_time():
    profile = draw([("main;a;b", 10), ("main;a", 20), ("main;b", 5)])
    boxes = layout.left_heavy(profile.tree("bottom-up"))
    assert [box[1] for box in names(profile, boxes) if box[0] == 0] == ["a", "b"]


def test_drawing_threads_apart():
    d = Drawing()
    d.thread(0, "one")
    d.thread(1, "two")
    d.add_pass(10, [(0, "a")])
    d.add_pass(10, [(0, "a"), (1, "b")])
    lines = timelines(d.profile())
    assert [(line.name, list(line.weights_ns)) for line in lines.threads] == [
        ("one", [20]),
        ("two", [10, 10]),
    ]
