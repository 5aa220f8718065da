"""pytest --flamespan in real runs of pytest, alone and with workers."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from flamespan.aggregator import load

TESTS = """
import time
import unittest
import pytest


def compute(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


@pytest.fixture
def slow_fixture():
    compute(0.2)


def test_slow(slow_fixture):
    compute(0.4)


@pytest.mark.parametrize("name", ["a[1]", "b*"])
def test_quick(name):
    compute(0.05)


def test_fails():
    assert compute(0.05)


@pytest.mark.skip(reason="not now")
def test_skipped():
    pass


@pytest.mark.xfail
def test_expected():
    raise LookupError


@pytest.mark.xfail
def test_better():
    pass


class TestParts(unittest.TestCase):
    def test_parts(self):
        with self.subTest("one"):
            raise LookupError
"""
OUTCOMES = {
    "test_it.py::test_slow": ("ok", "passed"),
    "test_it.py::test_quick[a[1]]": ("ok", "passed"),
    "test_it.py::test_quick[b*]": ("ok", "passed"),
    "test_it.py::test_fails": ("error", "failed"),
    "test_it.py::test_skipped": ("ok", "skipped"),
    "test_it.py::test_expected": ("ok", "xfailed"),
    "test_it.py::test_better": ("ok", "xpassed"),
    "test_it.py::TestParts::test_parts": ("error", "failed"),
}


def run(folder, *words):
    (folder / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir=.", *words]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_each_test_is_a_transaction(tmp_path, workers):
    if workers:
        pytest.importorskip("xdist")
    code, said = run(tmp_path, *workers, "--flamespan=prof", "--flamespan-slowest=2")
    assert code == 1, said
    # A subtest that fails is counted, too, or not, by the version of pytest.
    assert re.search(r"2 failed, [34] passed, 1 skipped, 1 xfailed, 1 xpassed", said), said
    runs = list((tmp_path / "prof").iterdir())
    assert len(runs) == 1
    assert len(list(runs[0].glob("*.fspan"))) == (2 if workers else 1)
    profile = load(runs[0])
    table = profile.transactions(instances=True).set_index("transaction")
    tags = profile.tables.spans.tags
    seen = {name: (row["status"], tags[row["row"]]["outcome"]) for name, row in table.iterrows()}
    assert seen == OUTCOMES
    spans = profile.transaction("test_it.py::test_slow").spans().set_index("op")["total_ns"]
    assert spans["test.setup"] > 190_000_000
    assert spans["test.call"] > 390_000_000
    summary = said[said.index("flamespan: slowest tests") :]
    lines = summary.splitlines()
    assert "test_it.py::test_slow" in lines[1]
    assert "compute (" in lines[2]
    assert f"flamespan view {runs[0]}" in summary


def test_without_the_option_nothing_is_recorded_or_loaded(tmp_path):
    (tmp_path / "conftest.py").write_text(
        "import sys\n"
        "def pytest_unconfigure():\n"
        "    loaded = [m for m in sys.modules if m.startswith('flamespan')]\n"
        "    print('LOADED', sorted(loaded))\n"
    )
    _, said = run(tmp_path, "-s")
    assert "LOADED ['flamespan', 'flamespan.profiler', 'flamespan.profiler.integrations'" in said
    assert "flamespan.aggregator" not in said
    assert "flamespan.profiler.session" not in said
    assert not (tmp_path / "profiles").exists()


def test_a_rate_that_cannot_be_is_said_by_the_run(tmp_path):
    code, said = run(tmp_path, "--flamespan=prof", "--flamespan-rate=0")
    assert code == 4
    assert "--flamespan: " in said
    assert "rate" in said
