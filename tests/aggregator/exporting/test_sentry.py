"""Sentry's chunk: what its server makes of it, by its own rule for weights."""

from __future__ import annotations

import io
import json
from itertools import pairwise

import pytest

from flamespan.aggregator import exporting
from helpers.drawn import EPOCH_NS, Drawing, folded
from helpers.scenes import shop


def chunk(profile) -> dict:
    file = io.StringIO()
    exporting.write(profile, "sentry", file)
    return json.loads(file.getvalue())


def as_sentry_weighs(data) -> dict[str, int]:
    """Folded stacks by the time to the thread's next sample; the last one has none."""
    profile, found = data["profile"], {}
    for thread in profile["thread_metadata"]:
        own = [sample for sample in profile["samples"] if sample["thread_id"] == thread]
        assert own == sorted(own, key=lambda sample: sample["timestamp"])
        for a, b in pairwise(own):
            frames = [profile["frames"][i] for i in profile["stacks"][a["stack_id"]][::-1]]
            weight = round((b["timestamp"] - a["timestamp"]) * 1e6) * 1000
            if frames and weight:
                stack = ";".join(frame["function"] for frame in frames)
                found[stack] = found.get(stack, 0) + weight
    return found


@pytest.mark.parametrize(
    "view", [lambda p: p, lambda p: p.transaction("GET /slow"), lambda p: p.all_states()]
)
def test_sentry_sees_our_weights(view):
    shown = view(shop().profile())
    assert as_sentry_weighs(chunk(shown)) == folded(shown)


def test_what_a_chunk_says():
    data = chunk(shop().profile())
    assert data["version"] == "2"
    assert data["platform"] == "python"
    assert len(data["chunk_id"]) == len(data["profiler_id"]) == 32
    assert data["profile"]["thread_metadata"]["200"] == {"name": "MainThread"}
    assert min(s["timestamp"] for s in data["profile"]["samples"]) == EPOCH_NS / 1e9 + 0.1
    frames = {frame["function"]: frame for frame in data["profile"]["frames"]}
    assert frames["sort"]["in_app"] is False
    assert frames["load_items"] == {
        "function": "load_items",
        "module": "code",
        "filename": "code.py",
        "abs_path": "/app/code.py",
        "lineno": 30,
        "in_app": True,
    }


def test_what_sentry_would_refuse_is_said():
    d = Drawing(tick_ns=1_000_000)
    for _ in range(7):
        d.add_pass(10_000, [(0, "a")])
    with pytest.warns(UserWarning, match="up to 66 s"):
        chunk(d.profile())
