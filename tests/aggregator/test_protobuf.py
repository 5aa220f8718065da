"""Many numbers encoded at once, against one at a time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flamespan.aggregator.protobuf import varint, varints


@given(st.lists(st.integers(0, 2**63 - 1) | st.sampled_from([0, 127, 128, 16383, 16384])))
def test_many_varints(numbers):
    data, starts = varints(np.array(numbers, np.int64))
    assert data == b"".join(map(varint, numbers))
    assert [data[a:b] for a, b in pairwise(starts)] == [varint(number) for number in numbers]
