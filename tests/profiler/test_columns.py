"""Columns: every value comes back, damage is named, small bytes cannot become gigabytes."""

from __future__ import annotations

import importlib
import struct
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamespan.profiler import columns

UNSIGNED = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 300))
SIGNED = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3))
NEAR = st.lists(st.integers(-(2**61), 2**61))
TEXTS = st.lists(st.text() | st.sampled_from(["\udc80", "名前", "\x00"]))


@given(UNSIGNED, SIGNED, NEAR, TEXTS, st.lists(st.floats(allow_nan=False)))
def test_round_trip(unsigned, signed, near, texts, floats):
    payload = (
        columns.pack_unsigned(1, unsigned)
        + columns.pack_signed(2, signed)
        + columns.pack_deltas(3, near)
        + columns.pack_strings(4, texts)
        + columns.pack_floats(5, floats)
    )
    found = columns.unpack(payload)
    assert [list(found[i]) for i in range(1, 6)] == [unsigned, signed, near, texts, floats]


@given(NEAR, st.lists(st.sampled_from(["a", "b", "名前", "\udc80"])), st.integers(0, 70_000))
def test_the_c_core_packs_the_same_bytes(near, texts, first):
    pytest.importorskip("flamespan.profiler.engine._native", exc_type=ImportError)
    importlib.import_module("flamespan.profiler.engine.spancore")  # which has columns use it
    assert columns.pack_deltas(1, array("q", near)) == columns.pack_deltas(1, near)
    ids = {"a": first, "b": 300, "名前": 2**32 - 1, "\udc80": 0}
    numbers = [ids[text] for text in texts]
    assert columns.pack_ids(2, ids, texts) == columns.pack_unsigned(2, numbers)
    assert columns.pack_ids(2, ids, [*texts, "unknown"]) is None
    assert columns.pack_ids(2, ids, [*texts, []]) is None


@given(UNSIGNED.filter(any), st.data())
def test_every_cut_is_noticed(values, data):
    payload = columns.pack_unsigned(1, values) + columns.pack_strings(2, ["a", "bc"])
    whole = len(columns.pack_unsigned(1, values))
    cut = data.draw(st.integers(1, len(payload) - 1))
    if cut == whole:
        assert 2 not in columns.unpack(payload[:cut])
    else:
        with pytest.raises(columns.ColumnError):
            columns.unpack(payload[:cut])


@given(st.binary(max_size=200))
def test_any_bytes_end_in_columns_or_an_error(payload):
    try:
        found = columns.unpack(payload)
    except ValueError:
        return
    assert all(isinstance(column, int) for column in found)


@pytest.mark.parametrize(
    "payload",
    [
        struct.pack("<BBI", 1, 0, columns.MAX_ROWS + 1),
        struct.pack("<BBI", 1, 0, columns.MAX_ROWS) * 9,
        struct.pack("<BBI", 1, 3, 4) + bytes(12),
        struct.pack("<BBI", 1, 0x84, 1) + bytes(4),
        struct.pack("<BBI", 1, 0x51, 1) + bytes(7),
        struct.pack("<BBI", 1, columns.STRINGS, 5) + struct.pack("<BBI", 0, 0, 4),
    ],
    ids=[
        "too many rows",
        "too many rows together",
        "odd width",
        "unknown coding",
        "no first",
        "lengths",
    ],
)
def test_hostile_columns(payload):
    with pytest.raises(columns.ColumnError):
        columns.unpack(payload)


def test_narrow_and_empty_columns_are_small():
    assert len(columns.pack_unsigned(1, [0] * 10_000)) == 6
    assert len(columns.pack_unsigned(1, [])) == 6
    assert len(columns.pack_deltas(1, range(2**40, 2**40 + 100))) == 6 + 8 + 99
    assert len(columns.pack_unsigned(1, [255] * 100)) == 106
    assert len(columns.pack_unsigned(1, [256] * 100)) == 206
