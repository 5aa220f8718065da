"""What a format holds comes back: an export that is loaded has the folded stacks it was made of."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamespan.aggregator import exporting, load
from helpers.drawn import Drawing
from helpers.scenes import shop

VIEWS = {
    "all": lambda p: p,
    "one transaction": lambda p: p.transaction("GET /slow"),
    "application": lambda p: p.application_frames(),
    "recursion": lambda p: p.collapse_recursion("cycles"),
    "every state": lambda p: p.all_states(),
    "cpu": lambda p: p.clock("cpu"),
    "one thread": lambda p: p.thread("worker-1"),
}
WHOLE = ("collapsed", "speedscope", "speedscope-merged", "pprof")
"""Formats that hold all that ``folded`` shows: names, files, first lines, nanoseconds."""


@pytest.fixture(scope="module")
def profile():
    return shop().profile()


def back(profile, name, folder):
    path = folder / f"x{exporting.FORMATS[name].suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        exporting.export(profile, name, path)
    return load(path)


def clocked(loaded, shown, name):
    """pprof has all clocks, so a view by CPU comes back as one; elsewhere weights are weights."""
    return loaded.clock(shown.weight_clock) if name == "pprof" else loaded


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", WHOLE)
def test_stacks_come_back_equal(profile, name, view, tmp_path):
    shown = VIEWS[view](profile)
    loaded = clocked(back(shown, name, tmp_path), shown, name)
    assert loaded.folded() == shown.folded()
    assert loaded.total_ns == shown.total_ns


def without_first_lines(folded):
    found = {}
    for stack, weight in folded.items():
        bare = stack.replace(":1)", ")")
        found[bare] = found.get(bare, 0) + weight
    return found


@pytest.mark.parametrize("view", [view for view in VIEWS if view != "cpu"])
def test_sentry_stacks_come_back_without_first_lines(profile, view, tmp_path):
    shown = VIEWS[view](profile)
    loaded = back(shown, "sentry", tmp_path)
    assert without_first_lines(loaded.folded()) == without_first_lines(shown.folded())


@pytest.mark.parametrize("name", ["speedscope", "speedscope-merged", "pprof", "sentry"])
def test_threads_come_back(profile, name, tmp_path):
    loaded = back(profile, name, tmp_path)
    for thread in ("MainThread", "worker-1"):
        assert loaded.thread(thread).total_ns == profile.thread(thread).total_ns


def test_pprof_brings_cpu_time_and_lines_back(profile, tmp_path):
    loaded = back(profile, "pprof", tmp_path)
    assert loaded.clock("cpu").folded() == profile.clock("cpu").folded()
    lines = ["function", "line", "self_ns", "total_ns"]
    assert loaded.lines()[lines].equals(profile.lines()[lines])


drawn_passes = st.lists(
    st.tuples(
        st.integers(0, 10**12),
        st.lists(st.sampled_from(["a", "a;b", "c;a;c", "<g>;b", ""]), min_size=2, max_size=2),
        st.integers(0, 10**12),
    ),
    min_size=1,
    max_size=8,
)


@given(drawn_passes, st.sampled_from(WHOLE))
@settings(max_examples=80, deadline=None)
def test_any_recording_comes_back(tmp_path_factory, passes, name):
    d = Drawing()
    d.thread(0, "one")
    d.thread(1, "two")
    for wall, stacks, cpu in passes:
        d.add_pass(wall, list(enumerate(stacks)), cpu=cpu)
    profile = d.profile()
    if not profile.total_ns:
        return
    assert back(profile, name, tmp_path_factory.mktemp("trip")).folded() == profile.folded()
