"""Times of functions in transactions: against a slow oracle, and what is made of them."""

from __future__ import annotations

import numpy as np
import pytest

from flamespan.aggregator.distribution import EDGES_NS, held
from flamespan.profiler.errors import UsageError
from helpers import webapp
from helpers.drawn import draw


@pytest.fixture(scope="module")
def profile():
    return webapp.build().profile()


def slow(view, measure):
    """{(function, transaction row): ns}, sample by sample."""
    t, inside = view.tables, view.in_transactions()
    rows, sums = inside.selected, {}
    for stack, span, weight in zip(rows.stack, rows.span, inside.weights_ns, strict=True):
        path = [int(t.frame_function[frame]) for frame in t.tree.path(int(stack))]
        which = {path[-1]} if measure == "self" else set(path)
        for function in which:
            key = (function, int(t.spans.transaction[span]))
            sums[key] = sums.get(key, 0) + int(weight)
    return {key: ns for key, ns in sums.items() if ns}


@pytest.mark.parametrize("measure", ["total", "self"])
def test_every_time_is_that_of_the_samples(profile, measure):
    found = held(profile, measure)
    columns = (found.function, found.transaction, found.weight_ns)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    assert {(f, t): ns for f, t, ns in rows} == slow(profile, measure)
    assert rows == sorted(rows, key=lambda row: (row[0], row[2], -row[1]))


def test_the_slowest_are_those_that_hold_most(profile):
    found, few = held(profile), held(profile).slowest(3)
    for function in np.unique(found.function):
        every = sorted(found.weight_ns[found.function == function].tolist(), reverse=True)
        assert few.weight_ns[few.function == function].tolist() == every[:3]


def test_histograms_count_every_transaction_in_its_bin(profile):
    found = held(profile)
    function, bins, counts = found.histogram()
    assert counts.sum() == len(found.function)
    for f, b, count in zip(function, bins, counts, strict=True):
        times = found.weight_ns[found.function == f]
        assert count == ((times >= EDGES_NS[b]) & (times < EDGES_NS[b + 1])).sum()


def test_without_transactions_there_is_nothing():
    found = held(draw([("main;a", 10)]))
    assert len(found.function) == len(found.slowest(3).function) == len(found.histogram()[0]) == 0
    with pytest.raises(UsageError, match="no measure 'x'; there are total, self"):
        held(draw([("main;a", 10)]), "x")
