"""The three choices of frames computed together are those that each gives alone."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamespan.aggregator import sides
from flamespan.aggregator.distribution import held
from flamespan.aggregator.exporting.json import plain
from flamespan.viewer.aggregatedata import FRAMES, Asked, aggregate, embedded, names
from helpers import webapp
from helpers.drawn import draw

STACKS = st.lists(st.sampled_from("abSd"), min_size=1, max_size=7).map(";".join)
SAMPLES = st.lists(st.tuples(STACKS, st.integers(1, 10**12)), min_size=1, max_size=20)
ORIGIN = {"S": "system", "d": "system"}


@pytest.fixture(scope="module")
def profile():
    return webapp.build().profile()


def alike(profile):
    by_side = sides.views(profile)
    together, everything = sides.function_tables(by_side), sides.held_by_all(profile)
    for side, view in by_side.items():
        found = together[side].reset_index(drop=True)
        pd.testing.assert_frame_equal(found, view.functions(), rtol=1e-12, check_dtype=False)
        every = np.ones(len(profile.tables.spans), bool)
        of_side = everything.of(sides.shown(profile.tables, side), every)
        alone = held(view)
        for column in ("function", "transaction", "weight_ns"):
            assert getattr(of_side, column).tolist() == getattr(alone, column).tolist()


@settings(max_examples=25, deadline=None)
@given(SAMPLES)
def test_on_random_profiles(samples):
    drawn = draw(samples, ORIGIN)
    alike(drawn)
    alike(drawn.collapse_recursion("cycles"))


@pytest.mark.parametrize("clock", ["wall", "cpu", "wait"])
def test_on_a_web_app(profile, clock):
    alike(profile.clock(clock))


def test_a_part_without_the_stacks_of_others_says_the_same(profile):
    part = profile.transaction(names(profile)[0][0])
    less = sides.pruned(part)
    assert len(less.tables.tree) < len(part.tables.tree)
    pd.testing.assert_frame_equal(less.functions(), part.functions())
    assert less.folded() == part.folded()


@pytest.mark.parametrize("view", ["whole", "application", "hidden", "cpu"])
def test_a_file_holds_what_would_be_served(profile, view):
    profile = {
        "whole": lambda: profile,
        "application": profile.application_frames,
        "hidden": lambda: profile.hide(profile.functions()["function"][0]),
        "cpu": lambda: profile.clock("cpu"),
    }[view]()
    made, _ = embedded(profile)
    kept = [(None, ""), *names(profile)]
    asked = [(*one, frames) for one in kept for frames in FRAMES]
    for (name, op, frames), one in zip(asked, made, strict=True):
        served = aggregate(profile, Asked(name, op, frames, profile.weight_clock))
        told, alone = (json.loads(json.dumps(given, default=plain)) for given in (one, served))
        functions, expected = told.pop("functions"), alone.pop("functions")
        assert told == alone
        pd.testing.assert_frame_equal(pd.DataFrame(functions), pd.DataFrame(expected), rtol=1e-12)
