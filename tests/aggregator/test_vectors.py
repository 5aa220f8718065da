"""The known answers of tests/vectors/semantics.json, through a sample file and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flamespan.profiler.model import Flag, SpanEnd, SpanStart
from helpers.drawn import EPOCH_NS, Drawing, draw, folded, functions

VECTORS = {
    vector["name"]: vector
    for vector in json.loads(
        (Path(__file__).parents[1] / "vectors" / "semantics.json").read_text()
    )["vectors"]
}
PLAIN = [name for name, vector in VECTORS.items() if "samples" in vector and "functions" in vector]


@pytest.mark.parametrize("name", PLAIN)
def test_functions_and_views(name):
    vector = VECTORS[name]
    profile = draw(vector["samples"], vector.get("origin"))
    assert functions(profile) == vector["functions"]
    for kind in ("direct", "cycles"):
        collapsed = profile.collapse_recursion(kind)
        if f"collapse_{kind}" in vector:
            assert folded(collapsed) == vector[f"collapse_{kind}"]
        assert functions(collapsed) == vector["functions"]
    for side, view in (
        ("application", profile.application_frames()),
        ("system", profile.system_frames()),
    ):
        if side in vector:
            assert folded(view) == vector[side]["folded"]
            assert functions(view) == vector[side]["functions"]
            assert view.rehomed_ns == vector[side]["rehomed_ns"]


def test_bottom_up():
    vector = VECTORS["bottom-up roots every function with self time, inner ones too"]
    tree = draw(vector["samples"]).tree("bottom-up")
    found = {
        tree.name(node): {
            "total": tree.total_ns[node],
            "callers": {tree.name(c): tree.total_ns[c] for c in tree.children(node)},
        }
        for node in tree.children(0)
    }
    assert found == vector["bottom_up"]


def test_idle_is_excluded_and_said():
    vector = VECTORS["idle is a state, not somebody's self time"]
    profile = draw(vector["samples"])
    assert functions(profile) == vector["functions_running"]
    assert profile.excluded_ns == vector["excluded_idle_ns"]
    assert functions(profile.all_states()) == vector["functions_all"]
    assert profile.all_states().excluded_ns == 0


def test_lines():
    vector = VECTORS["one function on two lines is one row, two lines"]
    table = draw(vector["samples"]).lines()
    rows = table[["function", "line", "self_ns", "total_ns"]].itertuples(index=False)
    found = {f"{name}:{line}": [own, total] for name, line, own, total in rows}
    assert found == vector["lines"]


def test_late_pass():
    vector = VECTORS["a late pass is charged to what is seen now"]
    drawing, before = Drawing(), vector["started_ns"]
    for time, stack in vector["passes"]:
        late = time - before > 1.5 * vector["interval_ns"]
        missed = round((time - before) / vector["interval_ns"]) - 1
        flags = Flag.LATE if late else 0
        drawing.add_pass(time - before, [(0, stack)], missed=missed, flags=flags)
        before = time
    profile = drawing.profile()
    assert functions(profile) == vector["functions"]
    process = profile.processes[0]
    assert (process.late, process.missed) == (vector["late"], vector["missed"])


def test_two_threads_are_thread_seconds():
    vector = VECTORS["two threads in one pass are thread-seconds"]
    drawing = Drawing()
    drawing.thread(0, "t1")
    drawing.thread(1, "t2")
    drawing.add_pass(10, [(0, "main;x"), (1, "main;x")])
    profile = drawing.profile()
    assert functions(profile) == vector["functions"]
    assert set(profile.threads()["thread"]) == {"t1", "t2"}
    wall_any = profile.functions().set_index("function")["wall_any_ns"]
    assert wall_any.to_dict() == vector["wall_any"]
    assert functions(profile.thread("t1")) == {"main": [0, 10], "x": [10, 10]}


def test_transaction_is_clipped_to_its_start():
    vector = VECTORS[
        "a transaction's first sample is clipped to its start, the rest after its last pass is tail"
    ]
    start, end = vector["transaction"]["start"], vector["transaction"]["end"]
    drawing, before = Drawing(), vector["started_ns"]
    for time, stack in vector["passes"]:
        drawing.add_pass(time - before, [(0, stack)], span=1 if start < time <= end else 0)
        before = time
    drawing.spans.started.append(SpanStart(1, 0, 100, "GET /", "http.server", "", start))
    drawing.spans.ended.append(SpanEnd(1, end, "ok"))
    profile = drawing.profile()
    inside = profile.transaction("GET /")
    assert functions(inside) == vector["transaction_functions"]
    assert end + EPOCH_NS - inside.rows.time_ns.max() == vector["tail_ns"]
    (row,) = profile.waiting(by="transaction").to_dict("records")
    assert row["tail_ns"] == vector["tail_ns"]
    assert row["recorded_ns"] + row["tail_ns"] == row["duration_ns"]
    assert profile.total_ns == 40


def test_deep_stack_label():
    vector = VECTORS["deep stacks keep both ends with the true count"]
    (stack, weight), *_ = vector["folded"].items()
    assert folded(draw([(stack, weight)])) == vector["folded"]
