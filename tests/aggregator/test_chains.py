"""Any chain of views: each a new Profile, the one before untouched, every table with one sum."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flamespan.aggregator import Profile
from flamespan.profiler.errors import UsageError
from helpers.scenes import MS, shop

WHOLE = shop().profile()
BEGAN = WHOLE.processes[0].first_ns
VIEWS = {
    "transaction": lambda p: p.transaction("GET *"),
    "span": lambda p: p.span("db.*"),
    "tag": lambda p: p.tag("user"),
    "in": lambda p: p.in_transactions(),
    "outside": lambda p: p.outside_transactions(),
    "thread": lambda p: p.thread("MainThread"),
    "between": lambda p: p.between(BEGAN + 105 * MS, BEGAN + 315 * MS),
    "states": lambda p: p.states("running"),
    "all states": lambda p: p.all_states(),
    "cpu": lambda p: p.clock("cpu"),
    "wait": lambda p: p.clock("wait"),
    "focus": lambda p: p.focus("main"),
    "hide": lambda p: p.hide("execute"),
    "containing": lambda p: p.containing("sort"),
    "application": lambda p: p.application_frames(),
    "system": lambda p: p.system_frames(),
    "direct": lambda p: p.collapse_recursion("direct"),
    "cycles": lambda p: p.collapse_recursion("cycles"),
}
KEEP = {"hide", "application", "system", "direct", "cycles"}
"""Views of how stacks are shown: the time in view stays."""


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(sorted(VIEWS)), min_size=1, max_size=6))
def test_sums_are_kept_along_any_chain(chain):
    profile = WHOLE
    for name in chain:
        before = profile.folded()
        try:
            view = VIEWS[name](profile)
        except UsageError:  # nothing of that name is left in view
            assume(False)
        assert isinstance(view, Profile)
        assert view is not profile
        assert profile.folded() == before
        if name in KEEP:
            assert view.total_ns == profile.total_ns
        profile = view
    total = profile.total_ns
    assert sum(profile.folded().values()) == total
    for table in (profile.functions, profile.lines, profile.modules, profile.files):
        assert int(table(quick=True)["self_ns"].sum()) == total
    assert int(profile.call_paths()["self_ns"].sum()) == total
    for direction in ("top-down", "bottom-up"):
        assert int(profile.tree(direction).total_ns[0]) == total
