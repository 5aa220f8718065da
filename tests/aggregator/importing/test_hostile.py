"""No importer hangs, eats memory or raises anything but an error with the file's name."""

from __future__ import annotations

import cProfile
import gzip
import json
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flamespan.aggregator import exporting, load
from flamespan.aggregator.importing import IMPORTERS, detect, import_file
from flamespan.profiler.errors import SampleFileError
from helpers.imports import check, read_or_refuse
from helpers.scenes import shop

FUZZ = settings(
    max_examples=300, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory) -> list[bytes]:
    """A good file of every kind, gzip unpacked (what is packed cannot be changed usefully)."""
    folder = tmp_path_factory.mktemp("seeds")
    profile = shop().profile()
    found = []
    for name in ("collapsed", "speedscope", "pprof", "sentry"):
        path = folder / name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            exporting.export(profile, name, path)
        data = path.read_bytes()
        found.append(gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data)
    profiler = cProfile.Profile()
    profiler.runcall(sorted, [3, 2, 1], key=str)
    profiler.dump_stats(folder / "pstats")
    found.append((folder / "pstats").read_bytes())
    found.append(b"# austin: 3.7.0\n# mode: full\nP7;T0:8;a:f:1;b:g:2 10,0,8\nP7;T0:8 20,1,-4\n")
    found.append(b"tid:1;a:f:1;~:<GC>:0 2\ntid:2;b:g:1 3\n")
    return found


changes = st.lists(
    st.tuples(
        st.sampled_from(["set", "cut", "repeat", "insert", "swap"]),
        st.integers(0, 1 << 30),
        st.integers(0, 1 << 30),
        st.binary(min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=5,
)


def changed(data: bytes, how) -> bytes:
    for kind, a, b, extra in how:
        here, there = a % (len(data) + 1), b % (len(data) + 1)
        first, last = min(here, there), max(here, there)
        if kind == "set":
            data = data[:here] + extra + data[here + len(extra) :]
        elif kind == "cut":
            data = data[:first] + data[min(last, first + 64) :]
        elif kind == "repeat":
            data = data[:last] + data[first:last][:64] * 3 + data[last:]
        elif kind == "insert":
            data = data[:here] + extra + data[here:]
        else:
            data = data[first:last] + data[:first] + data[last:]
    return data


@given(st.integers(0, 6), changes)
@FUZZ
def test_changed_files_are_read_or_refused(seeds, tmp_path, which, how):
    path = tmp_path / "x"
    path.write_bytes(changed(seeds[which], how))
    read_or_refuse(path)


@given(st.sampled_from(list(IMPORTERS)), st.binary(max_size=400))
@FUZZ
def test_any_bytes_are_read_or_refused_by_every_importer(tmp_path, kind, data):
    path = tmp_path / "x"
    path.write_bytes(data)
    refused = None
    try:
        check(import_file(path, kind, 3))
    except SampleFileError as error:
        refused = error
    assert refused is None or (refused.path == str(path) and refused.reason)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["shared", "frames", "profiles", "samples", "weights", "stacks", "profile", "type",
             "name", "unit", "events", "frame", "at", "thread_id", "stack_id", "timestamp",
             "thread_metadata", "transaction", "elapsed_since_start_ns", "endValue"]
        ),
        inner | st.just("sampled") | st.just("evented") | st.just("seconds"),
        max_size=6,
    ),
    max_leaves=40,
)  # fmt: skip
bodies = st.dictionaries(st.sampled_from(["shared", "profiles", "profile", "version"]), json_values)
speedscopes = st.builds(
    lambda frames, profiles: {"shared": {"frames": frames}, "profiles": profiles},
    json_values,
    st.lists(json_values, max_size=3),
)
sentries = st.builds(
    lambda a, b, c, d: {"profile": {"samples": a, "stacks": b, "frames": c, "thread_metadata": d}},
    st.lists(json_values, max_size=3),
    st.lists(st.lists(st.integers(0, 3), max_size=3), max_size=3),
    st.lists(json_values, max_size=3),
    json_values,
)


@given(bodies | speedscopes | sentries)
@FUZZ
def test_any_json_is_read_or_refused(tmp_path, body):
    path = tmp_path / "x"
    path.write_text(json.dumps(body))
    read_or_refuse(path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a": ' + b"[" * 100_000, "nested too deep"),
        (b'{"a": ' + b"1" * 6000 + b"}", "no JSON"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": 1} x', "no JSON"),
        (b'{"a": "\xff"}', "no text in UTF-8"),
        (b'{"a": 1}', r"known \(keys: a\)"),
        (b'{"traceEvents": []}', "can be written but not read"),
        (b"{}", "known"),
    ],
)
def test_json_that_is_none_is_refused_with_the_place(tmp_path, data, reason):
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(SampleFileError, match=reason):
        load(path)


def test_json_that_would_fill_the_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("flamespan.aggregator.importing.source.MOST_JSON_MEMORY", 1 << 20)
    path = tmp_path / "x.json"
    path.write_bytes(b'{"profiles": [' + b"[],"[:3] * 20_000 + b"[]]}")
    with pytest.raises(SampleFileError, match="GiB of memory"):
        load(path)


@pytest.mark.parametrize("start", [b'{"a": "', b"a;b ", b"P7;T0:8;"])
def test_a_gzip_bomb_is_not_unpacked(tmp_path, start):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(start + b"0" * (80 << 20)))
    with pytest.raises(SampleFileError, match="more than a profile can be"):
        load(path)


def test_damaged_gzip(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"a;b 3\n" * 1000)[:-9])
    with pytest.raises(SampleFileError, match="damaged gzip"):
        load(path)
    path.write_bytes(b"\x1f\x8bnothing")
    assert detect(path.read_bytes()) is None
