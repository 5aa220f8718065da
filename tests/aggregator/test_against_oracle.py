"""Fast views and tables against the slow obvious ones, on random profiles."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from flamespan.aggregator.data import APPLICATION, SYSTEM
from helpers import oracle
from helpers.drawn import draw, folded, functions

NAMES = "abcdS"
STACKS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=9).map(tuple)
SAMPLES = st.lists(st.tuples(STACKS, st.integers(1, 10**12)), min_size=1, max_size=30)
LINED = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3)), min_size=1, max_size=6),
        st.integers(1, 1000),
    ),
    min_size=1,
    max_size=20,
)
ORIGIN = {"S": "system", "d": "system"}
OURS = {"a", "b", "c"}
several = settings(max_examples=60, deadline=None)


def drawn(samples):
    return draw([(";".join(stack), weight) for stack, weight in samples], ORIGIN)


@several
@given(SAMPLES)
def test_functions_and_sums(samples):
    profile = drawn(samples)
    assert functions(profile) == oracle.functions(samples)
    assert folded(profile) == oracle.fold(samples)
    assert profile.total_ns == sum(weight for _, weight in samples)


@several
@given(SAMPLES)
def test_collapse(samples):
    profile = drawn(samples)
    for kind, collapse in (
        ("direct", oracle.collapse_direct),
        ("cycles", oracle.collapse_cycles),
    ):
        view = profile.collapse_recursion(kind)
        assert folded(view) == oracle.fold(collapse(samples))
        assert functions(view) == oracle.functions(samples, collapse(samples))
        assert view.collapse_recursion(kind).folded() == view.folded()


@several
@given(SAMPLES)
def test_sides(samples):
    profile = drawn(samples)
    for view, wanted, stand_in in (
        (profile.application_frames(), OURS, SYSTEM),
        (profile.system_frames(), {"S", "d"}, APPLICATION),
    ):
        kept, rehomed = oracle.keep(samples, wanted, stand_in)
        assert folded(view) == oracle.fold(kept)
        assert functions(view) == oracle.functions(kept)
        assert view.rehomed_ns == rehomed
        assert view.total_ns == profile.total_ns
        both = view.collapse_recursion("cycles")
        assert folded(both) == oracle.fold(oracle.collapse_cycles(kept))
        assert functions(both) == oracle.functions(kept, oracle.collapse_cycles(kept))


@several
@given(SAMPLES)
def test_the_order_of_switches_does_not_matter(samples):
    profile = drawn(samples)
    for kind in ("direct", "cycles"):
        one = profile.collapse_recursion(kind).application_frames()
        other = profile.application_frames().collapse_recursion(kind)
        assert one.functions().equals(other.functions())
        assert one.folded() == other.folded()
        assert one.functions()["self_ns"].sum() == profile.total_ns


@several
@given(SAMPLES)
def test_trees(samples):
    profile = drawn(samples)
    down = profile.tree()
    assert paths(down, down.self_ns, down.total_ns) == oracle.tree(samples)
    up = profile.tree("bottom-up")
    found = {path: total for path, (_, total) in paths(up, up.self_ns, up.total_ns).items()}
    assert found == oracle.bottom_up(samples)
    for tree in (down, up):
        assert tree.self_ns.sum() == tree.total_ns[0] == profile.total_ns
        assert (tree.parent[1:] < range(1, len(tree))).all()
        for node in range(len(tree)):
            totals = [tree.total_ns[child] for child in tree.children(node)]
            assert totals == sorted(totals, reverse=True)


def paths(tree, own, total):
    """{path of names: [self, total]} of every node below the root."""
    path = [()]
    for node in range(1, len(tree)):
        path.append((*path[tree.parent[node]], tree.name(node)))
    return {path[n]: [int(own[n]), int(total[n])] for n in range(1, len(tree))}


@several
@given(LINED)
def test_lines(samples):
    stacks = [(tuple(f"{name}:{line}" for name, line in stack), w) for stack, w in samples]
    profile = draw([(";".join(stack), weight) for stack, weight in stacks])
    table = profile.lines()
    found = {
        f"{row.function}:{row.line}": [row.self_ns, row.total_ns]
        for row in table.itertuples(index=False)
    }
    assert found == oracle.functions(stacks)
    by_name = [(tuple(re.sub(":.*", "", name) for name in stack), w) for stack, w in stacks]
    assert functions(profile) == oracle.functions(by_name)
    assert folded(profile.collapse_recursion()) == oracle.fold(oracle.collapse_direct(by_name))


@several
@given(SAMPLES)
def test_modules_sum_to_the_total(samples):
    profile = drawn(samples)
    table = profile.modules()
    assert table["self_ns"].sum() == profile.total_ns
    library = sum(weight for stack, weight in samples if {"S", "d"} & set(stack))
    stdlib = table[table["origin"] == "stdlib"]
    assert stdlib["total_ns"].sum() == library
