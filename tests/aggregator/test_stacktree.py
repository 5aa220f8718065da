"""Trees of stacks and sorted places, against the obvious way to find the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flamespan.aggregator.stacktree import StackTree, depth_first, stable_order, subtree_sizes


def _tree(numbers):
    parent = [0, *(number % (place + 1) for place, number in enumerate(numbers))]
    key = [0, *(number // 7 % 4 for number in numbers)]
    return StackTree(np.array(parent, np.int32), np.array(key, np.int32))


trees = st.lists(st.integers(0, 10**6), max_size=40).map(_tree)


def _above(tree, node):
    """The node and those above it, without node 0."""
    found = []
    while node:
        found.append(node)
        node = int(tree.parent[node])
    return found


@given(st.lists(st.integers(0, 2**62) | st.integers(0, 9) | st.integers(0, 2**20), max_size=50))
def test_stable_order(numbers):
    order = stable_order(np.array(numbers, np.int64))
    assert order.tolist() == sorted(range(len(numbers)), key=numbers.__getitem__)


@given(trees)
def test_outermost_nodes_have_none_of_their_group_above(tree):
    group = np.array([0, 1, 1, 2])
    found = tree.outermost(group)
    for node in range(1, len(tree)):
        alike = [n for n in _above(tree, node) if group[tree.key[n]] == group[tree.key[node]]]
        assert found[node] == (alike == [node])
    assert not found[0]


@given(trees)
def test_depth_first_places(tree):
    weight = (tree.key * 5 % 3).astype(np.int64)
    size = subtree_sizes(tree.levels, tree.parent)
    place = depth_first(tree.levels, tree.parent, size, weight)
    children = {node: [] for node in range(len(tree))}
    for node in range(1, len(tree)):
        children[int(tree.parent[node])].append(node)
    walked, waiting = [], [0]
    while waiting:
        node = waiting.pop()
        walked.append(node)
        waiting += sorted(children[node], key=lambda child: weight[child])[::-1]
    assert np.argsort(place).tolist() == walked


@given(trees, st.integers(0, 40), st.integers(0, 40))
def test_shared_depth_and_callers(tree, one, other):
    one, other = one % len(tree), other % len(tree)
    both = set(_above(tree, one)) & set(_above(tree, other))
    assert tree.shared_depth(np.array([one]), np.array([other])).tolist() == [len(both)]
    wanted = np.flatnonzero(tree.with_callers(np.array([one, other]))).tolist()
    assert set(wanted) == {0, *_above(tree, one), *_above(tree, other)}
