"""Parquet: the columns that are promised, and their sums."""

from __future__ import annotations

import io
import sys

import pytest

from flamespan.aggregator import exporting
from flamespan.profiler.errors import UsageError
from helpers.drawn import Drawing
from helpers.scenes import shop


def table(profile):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow: flamespan[arrow]")
    file = io.BytesIO()
    exporting.write(profile, "parquet", file)
    return parquet.read_table(file).to_pylist()


@pytest.mark.parametrize(
    "view", [lambda p: p, lambda p: p.all_states(), lambda p: p.application_frames()]
)
def test_rows_add_up_to_the_folded_stacks(view):
    profile = view(shop().profile())
    found = {}
    for row in table(profile):
        found[";".join(row["stack"])] = found.get(";".join(row["stack"]), 0) + row["wall_ns"]
        assert row["function"] == row["stack"][-1]
        assert row["pid"] == 7
    assert found == profile.folded()


def test_transactions_threads_and_counts():
    rows = table(shop().profile())
    by_transaction = {}
    for row in rows:
        by_transaction.setdefault(row["transaction"], []).append(row)
    assert set(by_transaction) == {None, "GET /cart", "GET /slow"}
    assert [row["thread"] for row in by_transaction[None]] == ["worker-1"]
    assert sum(row["samples"] for row in rows) == 36
    assert sum(row["cpu_ns"] for row in rows) == 36 * 6_000_000


def test_a_sample_without_frames_and_an_empty_view():
    d = Drawing()
    d.add_pass(5, [(0, "")])
    assert [row["stack"] for row in table(d.profile())] == [["<no stack>"]]
    assert table(shop().profile().states("gc")) == []


def test_without_pyarrow_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'flamespan\[arrow\]'"):
        exporting.write(shop().profile(), "parquet", io.BytesIO())
