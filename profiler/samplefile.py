"""The sample file: the only code that knows its bytes. FORMAT.md tells each of them, with reasons.

A file is a short head and a run of blocks, each framed by a sync word, its length and a CRC, so
whatever happens to the process, all whole blocks stay readable.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flamespan.profiler import columns
from flamespan.profiler.columns import Column
from flamespan.profiler.errors import SampleFileError
from flamespan.profiler.model import (
    Block,
    Definitions,
    End,
    Function,
    Header,
    Loss,
    Recording,
    Samples,
    SpanEnd,
    SpanEvents,
    SpanMeasurement,
    SpanStart,
    SpanTag,
    Stats,
    Thread,
)

SUFFIX = ".fspan"
MAGIC = b"\x89fspan\r\n"
MAJOR, MINOR = 1, 0
FILE_HEAD = struct.Struct("<8sBBH")

SYNC = b"\xf5\x9dfS"
BLOCK_HEAD = struct.Struct("<4sBBHIIII")  # sync, kind, codec, 0, sequence, length, raw length, crc
_CHECKED = slice(4, 20)  # the part of a block's head that its CRC covers

META, DEFS, SAMPLES, SPANS, STATS, END = range(1, 7)
PLAIN, ZLIB = 0, 1

MAX_PAYLOAD = 64 << 20
"""No block is larger, packed or unpacked; a larger length is damage."""

_SAMPLE_COLUMNS = {
    2: "pass_ticks",
    3: "pass_samples",
    4: "pass_unobserved",
    5: "pass_missed",
    16: "thread",
    17: "stack",
    18: "span",
    19: "wall_extra",
    20: "cpu_ticks",
    21: "state",
    22: "flags",
}
_PASS_COLUMNS = range(2, 6)


class _Strings:
    """The file's string table: text → id, and what has not been written yet."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._written = 0

    def id(self, text: str) -> int:
        return self._ids.setdefault(text, len(self._ids))

    def take_new(self) -> tuple[int, list[str]]:
        first = self._written
        self._written = len(self._ids)
        return first, list(self._ids)[first:] if first < self._written else []


class SampleWriter:
    """Writes one sample file. Every ``flush`` is one ``write`` of whole blocks.

    The file is made with mode 0600 and must not exist. ``path`` is where it lies; ``size`` is
    the number of bytes written. Raises OSError where the system refuses: what was written
    before stays readable, and the next flush starts a fresh block.
    """

    def __init__(self, path: str | os.PathLike[str], header: Header) -> None:
        self.path = os.fspath(path)
        self.size = 0
        self._sequence = 0
        self._strings = _Strings()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._fd = os.open(self.path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
        self._write(FILE_HEAD.pack(MAGIC, MAJOR, MINOR, 0) + self._json(META, header.to_json()))

    def flush(
        self,
        definitions: Definitions | None = None,
        samples: Samples | None = None,
        spans: SpanEvents | None = None,
        stats: Stats | None = None,
        header: Header | None = None,
    ) -> int:
        """Write what is given as one piece and return its size in bytes.

        ``header`` replaces the one written before (paths that a program added later).
        """
        defs = _pack_definitions(definitions, self._strings) if definitions else b""
        span_rows = _pack_spans(spans, self._strings) if spans else b""
        strings = _pack_strings(self._strings)
        parts = []
        if header:
            parts.append(self._json(META, header.to_json()))
        if strings or defs:
            parts.append(self._block(DEFS, strings + defs))
        # Spans before the samples that name them: a cut in between loses less that way.
        if span_rows:
            parts.append(self._block(SPANS, span_rows))
        if samples is not None and len(samples.pass_ticks):
            parts.append(self._block(SAMPLES, _pack_samples(samples)))
        if stats is not None:
            parts.append(self._json(STATS, stats.to_json()))
        return self._write(b"".join(parts))

    def close(self, end: End | None = None) -> None:
        """Close the file, with an END block if ``end`` is given. Closing twice does nothing."""
        if self._fd < 0:
            return
        try:
            if end is not None:
                self._write(self._json(END, {"reason": end.reason, "time_ns": end.time_ns}))
        finally:
            os.close(self._fd)
            self._fd = -1

    def _json(self, kind: int, value: dict[str, Any]) -> bytes:
        return self._block(kind, json.dumps(value, separators=(",", ":")).encode())

    def _block(self, kind: int, payload: bytes) -> bytes:
        codec, packed = PLAIN, payload
        if len(payload) > 256:
            codec, packed = ZLIB, zlib.compress(payload, 1)
        fields = (SYNC, kind, codec, 0, self._sequence & 0xFFFFFFFF, len(packed), len(payload))
        self._sequence += 1
        head = BLOCK_HEAD.pack(*fields, 0)
        return BLOCK_HEAD.pack(*fields, _crc(head, packed)) + packed

    def _write(self, data: bytes) -> int:
        rest = memoryview(data)
        while rest:
            done = os.write(self._fd, rest)
            self.size += done
            rest = rest[done:]
        return len(data)


def _crc(head: bytes | memoryview, payload: bytes | memoryview) -> int:
    return zlib.crc32(payload, zlib.crc32(head[_CHECKED]))


def _pack_strings(strings: _Strings) -> bytes:
    first, new = strings.take_new()
    if not new:
        return b""
    return columns.pack_unsigned(1, [first]) + columns.pack_strings(2, new)


def _pack_definitions(d: Definitions, strings: _Strings) -> bytes:
    pack = columns.pack_unsigned
    text = strings.id
    parts = [
        pack(8, [d.first_function, d.first_frame, d.first_stack]),
        pack(9, [text(f.name) for f in d.functions]),
        pack(10, [text(f.file) for f in d.functions]),
        pack(11, [f.first_line for f in d.functions]),
        columns.pack_deltas(12, d.frame_function),
        pack(13, d.frame_line),
        columns.pack_deltas(14, d.stack_parent),
        pack(15, d.stack_frame),
    ]
    if d.threads:
        parts += [
            pack(16, [t.index for t in d.threads]),
            pack(17, [t.ident for t in d.threads]),
            pack(18, [t.native_id for t in d.threads]),
            pack(19, [text(t.name) for t in d.threads]),
            pack(20, [t.is_main for t in d.threads]),
        ]
    return b"".join(parts)


def _pack_samples(s: Samples) -> bytes:
    parts = [columns.pack_unsigned(1, [s.tick_ns, s.start_ticks])]
    for column, name in _SAMPLE_COLUMNS.items():
        pack = columns.pack_signed if name == "wall_extra" else columns.pack_unsigned
        parts.append(pack(column, getattr(s, name)))
    return b"".join(parts)


def _pack_spans(e: SpanEvents, strings: _Strings) -> bytes:
    pack, deltas, text = columns.pack_unsigned, columns.pack_deltas, strings.id
    return b"".join(
        [
            deltas(1, [s.id for s in e.started]),
            deltas(2, [s.parent for s in e.started]),
            pack(3, [s.thread_ident for s in e.started]),
            pack(4, [text(s.name) for s in e.started]),
            pack(5, [text(s.op) for s in e.started]),
            pack(6, [text(s.description) for s in e.started]),
            deltas(7, [s.start_ns for s in e.started]),
            deltas(16, [s.id for s in e.ended]),
            deltas(17, [s.end_ns for s in e.ended]),
            pack(18, [text(s.status) for s in e.ended]),
            deltas(24, [t.id for t in e.tags]),
            pack(25, [text(t.key) for t in e.tags]),
            pack(26, [text(t.value) for t in e.tags]),
            deltas(32, [m.id for m in e.measurements]),
            pack(33, [text(m.name) for m in e.measurements]),
            columns.pack_floats(34, [m.value for m in e.measurements]),
            pack(35, [text(m.unit) for m in e.measurements]),
        ]
    )


@dataclass(slots=True)
class _RawBlock:
    kind: int
    sequence: int
    payload: bytes


class SampleReader:
    """Reads one sample file, whole or growing, giving back everything that can be read.

    ``header`` is there at once; ``blocks()`` yields the rest in file order, definitions always
    before what uses them; ``loss`` tells after that what was missing. Raises SampleFileError
    where the file is not a sample file, is of a later major version, or has no readable header.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.loss = Loss()
        try:
            with open(self.path, "rb") as file:
                self._data = memoryview(file.read())
        except OSError as error:
            raise SampleFileError(self.path, None, error.strerror or str(error)) from None
        self._check_head()
        self._strings: dict[int, str] = {}
        self.header = self._first_header()

    def blocks(self) -> Iterator[Block]:
        """Every readable block after the first header, decoded."""
        self.loss = Loss()
        self._strings = {}
        raw_blocks = self._raw_blocks()
        first = next(raw_blocks)
        expected = first.sequence + 1 & 0xFFFFFFFF
        if first.sequence:
            self.loss.blocks += first.sequence
        if first.kind != META:
            yield from self._decode(first)
        for raw in raw_blocks:
            self.loss.blocks += raw.sequence - expected & 0xFFFFFFFF
            expected = raw.sequence + 1 & 0xFFFFFFFF
            yield from self._decode(raw)

    def read(self) -> Recording:
        """The whole file in memory."""
        whole = Recording(header=self.header)
        for block in self.blocks():
            if isinstance(block, Definitions):
                whole.tables.add(block)
            elif isinstance(block, Samples):
                whole.samples.append(block)
            elif isinstance(block, SpanEvents):
                whole.spans.add(block)
            elif isinstance(block, Stats):
                whole.stats = block
            elif isinstance(block, End):
                whole.end = block
            else:
                whole.header = block
        whole.loss = self.loss
        return whole

    def _check_head(self) -> None:
        if self._data[:8] != MAGIC:
            raise SampleFileError(self.path, 0, "not a flamespan sample file")
        if len(self._data) < FILE_HEAD.size:
            raise SampleFileError(self.path, len(self._data), "the file ends in its first bytes")
        major = FILE_HEAD.unpack_from(self._data)[1]
        if major != MAJOR:
            raise SampleFileError(
                self.path,
                8,
                f"format version {major}, this flamespan reads version {MAJOR}: "
                "install the flamespan that wrote it, or a later one",
            )

    def _first_header(self) -> Header:
        for raw in self._raw_blocks():
            if raw.kind == META:
                for block in self._decode(raw):
                    if isinstance(block, Header):
                        return block
        raise SampleFileError(
            self.path, FILE_HEAD.size, "no readable header block: nothing in it can be placed"
        )

    def _raw_blocks(self) -> Iterator[_RawBlock]:
        """Whole blocks with a good CRC; notes what lies between and behind them."""
        data, at = self._data, FILE_HEAD.size
        good_until = at
        while at < len(data):
            raw, end = self._raw_block(at)
            if raw is None:
                at = self._next_sync(at + 1)
                continue
            if at > good_until:
                self.loss.skipped_bytes += at - good_until
                self._note(good_until, f"{at - good_until} unreadable bytes skipped")
            at = good_until = end
            yield raw
        if good_until < len(data):
            self.loss.tail_bytes = len(data) - good_until
            self._note(good_until, f"the last {self.loss.tail_bytes} bytes are not a whole block")

    def _raw_block(self, at: int) -> tuple[_RawBlock | None, int]:
        data = self._data
        if at + BLOCK_HEAD.size > len(data):
            return None, at
        sync, kind, codec, _, sequence, length, raw_length, crc = BLOCK_HEAD.unpack_from(data, at)
        body = at + BLOCK_HEAD.size
        end = body + length
        if sync != SYNC or end > len(data) or max(length, raw_length) > MAX_PAYLOAD:
            return None, at
        payload = data[body:end]
        if _crc(data[at:body], payload) != crc:
            return None, at
        return _RawBlock(kind, sequence, _inflate(codec, payload, raw_length)), end

    def _next_sync(self, at: int) -> int:
        # bytes.find needs a bytes-like with find; a window at a time keeps the copy small.
        window = 1 << 20
        while at < len(self._data):
            found = bytes(self._data[at : at + window + len(SYNC) - 1]).find(SYNC)
            if found >= 0:
                return at + found
            at += window
        return len(self._data)

    def _decode(self, raw: _RawBlock) -> Iterator[Block]:
        """The block's content; a block that is whole but makes no sense is counted as lost."""
        try:
            if raw.kind in (META, STATS, END):
                yield _unpack_json(raw)
            elif raw.kind == DEFS:
                yield self._unpack_definitions(columns.unpack(raw.payload))
            elif raw.kind == SAMPLES:
                yield _unpack_samples(columns.unpack(raw.payload))
            elif raw.kind == SPANS:
                yield self._unpack_spans(columns.unpack(raw.payload))
            # Kinds of a later minor version are skipped: that is what minor means.
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            self.loss.blocks += 1
            self._note(raw.sequence, f"block of kind {raw.kind} makes no sense: {error}")

    def _note(self, place: int, what: str) -> None:
        if len(self.loss.reasons) < 20:
            self.loss.reasons.append(f"{self.path} at {place}: {what}")

    def _text(self, index: int) -> str:
        return self._strings.get(index, "<lost>")

    def _unpack_definitions(self, c: dict[int, Column]) -> Definitions:
        if 2 in c:
            first = _ints(c, 1)[0]
            self._strings.update(enumerate(_texts(c, 2), first))
        d = Definitions()
        if 8 in c:
            d.first_function, d.first_frame, d.first_stack = _ints(c, 8)
            text = self._text
            d.functions = [
                Function(text(name), text(file), line) for name, file, line in _rows(c, 9, 10, 11)
            ]
            d.frame_function, d.frame_line = _ids(c, 12), _ids(c, 13)
            d.stack_parent, d.stack_frame = _ids(c, 14), _ids(c, 15)
            _check_definitions(d)
        if 16 in c:
            d.threads = [
                Thread(index, ident, native, self._text(name), bool(main))
                for index, ident, native, name, main in _rows(c, 16, 17, 18, 19, 20)
            ]
        return d

    def _unpack_spans(self, c: dict[int, Column]) -> SpanEvents:
        text = self._text
        return SpanEvents(
            started=[
                SpanStart(i, parent, thread, text(name), text(op), text(description), start)
                for i, parent, thread, name, op, description, start in _rows(c, *range(1, 8))
            ],
            ended=[SpanEnd(i, end, text(status)) for i, end, status in _rows(c, 16, 17, 18)],
            tags=[SpanTag(i, text(key), text(value)) for i, key, value in _rows(c, 24, 25, 26)],
            measurements=[
                SpanMeasurement(i, text(name), float(value), text(unit))
                for i, name, value, unit in _rows(c, 32, 33, 34, 35)
            ],
        )


def _inflate(codec: int, payload: memoryview, raw_length: int) -> bytes:
    """The payload unpacked, or b"" (which no decoder accepts) where it does not unpack."""
    if codec == PLAIN:
        return bytes(payload) if len(payload) == raw_length else b""
    if codec != ZLIB:
        return b""
    try:
        unpacked = zlib.decompressobj().decompress(payload, raw_length + 1)
    except zlib.error:
        return b""
    return unpacked if len(unpacked) == raw_length else b""


def _unpack_json(raw: _RawBlock) -> Header | Stats | End:
    value = json.loads(raw.payload)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    if raw.kind == META:
        return Header.from_json(value)
    if raw.kind == STATS:
        return Stats.from_json(value)
    return End(str(value["reason"]), int(value["time_ns"]))


def _unpack_samples(c: dict[int, Column]) -> Samples:
    tick_ns, start_ticks = _ints(c, 1)
    s = Samples(tick_ns=tick_ns, start_ticks=start_ticks)
    passes = len(_ints(c, 2))
    samples = len(_ints(c, 17))
    for column, name in _SAMPLE_COLUMNS.items():
        values = _ints(c, column)
        if len(values) != (passes if column in _PASS_COLUMNS else samples):
            raise ValueError(f"column {name} has {len(values)} rows")
        setattr(s, name, values)
    if sum(s.pass_samples) != samples:
        raise ValueError("passes and samples do not add up")
    if not 0 < tick_ns <= 1_000_000_000:
        raise ValueError(f"a tick of {tick_ns} ns")
    return s


def _ints(c: dict[int, Column], column: int) -> array[int]:
    values = c[column]
    if isinstance(values, list):
        raise ValueError(f"column {column} holds text, not numbers")
    return values


def _ids(c: dict[int, Column], column: int) -> array[int]:
    """A column as array("I"), the type of every id in memory."""
    return array("I", _ints(c, column))


def _texts(c: dict[int, Column], column: int) -> list[str]:
    values = c[column]
    if not isinstance(values, list):
        raise ValueError(f"column {column} holds numbers, not text")
    return values


def _rows(c: dict[int, Column], *wanted: int) -> Iterator[tuple[Any, ...]]:
    return zip(*(_ints(c, column) for column in wanted), strict=True)


def _check_definitions(d: Definitions) -> None:
    """Hold the invariants that readers build on: known ids only, parents first."""
    if len(d.frame_function) != len(d.frame_line) or len(d.stack_parent) != len(d.stack_frame):
        raise ValueError("tables with columns of different length")
    if min(d.first_function, d.first_frame, d.first_stack) < 1:
        raise ValueError("row 0 of a table cannot be defined")
    if max(d.first_function, d.first_frame, d.first_stack) >= 1 << 31:
        raise ValueError("ids beyond any bound")
    functions = d.first_function + len(d.functions)
    frames = d.first_frame + len(d.frame_function)
    if max(d.frame_function, default=-1) >= functions or max(d.stack_frame, default=-1) >= frames:
        raise ValueError("ids of what was never defined")
    if any(parent >= stack for stack, parent in enumerate(d.stack_parent, d.first_stack)):
        raise ValueError("a stack before its parent")
