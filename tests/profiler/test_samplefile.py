"""The sample file: whole, cut at every byte, damaged anywhere, from another version, hostile."""

from __future__ import annotations

import os
import struct
import zlib
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamespan.profiler.errors import SampleFileError
from flamespan.profiler.model import (
    LOST,
    Definitions,
    End,
    Function,
    Header,
    Samples,
    SpanEnd,
    SpanEvents,
    SpanMeasurement,
    SpanStart,
    SpanTag,
    Stats,
    Thread,
)
from flamespan.profiler.samplefile import (
    BLOCK_HEAD,
    DEFS,
    FILE_HEAD,
    MAGIC,
    MAJOR,
    MINOR,
    SAMPLES,
    SYNC,
    SampleReader,
    SampleWriter,
)

HEADER = Header(session_id="s", pid=1, paths={"stdlib": "/lib", "sys_path": ["/app"]})


def flush_of(number: int) -> tuple[Definitions, Samples, SpanEvents]:
    """One second's worth: a new function, frame, stack and span, three samples of them."""
    n = number + 1
    definitions = Definitions(
        n, [Function(f"f{n}", "/app/x.py", n)], n, array("I", [n]), array("I", [n + 5]),
        n, array("I", [number]), array("I", [n]),
        [Thread(0, 11, 12, "MainThread", True)] if number == 0 else [],
    )  # fmt: skip
    samples = Samples(1000, number * 30)
    samples.pass_ticks.extend([10, 20])
    samples.pass_samples.extend([2, 1])
    samples.pass_unobserved.extend([0, 3])
    samples.pass_missed.extend([0, 1])
    samples.thread.extend([0, 1, 0])
    samples.stack.extend([n, number, n])
    samples.span.extend([0, n, n])
    samples.wall_extra.extend([0, -4, 2])
    samples.cpu_ticks.extend([9, 0, 20])
    samples.state.extend([1, 3, 1])
    samples.flags.extend([0, 0, 1])
    spans = SpanEvents(
        [SpanStart(n, 0, 11, "GET /", "http.server", "", n * 1000)],
        [SpanEnd(number, n * 1000 + 5, "ok")] if number else [],
        [SpanTag(n, "user", "é")],
        [SpanMeasurement(n, "size", 1.5, "byte")],
    )
    return definitions, samples, spans


def write(path, flushes=5, *, end=True):
    writer = SampleWriter(path, HEADER)
    sizes = [writer.size]
    for number in range(flushes):
        definitions, samples, spans = flush_of(number)
        writer.flush(definitions, samples, spans, Stats(passes=number))
        sizes.append(writer.size)
    writer.close(End("stop", 99) if end else None)
    return sizes


def test_round_trip(tmp_path):
    write(tmp_path / "a.fspan")
    recording = SampleReader(tmp_path / "a.fspan").read()
    assert recording.header == HEADER
    assert not recording.loss
    assert recording.end == End("stop", 99)
    assert recording.stats.passes == 4
    flushes = [flush_of(number) for number in range(5)]
    assert recording.tables.functions == [LOST, *(d.functions[0] for d, _, _ in flushes)]
    assert list(recording.tables.frame_line) == [0, 6, 7, 8, 9, 10]
    assert recording.tables.stacks.frames(5) == [1, 2, 3, 4, 5]
    assert recording.tables.threads == {0: Thread(0, 11, 12, "MainThread", True)}
    for read, (_, written, _) in zip(recording.samples, flushes, strict=True):
        for name in Samples.__slots__:
            assert _plain(getattr(read, name)) == _plain(getattr(written, name)), name
    assert recording.spans.started == [s.started[0] for _, _, s in flushes]
    assert recording.spans.ended == [e for _, _, s in flushes for e in s.ended]
    assert recording.spans.tags == [s.tags[0] for _, _, s in flushes]
    assert recording.spans.measurements == [s.measurements[0] for _, _, s in flushes]


def _plain(value):
    return value if isinstance(value, int) else list(value)


def test_the_file_is_for_its_owner_only_and_never_overwritten(tmp_path):
    write(tmp_path / "a.fspan")
    assert os.stat(tmp_path / "a.fspan").st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        SampleWriter(tmp_path / "a.fspan", HEADER)


def test_a_file_has_its_name_from_its_header_on(tmp_path, monkeypatch):
    path, named, write = tmp_path / "a.fspan", [], os.write

    def watched(descriptor, data):
        named.append(path.exists())
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", watched)
    SampleWriter(path, HEADER).close()
    assert named == [False]
    assert [found.name for found in tmp_path.iterdir()] == ["a.fspan"]

    def refused(_descriptor, _data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", refused)
    with pytest.raises(OSError, match="No space"):
        SampleWriter(tmp_path / "b.fspan", HEADER)
    assert [found.name for found in tmp_path.iterdir()] == ["a.fspan"]


def test_every_prefix_is_readable_up_to_its_last_whole_flush(tmp_path):
    path, cut = tmp_path / "a.fspan", tmp_path / "cut.fspan"
    sizes = write(path)
    data = path.read_bytes()
    for length in range(len(data)):
        cut.write_bytes(data[:length])
        if length < sizes[0]:
            with pytest.raises(SampleFileError, match=r"cut\.fspan"):
                SampleReader(cut)
            continue
        recording = SampleReader(cut).read()
        whole = sum(size <= length for size in sizes[1:])
        assert whole <= len(recording.samples) <= whole + 1
        assert recording.end is None
        at_block = length in block_ends(data)
        assert (recording.loss.tail_bytes == 0) == at_block


def block_ends(data):
    ends, at = [], FILE_HEAD.size
    while at < len(data):
        at += BLOCK_HEAD.size + BLOCK_HEAD.unpack_from(data, at)[5]
        ends.append(at)
    return ends


def test_a_flipped_byte_loses_one_block_and_says_so(tmp_path):
    path, bad = tmp_path / "a.fspan", tmp_path / "bad.fspan"
    sizes = write(path)
    data = path.read_bytes()
    for at in range(sizes[0], len(data)):
        bad.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        recording = SampleReader(bad).read()
        assert recording.loss, at
        assert recording.loss.blocks <= 1
        assert any("bad.fspan at" in reason for reason in recording.loss.reasons)
        assert len(recording.samples) >= 4
        assert len(recording.tables.stacks) >= 5


def test_lost_definitions_leave_a_hole_with_a_name(tmp_path):
    path = tmp_path / "a.fspan"
    sizes = write(path)
    data = bytearray(path.read_bytes())
    at = sizes[1]  # the second flush begins with its DEFS block
    assert BLOCK_HEAD.unpack_from(data, at)[1] == DEFS
    data[at + BLOCK_HEAD.size + 3] ^= 0xFF
    path.write_bytes(data)
    recording = SampleReader(path).read()
    assert recording.loss.blocks == 1
    tables = recording.tables
    assert tables.functions[2] == LOST
    # Strings of the lost block are gone too; what was defined in others stays.
    assert [f.first_line for f in tables.functions] == [0, 1, 0, 3, 4, 5]
    assert tables.stacks.frames(5)[-3:] == [3, 4, 5]


def test_rubbish_between_blocks_is_skipped(tmp_path):
    path = tmp_path / "a.fspan"
    sizes = write(path)
    data = path.read_bytes()
    rubbish = SYNC + b"rubbish" * 9
    path.write_bytes(data[: sizes[2]] + rubbish + data[sizes[2] :])
    recording = SampleReader(path).read()
    assert len(recording.samples) == 5
    assert recording.loss.blocks == 0
    assert recording.loss.skipped_bytes == len(rubbish)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a flamespan sample file"),
        (b"hello world, not ours", "not a flamespan sample file"),
        (MAGIC, "ends in its first bytes"),
        (FILE_HEAD.pack(MAGIC, MAJOR + 1, 0, 0), "format version 2"),
        (FILE_HEAD.pack(MAGIC, MAJOR, MINOR, 0), "no readable header"),
    ],
)
def test_what_is_not_ours_is_refused_with_file_and_reason(tmp_path, content, reason):
    path = tmp_path / "x.fspan"
    path.write_bytes(content)
    with pytest.raises(SampleFileError, match=reason) as caught:
        SampleReader(path)
    assert caught.value.path == str(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SampleFileError, match=r"nothing\.fspan.*No such file"):
        SampleReader(tmp_path / "nothing.fspan")


def test_later_minor_versions_and_unknown_blocks_are_read_over(tmp_path):
    path = tmp_path / "a.fspan"
    sizes = write(path)
    data = path.read_bytes()
    newer = FILE_HEAD.pack(MAGIC, MAJOR, MINOR + 1, 0) + data[FILE_HEAD.size : sizes[1]]
    unknown = block(200, b"from the future", sequence=99)
    path.write_bytes(newer + unknown)
    recording = SampleReader(path).read()
    assert len(recording.samples) == 1
    assert not recording.loss.reasons


def block(kind, payload, *, sequence=1, codec=0, raw_length=None):
    """A block with a good CRC, whatever it holds."""
    raw = len(payload) if raw_length is None else raw_length
    head = BLOCK_HEAD.pack(SYNC, kind, codec, 0, sequence, len(payload), raw, 0)
    crc = zlib.crc32(payload, zlib.crc32(head[4:20]))
    return head[:20] + struct.pack("<I", crc) + payload


def hostile_file(path, *blocks):
    SampleWriter(path, HEADER).close()
    path.write_bytes(path.read_bytes() + b"".join(blocks))
    return SampleReader(path)


@given(st.integers(1, 7), st.sampled_from([0, 1, 9]), st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_whole_blocks_of_nonsense_are_lost_not_fatal(tmp_path_factory, kind, codec, payload):
    path = tmp_path_factory.mktemp("hostile") / "h.fspan"
    reader = hostile_file(path, block(kind, payload, codec=codec))
    recording = reader.read()
    assert recording.loss.blocks <= 1


def test_a_bomb_does_not_unpack(tmp_path):
    bomb = zlib.compress(bytes(1 << 26), 9)
    reader = hostile_file(
        tmp_path / "h.fspan",
        block(SAMPLES, bomb, codec=1, raw_length=100),
        block(SAMPLES, bomb, codec=1, raw_length=1 << 30, sequence=2),
    )
    recording = reader.read()
    assert not recording.samples
    assert recording.loss.blocks == 1
    assert recording.loss.tail_bytes


def test_a_full_disk_leaves_what_was_written(tmp_path, monkeypatch):
    path = tmp_path / "a.fspan"
    writer = SampleWriter(path, HEADER)
    writer.flush(*flush_of(0))
    whole, real = writer.size, os.write

    def full(fd, data):
        if len(data) > 10:
            return real(fd, data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        writer.flush(samples=flush_of(1)[1])
    monkeypatch.undo()
    writer.flush(*flush_of(1))
    writer.close(End("stop", 1))
    recording = SampleReader(path).read()
    assert len(recording.samples) == 2
    assert recording.loss.blocks == 1
    assert recording.loss.skipped_bytes > 0
    assert whole > 0


def test_definitions_beyond_any_loss_are_refused_and_counted(tmp_path):
    path = tmp_path / "a.fspan"
    writer = SampleWriter(path, HEADER)
    writer.flush(Definitions(1 << 25, [Function("far", "/app/x.py", 1)]))
    writer.flush(*flush_of(0))
    writer.close()
    recording = SampleReader(path).read()
    assert recording.loss.blocks == 1
    assert "definitions refused" in recording.loss.reasons[0]
    assert [f.name for f in recording.tables.functions] == ["<lost>", "f1"]
    assert len(recording.samples) == 1
