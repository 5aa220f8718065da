"""Frames and stacks decoded all at once, against the reader that takes a block at a time."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamespan.aggregator.decode import read_content
from flamespan.aggregator.definitions import DefinitionBlocks, UnusualError
from flamespan.profiler import columns
from flamespan.profiler.blocks import StringIds, pack_definitions, unpack_definitions
from flamespan.profiler.model import Definitions, Function, Header, Tables, Thread
from flamespan.profiler.samplefile import DEFS, SampleReader, SampleWriter

NUMBERS = st.integers(0, 2**62)


def _blocks(parts):
    """Definitions of several flushes; ``parts`` are numbers that choose what refers to what."""
    functions = frames = stacks = 1
    found = []
    for new_functions, new_frames, new_stacks in parts:
        d = Definitions(first_function=functions, first_frame=frames, first_stack=stacks)
        for number in new_functions:
            d.functions.append(Function(f"f{number}", "/app/code.py", number % 9999))
        functions += len(new_functions)
        for number in new_frames:
            d.frame_function.append(number % functions)
            d.frame_line.append(number % (1 << 32))
        frames += len(new_frames)
        for number in new_stacks:
            d.stack_parent.append(number % stacks)
            d.stack_frame.append(number % frames)
            stacks += 1
        d.threads = [Thread(0, 100, 200, "main", True)] if not found else []
        found.append(d)
    return found


flushes = st.lists(
    st.tuples(*(st.lists(NUMBERS, max_size=n) for n in (3, 9, 40))), min_size=1, max_size=6
).map(_blocks)


def _payloads(blocks):
    strings = StringIds()
    for d in blocks:
        packed = pack_definitions(d, strings)
        yield strings.pack_new() + packed


def _known(tables):
    stacks = tables.stacks
    return (
        tables.functions,
        tables.frame_function,
        tables.frame_line,
        stacks.parent,
        stacks.frame,
        tables.threads,
    )


@given(flushes)
@settings(deadline=None)
def test_all_at_once_is_the_same_as_block_by_block(blocks):
    slow, fast = Tables(), Tables()
    defining, strings, others = DefinitionBlocks(), {}, {}
    for payload in _payloads(blocks):
        slow.add(unpack_definitions(columns.unpack(payload), others))
        fast.add(defining.take(payload, strings))
    defining.add_to(fast)
    assert _known(fast) == _known(slow)


def _one(**more):
    d = Definitions(first_function=1, first_frame=1, first_stack=1)
    d.functions = [Function("f", "/app/code.py", 1)]
    d.frame_function, d.frame_line = array("I", [1]), array("I", [3])
    d.stack_parent, d.stack_frame = array("I", [0]), array("I", [1])
    for name, value in more.items():
        setattr(d, name, value)
    return d


@pytest.mark.parametrize(
    "odd",
    [
        {"first_stack": 5},
        {"first_frame": 2},
        {"stack_parent": array("I", [1])},
        {"stack_frame": array("I", [9])},
        {"frame_function": array("I", [7])},
        {"stack_frame": array("I", [1, 1])},
    ],
)
def test_what_is_not_as_written_is_left_to_the_other_reader(odd):
    (payload,) = _payloads([_one(**odd)])
    with pytest.raises(UnusualError):
        _all_at_once(payload)


def _all_at_once(payload):
    defining, tables = DefinitionBlocks(), Tables()
    tables.add(defining.take(payload, {}))
    defining.add_to(tables)


@pytest.mark.parametrize("gone", range(3))
def test_a_file_without_one_of_its_blocks_reads_as_block_by_block(tmp_path, gone):
    whole = _blocks([([1, 2], [5, 6, 7], list(range(30)))] * 3)
    path = tmp_path / "holes.fspan"
    writer = SampleWriter(path, Header(session_id="s"))
    for d in whole:
        writer.flush(d)
    writer.close()
    data = bytearray(path.read_bytes())
    lost = [raw for raw in SampleReader(path)._raw_blocks() if raw.kind == DEFS][gone]
    data[lost.offset + 30] ^= 0xFF  # its CRC is wrong now
    path.write_bytes(data)
    slow = SampleReader(path).read()
    content = read_content(SampleReader(path))
    assert slow.loss == content.loss
    assert slow.loss.blocks or slow.loss.tail_bytes
    assert _known(content.tables) == _known(slow.tables)
