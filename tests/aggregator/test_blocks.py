"""Blocks of samples as numpy columns, against the standard library's reader of the same bytes."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamespan.aggregator import blocks
from flamespan.profiler import blocks as model_blocks
from flamespan.profiler import columns
from flamespan.profiler.model import Samples

NAMES = {
    blocks.PASS_TICKS: "pass_ticks",
    blocks.PASS_SAMPLES: "pass_samples",
    blocks.PASS_UNOBSERVED: "pass_unobserved",
    blocks.PASS_MISSED: "pass_missed",
    blocks.THREAD: "thread",
    blocks.STACK: "stack",
    blocks.SPAN: "span",
    blocks.WALL_EXTRA: "wall_extra",
    blocks.CPU_TICKS: "cpu_ticks",
    blocks.STATE: "state",
    blocks.FLAGS: "flags",
}
sizes = st.sampled_from([0, 255, 256, 65535, 65536, 2**24, 2**32 - 1])
wide = sizes | st.integers(0, 2**50)


def _samples(ticks, rows, tick_ns):
    s = Samples(tick_ns=tick_ns, start_ticks=7)
    for tick, unobserved, missed in ticks:
        s.pass_ticks.append(tick)
        s.pass_unobserved.append(unobserved)
        s.pass_missed.append(missed)
        s.pass_samples.append(0)
    for thread, stack, span, extra, cpu, state in rows if ticks else []:
        s.pass_samples[-1] += 1
        for name, value in zip(
            ("thread", "stack", "span", "wall_extra", "cpu_ticks", "state", "flags"),
            (thread, stack, span, extra, cpu, state, 0),
            strict=True,
        ):
            getattr(s, name).append(value)
    return s


samples = st.builds(
    _samples,
    st.lists(st.tuples(wide, wide, st.integers(0, 300)), max_size=3),
    st.lists(
        st.tuples(sizes, sizes, wide, st.integers(-(2**40), 2**40), wide, st.integers(0, 6)),
        max_size=6,
    ),
    st.sampled_from([1, 1000]),
)


@given(st.lists(samples, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_a_run_of_blocks_is_what_its_blocks_are(several):
    run = blocks.SampleBlocks()
    expected = {name: [] for name in NAMES.values()}
    for one in several:
        payload = model_blocks.pack_samples(one)
        run.add(payload)
        whole = model_blocks.unpack_samples(columns.unpack(payload))
        for name, values in expected.items():
            values += list(getattr(whole, name))
    for column, name in NAMES.items():
        assert run.take(column).astype(np.int64).tolist() == expected[name], name
    assert run.tick_ns == [one.tick_ns for one in several]
    assert run.samples == sum(len(one) for one in several)


@given(samples)
def test_codings_that_are_not_usual_are_read_too(one):
    """Deltas, signed columns, and columns of a later minor version."""
    payload = columns.pack_deltas(1, [one.tick_ns, one.start_ticks])
    for column, name in NAMES.items():
        payload += columns.pack_deltas(column, array("q", getattr(one, name)))
    payload += columns.pack_strings(99, ["later"])
    run = blocks.SampleBlocks()
    run.add(payload)
    for column, name in NAMES.items():
        assert run.take(column).astype(np.int64).tolist() == list(getattr(one, name)), name


@given(samples, st.integers(0, 1000), st.binary(min_size=1, max_size=4))
@settings(max_examples=200)
def test_damaged_payloads_are_refused_or_read_as_the_other_reader_does(one, place, change):
    payload = model_blocks.pack_samples(one)
    place %= len(payload)
    damaged = payload[:place] + change + payload[place + len(change) :]
    run = blocks.SampleBlocks()
    try:
        run.add(damaged)
    except (ValueError, KeyError, OverflowError):
        return
    whole = model_blocks.unpack_samples(columns.unpack(damaged))
    assert run.take(blocks.STACK).astype(np.int64).tolist() == list(whole.stack)


def test_a_block_that_is_refused_leaves_the_run_as_it_was():
    one = _samples([(1, 0, 0)], [(1, 2, 3, 0, 4, 1)], 1)
    run = blocks.SampleBlocks()
    run.add(model_blocks.pack_samples(one))
    one.pass_samples[0] = 5
    with pytest.raises(ValueError, match="do not add up"):
        run.add(model_blocks.pack_samples(one))
    assert run.samples == len(run.take(blocks.STACK)) == 1
