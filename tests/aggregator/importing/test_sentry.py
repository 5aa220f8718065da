"""Sentry's profiles: version 1 with its transaction, chunks of version 2, envelopes."""

from __future__ import annotations

import json

import pytest

from flamespan.aggregator import load
from flamespan.profiler.errors import SampleFileError
from helpers.drawn import folded
from helpers.imports import names, read_or_refuse

MS = 1_000_000
FRAMES = [
    {"function": "main", "module": "app", "abs_path": "/srv/app.py", "lineno": 3, "in_app": True},
    {"function": "work", "filename": "app.py", "lineno": 9},
]


def v1(samples, **more):
    """Samples are (ms, thread, stack)."""
    told = [
        {"elapsed_since_start_ns": str(t * MS), "thread_id": thread, "stack_id": stack}
        for t, thread, stack in samples
    ]
    profile = {
        "samples": told,
        "stacks": [[0], [1, 0], []],
        "frames": FRAMES,
        "thread_metadata": {"11": {"name": "MainThread"}},
    }
    return {"version": "1", "platform": "python", "profile": profile} | more


def v2(samples):
    told = [
        {"timestamp": 1_700_000_000 + t / 1000, "thread_id": thread, "stack_id": stack}
        for t, thread, stack in samples
    ]
    body = v1([])
    body["profile"]["samples"] = told
    return body | {"version": "2", "chunk_id": "c", "profiler_id": "p"}


def file(tmp_path, *values):
    path = tmp_path / "x.json"
    path.write_text("\n".join(json.dumps(value) for value in values))
    return path


def test_time_is_charged_to_the_stack_seen_after_it(tmp_path):
    """The definition everything here uses; Sentry's would charge the 90 ms to ``main``."""
    path = file(tmp_path, v1([(0, "11", 1), (10, "11", 0), (100, "11", 1), (110, "11", 0)]))
    imported = read_or_refuse(path)
    assert names(imported) == {"main;work": (10 + 90) * MS, "main": (10 + 10) * MS}


def test_threads_frames_and_times(tmp_path):
    profile = load(file(tmp_path, v2([(0, "11", 0), (0, "12", 1), (10, "11", 0), (10, "12", 2)])))
    assert [t.name for t in profile.tables.threads] == ["MainThread", "thread 12"]
    assert profile.thread("MainThread").total_ns == 20 * MS
    assert profile.thread("thread 12").total_ns == 10 * MS, "an empty stack is no time at work"
    assert profile.rows.time_ns.max() == 1_700_000_000_010_000_000
    table = profile.lines()
    assert set(zip(table["function"], table["file"], table["line"], strict=True)) == {
        ("main", "/srv/app.py", 3),
        ("work", "app.py", 9),
    }


def test_the_transaction_of_version_1(tmp_path):
    body = v1(
        [(t, "11", 0) for t in range(0, 100, 10)] + [(t, "12", 1) for t in range(0, 100, 10)],
        timestamp="2024-01-01T00:00:00+00:00",
        transaction={
            "name": "GET /", "active_thread_id": "11",
            "relative_start_ns": 20 * MS, "relative_end_ns": str(60 * MS),
        },
    )  # fmt: skip
    profile = load(file(tmp_path, body))
    row = profile.transactions().iloc[0]
    assert row["transaction"] == "GET /"
    inside = profile.transaction("GET /")
    assert inside.total_ns == 40 * MS
    assert [profile.tables.threads[i].name for i in set(inside.rows.thread)] == ["MainThread"]
    assert profile.processes[0].first_ns // 10**9 in (1_704_067_199, 1_704_067_200)


def test_an_envelope_with_two_chunks(tmp_path):
    first, second = v2([(0, "11", 0), (10, "11", 0)]), v2([(20, "11", 1), (30, "11", 1)])
    path = file(tmp_path, {"event_id": "1"}, {"type": "profile_chunk"}, first, {}, second)
    assert folded(load(path)) == {
        "main (/srv/app.py)": 20 * MS,
        "main (/srv/app.py);work (app.py)": 20 * MS,
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (v1([(0, "11", 5)]), r"profile.samples\[0\].stack_id: 5 is no index of 3"),
        (v1([]), "holds no samples"),
        ({"profile": {"samples": {}, "stacks": [], "frames": []}}, "samples: is no list"),
        ({"profile": {"samples": [3], "stacks": [[]], "frames": []}}, "is no object"),
        ({"profile": {"samples": [], "stacks": [[4]], "frames": []}}, r"stacks\[0\]\[0\]: 4"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path, body, reason):
    with pytest.raises(SampleFileError, match=reason):
        load(file(tmp_path, body))
