"""Intervals of shares against the formula done slowly; Student's t and BH against known values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamespan.aggregator import statistics
from flamespan.aggregator.treeshares import node_intervals
from flamespan.aggregator.units import BLOCK_NS
from flamespan.profiler.model import SpanEnd, SpanStart
from helpers import oracle
from helpers.drawn import Drawing

STACKS = st.lists(st.sampled_from("abc"), min_size=1, max_size=5).map(tuple)
UNITS = st.lists(
    st.lists(st.tuples(STACKS, st.integers(1, 1000)), min_size=1, max_size=4),
    min_size=1,
    max_size=12,
)
several = settings(max_examples=60, deadline=None)


def recorded(units, *, transactions):
    """Each unit as a transaction, or as a block of ten seconds, most of it idle."""
    drawing = Drawing()
    for number, samples in enumerate(units, 1):
        begin = drawing.now
        for stack, weight in samples:
            drawing.add_pass(weight, [(0, ";".join(stack))], span=number if transactions else 0)
        if transactions:
            drawing.spans.started.append(SpanStart(number, 0, 100, "job", "task", "", begin))
            drawing.spans.ended.append(SpanEnd(number, drawing.now, "ok"))
        else:
            drawing.add_pass(BLOCK_NS * number - drawing.now, [(0, "wait")], state="idle")
    return drawing.profile()


def between(share, error, pairs):
    """The interval by its formula: by log odds, Student's t of the effective number of units."""
    if not 0 < share < 1 or error < 1e-12:
        return share, share
    size = min(sum(v[i] for v in pairs) ** 2 / sum(v[i] ** 2 for v in pairs) for i in (0, 1))
    df = max(size - 1, 1.0)
    step = 10.0 ** (math.floor(math.log10(df)) - 1)
    t = statistics.t_quantile(0.975, max(math.floor((size - 1) / step + 1e-9) * step, 1.0))
    odds, reach = math.log(share / (1 - share)), t * error / (share * (1 - share))
    ends = (max(min(odds + sign * reach, 700), -700) for sign in (-1, 1))
    return tuple(1 / (1 + math.exp(-end)) for end in ends)


@several
@given(UNITS, st.booleans())
def test_intervals_are_the_ratio_estimators_over_units(units, transactions):
    table = recorded(units, transactions=transactions).functions().set_index("function")
    whole = [sum(weight for _, weight in samples) for samples in units]
    for name, row in table.iterrows():
        for kind in ("self", "total"):
            held = [
                sum(w for s, w in samples if (name in s if kind == "total" else s[-1] == name))
                for samples in units
            ]
            low, high = row[f"{kind}_share_low"], row[f"{kind}_share_high"]
            if len(units) < statistics.FEWEST_UNITS:
                assert math.isnan(low)
                assert math.isnan(high)
                continue
            error = oracle.share_error(list(zip(held, whole, strict=True)))
            share = sum(held) / sum(whole)
            expected = between(share, error, list(zip(held, whole, strict=True)))
            assert (low, high) == pytest.approx(expected, abs=1e-6)


@several
@given(UNITS)
def test_intervals_of_a_trees_nodes(units):
    profile = recorded(units, transactions=True)
    whole = [sum(weight for _, weight in samples) for samples in units]
    for direction in ("top-down", "bottom-up"):
        tree = profile.tree(direction)
        low, high = node_intervals(profile, tree)
        assert len(low) == len(tree)
        if len(units) < statistics.FEWEST_UNITS:
            assert np.isnan(low).all()
            continue
        path = {0: ()}
        for node in range(1, len(tree)):
            path[node] = (*path[int(tree.parent[node])], tree.name(node))
            depth = len(path[node])
            held = [
                sum(w for s, w in samples
                    if (s if direction == "top-down" else s[::-1])[:depth] == path[node])
                for samples in units
            ]  # fmt: skip
            error = oracle.share_error(list(zip(held, whole, strict=True)))
            share = sum(held) / sum(whole)
            expected = between(share, error, list(zip(held, whole, strict=True)))
            assert (low[node], high[node]) == pytest.approx(expected, abs=1e-6)


def test_samples_in_a_transaction_do_not_make_it_more_exact():
    few = [[(("a",) if n % 3 else ("b",), 100)] for n in range(12)]
    many = [[(stack, 1)] * 100 for ((stack, _),) in few]
    for kind in ("self_share_low", "self_share_high"):
        one, other = (recorded(units, transactions=True).functions()[kind] for units in (few, many))
        assert one.tolist() == pytest.approx(other.tolist())


@pytest.mark.parametrize(
    ("probability", "df", "t"),
    [
        # Tables of Student's t in any handbook.
        (0.975, 1, 12.706), (0.975, 4, 2.776), (0.975, 10, 2.228), (0.975, 30, 2.042),
        (0.975, 120, 1.980), (0.995, 5, 4.032), (0.9995, 20, 3.850), (0.95, 2, 2.920),
        (0.975, 1e9, 1.960), (0.025, 4, -2.776), (0.5, 7, 0.0),
    ],
)  # fmt: skip
def test_student_t(probability, df, t):
    assert statistics.t_quantile(probability, df) == pytest.approx(t, abs=5e-4)


@given(st.floats(0.01, 20), st.floats(1, 500))
def test_student_t_is_the_area_under_its_density(t, df):
    x = np.linspace(-t, t, 20001)
    log_density = (math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2) - (
        df + 1
    ) / 2 * np.log1p(x * x / df)
    density = np.exp(log_density)
    inside = (density[1:] + density[:-1]).sum() * (x[1] - x[0]) / 2
    assert statistics.t_two_sided(t, df) == pytest.approx(1 - inside, abs=1e-5)
    assert statistics.t_two_sided(-t, df) == statistics.t_two_sided(t, df)


def test_benjamini_hochberg():
    # The worked example of Benjamini and Hochberg (1995), section 3.2: four are rejected at 5 %.
    p = [.0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344, .0459, .3240, .4262, .5719,
         .6528, .7590, 1.0]  # fmt: skip
    adjusted = statistics.false_discovery(np.array(p))
    assert (adjusted <= 0.05).sum() == 4
    assert adjusted[3] == pytest.approx(0.0095 * 15 / 4)
    shuffled = statistics.false_discovery(np.array([p[5], np.nan, p[0]]))
    assert shuffled.tolist() == pytest.approx([p[5], math.nan, 2 * p[0]], nan_ok=True)


@given(st.lists(st.floats(0, 1), max_size=30))
def test_adjusting_keeps_the_order_and_never_lowers(p):
    adjusted = statistics.false_discovery(np.array(p, float))
    assert (adjusted >= np.array(p)).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
