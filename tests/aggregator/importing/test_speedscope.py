"""speedscope files of any producer: sampled, evented, broken."""

from __future__ import annotations

import gzip
import json

import pytest

from flamespan.aggregator import load
from flamespan.profiler.errors import SampleFileError
from helpers.imports import names, read_or_refuse, rows

MS = 1_000_000
FRAMES = [{"name": "main", "file": "a.py", "line": 1}, {"name": "f", "file": "a.py", "line": 7}]


def file(tmp_path, *profiles, frames=FRAMES, **more):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"shared": {"frames": frames}, "profiles": list(profiles)} | more))
    return path


def sampled(samples, weights, unit="milliseconds", name="one"):
    return {
        "type": "sampled", "name": name, "unit": unit, "startValue": 0,
        "endValue": sum(weights), "samples": samples, "weights": weights,
    }  # fmt: skip


def evented(events, end, unit="milliseconds", start=0):
    told = [{"type": kind, "frame": frame, "at": at} for kind, frame, at in events]
    return {
        "type": "evented", "name": "e", "unit": unit, "startValue": start,
        "endValue": end, "events": told,
    }  # fmt: skip


def test_sampled_weights_and_times(tmp_path):
    imported = read_or_refuse(file(tmp_path, sampled([[0, 1], [], [0]], [2, 5, 0.5])))
    assert names(imported) == {"main;f": 2 * MS, "main": MS // 2}
    assert list(imported.time_ns) == [2 * MS, 7_500_000]


@pytest.mark.parametrize(
    ("unit", "ns"),
    [("nanoseconds", 1), ("microseconds", 1000), ("seconds", 10**9), ("none", 1)],
)
def test_units(tmp_path, unit, ns):
    assert names(read_or_refuse(file(tmp_path, sampled([[0]], [3], unit)))) == {"main": 3 * ns}


def test_counts_of_samples_take_the_users_unit(tmp_path):
    path = file(tmp_path, sampled([[0]], [3], "none"))
    assert load(path, unit_ns=10 * MS).total_ns == 30 * MS
    assert any("--unit" in note for note in load(path).processes[0].notes)


def test_evented_time_goes_to_the_innermost_open_frame(tmp_path):
    events = [("O", 0, 10), ("O", 1, 12), ("O", 1, 15), ("C", 1, 15), ("C", 1, 18), ("C", 0, 20)]
    imported = read_or_refuse(file(tmp_path, evented(events, 30, start=10)))
    assert rows(imported) == [
        ([("main", "a.py", 1, 1)], 2 * MS),
        ([("main", "a.py", 1, 1), ("f", "a.py", 7, 7)], 3 * MS),
        ([("main", "a.py", 1, 1), ("f", "a.py", 7, 7)], 3 * MS),
        ([("main", "a.py", 1, 1)], 2 * MS),
    ]
    assert list(imported.time_ns) == [2 * MS, 5 * MS, 8 * MS, 10 * MS]


def test_lines_that_were_running_make_one_function(tmp_path):
    frames = [{"name": "f", "file": "a.py", "line": line} for line in (4, 5)]
    path = file(tmp_path, sampled([[0], [1]], [1, 2]), frames=frames)
    assert list(load(path).functions()["self_ns"]) == [3 * MS]
    assert sorted(load(path).lines()["line"]) == [4, 5]
    ours = file(tmp_path, sampled([[0], [1]], [1, 2]), frames=frames, exporter="flamespan@1")
    assert sorted(load(ours).functions()["line"]) == [4, 5]


def test_py_spys_threads(tmp_path):
    frames = [{"name": "thread (9): worker"}, *FRAMES]
    path = file(
        tmp_path,
        sampled([[0, 1]], [1], name='Thread 9 "worker"'),
        sampled([[0, 2]], [1], name='Process 7:"python x" Thread 0x1F "MainThread"'),
        frames=frames,
    )
    profile = load(path)
    threads = [(t.name, t.ident, t.native_id, t.process) for t in profile.tables.threads]
    assert threads == [("worker", 0, 9, 0), ("MainThread", 31, 0, 1)]
    assert [process.header.pid for process in profile.processes] == [0, 7]
    assert set(profile.functions()["function"]) == {"main", "f"}


def test_packed_by_gzip(tmp_path):
    path = file(tmp_path, sampled([[0]], [3]))
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert load(path).total_ns == 3 * MS


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        (sampled([[0], [7]], [1, 1]), r"profiles\[0\].samples\[1\]\[0\]: 7 is no index of 2"),
        (sampled([[0], [True]], [1, 1]), r"True is no index|0 is no"),
        (sampled([[0], [[0]]], [1, 1]), r"profiles\[0\].samples\[1\]"),
        (sampled([[0], 3], [1, 1]), r"samples\[1\]: is no list"),
        (sampled([[0]], [1, 1]), r"profiles\[0\]: 1 samples but 2 weights"),
        (sampled([[0]], [-1]), r"weights\[0\]: a negative weight"),
        (sampled([[0]], [1e300]), "is too large"),
        (sampled([[0]], [10**30]), "292 years"),
        (sampled([[0]], [1], "bytes"), "bytes of memory, not time"),
        ({"type": "x", "name": "", "unit": "none"}, "neither sampled nor evented"),
        (evented([("C", 0, 1)], 2), r"events\[0\]: closes frame 0"),
        (evented([("O", 0, 1), ("O", 1, 2), ("C", 0, 3)], 4), r"events\[2\]: closes frame 0"),
        (evented([("O", 0, 3), ("C", 0, 2)], 4), r"events\[1\].at: 2 is before"),
        (evented([("X", 0, 3)], 4), "neither O nor C"),
        (evented([], 4), "holds no samples"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path, profile, reason):
    with pytest.raises(SampleFileError, match=reason) as caught:
        load(file(tmp_path, profile))
    assert caught.value.path == str(tmp_path / "x.json")
