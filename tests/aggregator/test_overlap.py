"""Stretches cut to one at a time, nanosecond by nanosecond."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from flamespan.aggregator.overlap import Stretches

ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 15), st.integers(0, 12), st.integers(0, 2)),
    max_size=10,
)


def cover(rows):
    """(domain, nanosecond) → keys of the stretches over it that end first."""
    found = {}
    for domain, start, length, key in sorted(rows, key=lambda row: row[1] + row[2]):
        for time in range(start + 1, start + length + 1):
            ends, keys = found.setdefault((domain, time), (start + length, set()))
            if ends == start + length:
                keys.add(key)
    return found


@given(ROWS)
@example([(0, 1, 1, 0), (0, 0, 12, 1)])  # the longer one is on both sides of the shorter
@example([(0, 4, 0, 2), (0, 0, 11, 0)])  # one without any length
def test_who_ends_first_keeps_the_time(rows):
    domain, start, length, key = np.array(rows, np.int64).reshape(-1, 4).T
    domain, key = domain.astype(np.int32), key.astype(np.int32)
    cut = Stretches(domain, start, start + length, key).one_at_a_time()
    seen = {}
    columns = (cut.domain, cut.start_ns, cut.end_ns, cut.key)
    for where, begin, end, whose in zip(*(column.tolist() for column in columns), strict=True):
        assert begin < end
        for time in range(begin + 1, end + 1):
            assert (where, time) not in seen
            seen[where, time] = whose
    expected = cover(rows)
    assert seen.keys() == expected.keys()
    assert all(whose in expected[place][1] for place, whose in seen.items())
    pairs = list(zip(cut.domain.tolist(), cut.start_ns.tolist(), strict=True))
    assert pairs == sorted(pairs)
