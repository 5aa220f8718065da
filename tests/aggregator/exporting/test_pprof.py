"""pprof by a slow reader of our own, and by Go's own tool."""

from __future__ import annotations

import io
import re
import shutil
import subprocess

import pytest

from flamespan.aggregator import exporting
from helpers.drawn import Drawing, folded
from helpers.scenes import MS, shop
from helpers.wire import Pprof


def written(profile) -> bytes:
    file = io.BytesIO()
    exporting.write(profile, "pprof", file)
    return file.getvalue()


@pytest.fixture(scope="module")
def profile():
    return shop().profile()


def test_values_labels_and_lines(profile):
    data = Pprof(written(profile))
    assert data.types == [
        ("samples", "count"),
        ("wall", "nanoseconds"),
        ("cpu", "nanoseconds"),
        ("wait", "nanoseconds"),
    ]
    assert data.default == "wall"
    assert data.folded("wall") == folded(profile)
    cpu = folded(profile.clock("cpu"))
    assert data.folded("cpu") == {stack: ns for stack, ns in cpu.items() if ns}
    assert sum(values[0] for _, values, _ in data.samples) == len(profile.selected)
    labels = {label["thread"]: label for _, _, label in data.samples if label.get("transaction")}
    assert labels["MainThread"]["thread_id"] == 200
    assert labels["MainThread"]["pid"] == 7
    assert {label.get("transaction") for _, _, label in data.samples} == {
        "GET /cart",
        "GET /slow",
        None,
    }
    lines = {(name, line) for frames, _, _ in data.samples for name, _, _, line in frames}
    assert {("cart", 12), ("cart", 14), ("cart", 15), ("walk", 3), ("walk", 4)} <= lines


def test_the_same_profile_gives_the_same_bytes(profile):
    assert written(profile) == written(shop().profile())


def test_a_sample_without_frames_and_an_empty_view(profile):
    d = Drawing()
    d.add_pass(5, [(0, "")])
    assert Pprof(written(d.profile())).folded("wall") == {"<no stack>": 5}
    assert Pprof(written(profile.states("gc"))).samples == []


@pytest.fixture(scope="module")
def pprof_tool():
    go = shutil.which("go") or pytest.skip("go is not installed (Debian: golang-go)")
    return [go, "tool", "pprof"]


@pytest.mark.go
def test_go_tool_pprof_shows_our_self_and_total_times(profile, pprof_tool, tmp_path):
    path = tmp_path / "shop.pb.gz"
    exporting.export(profile, "pprof", path)
    command = [*pprof_tool, "-top", "-unit=ms", "-nodefraction=0", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    rows = re.findall(
        r"^\s*(\d+)(?:ms)?\s+\S+%\s+\S+%\s+(\d+)(?:ms)?\s+\S+%\s+(\S+)", done.stdout, re.M
    )
    found = {name: (int(own) * MS, int(total) * MS) for own, total, name in rows}
    table = profile.functions()
    ours = zip(table["function"], table["self_ns"], table["total_ns"], strict=True)
    assert found == {name: (own, total) for name, own, total in ours}


@pytest.mark.go
def test_go_tool_pprof_focuses_on_a_transaction(profile, pprof_tool, tmp_path):
    path = tmp_path / "shop.pb.gz"
    exporting.export(profile, "pprof", path)
    command = [*pprof_tool, "-raw", "-tagfocus=transaction=GET /cart", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    walls = re.findall(r"^\s+\d+\s+(\d+)\s+\d+\s+\d+:", done.stdout, re.M)
    assert sum(map(int, walls)) == profile.transaction("GET /cart").total_ns
