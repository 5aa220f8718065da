"""The sample file: blocks and how to get through them. FORMAT.md tells every byte, with reasons.

A file is a short head and a run of blocks, each framed by a sync word, its length and a CRC, so
whatever happens to the process, all whole blocks stay readable.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from flamespan.profiler import columns
from flamespan.profiler.blocks import (
    StringIds,
    pack_definitions,
    pack_samples,
    pack_spans,
    unpack_definitions,
    unpack_samples,
    unpack_spans,
)
from flamespan.profiler.closed import lock
from flamespan.profiler.errors import SampleFileError
from flamespan.profiler.model import (
    Block,
    Definitions,
    End,
    Header,
    Loss,
    Recording,
    Samples,
    SpanEvents,
    Stats,
    Tables,
)
from flamespan.profiler.spancolumns import SpanColumns

SUFFIX = ".fspan"
MAGIC = b"\x89fspan\r\n"
MAJOR, MINOR = 1, 0
FILE_HEAD = struct.Struct("<8sBBH")

SYNC = b"\xf5\x9dfS"
BLOCK_HEAD = struct.Struct("<4sBBHIIII")  # sync, kind, codec, 0, sequence, length, raw length, crc
_CHECKED = slice(4, 20)  # the part of a block's head that its CRC covers

META, DEFS, SAMPLES, SPANS, STATS, END = range(1, 7)
PLAIN, ZLIB = 0, 1
NEW = ".new"
"""Behind the name of a file that has no header yet."""

MAX_PAYLOAD = 64 << 20
"""No block is larger, packed or unpacked; a larger length is damage."""


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
        self._strings = StringIds()
        head = FILE_HEAD.pack(MAGIC, MAJOR, MINOR, 0) + self._json(META, header.to_json())
        if os.path.lexists(self.path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self.path)
        # It gets its name when its header is in it: a process killed here leaves no empty file.
        fresh = self.path if os.name == "nt" else self.path + NEW
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._fd = os.open(fresh, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            lock(self._fd)
            self._write(head)
            if fresh != self.path:
                os.rename(fresh, self.path)
        except OSError:
            self.abandon()
            with contextlib.suppress(OSError):
                os.unlink(fresh)
            raise

    def flush(
        self,
        definitions: Definitions | None = None,
        samples: Samples | None = None,
        spans: SpanColumns | SpanEvents | None = None,
        stats: Stats | None = None,
        header: Header | None = None,
    ) -> int:
        """Write what is given as one piece and return its size in bytes.

        ``header`` replaces the one written before (paths that a program added later).
        """
        defs = pack_definitions(definitions, self._strings) if definitions else b""
        if isinstance(spans, SpanEvents):
            rows, spans = spans, SpanColumns()
            spans.add_rows(rows)
        span_rows = pack_spans(spans, self._strings) if spans else b""
        strings = self._strings.pack_new()
        parts = []
        if header:
            parts.append(self._json(META, header.to_json()))
        if strings or defs:
            parts.append(self._block(DEFS, strings + defs))
        # Spans before the samples that name them: a cut in between loses less that way.
        if span_rows:
            parts.append(self._block(SPANS, span_rows))
        if samples is not None and len(samples.pass_ticks):
            parts.append(self._block(SAMPLES, pack_samples(samples)))
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

    def abandon(self) -> None:
        """Let go of the file without a word in it: after a fork it is the parent's."""
        if self._fd >= 0:
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


Define = Callable[[bytes, dict[int, str]], Definitions]
"""Decodes the payload of a DEFS block, given the strings that are known."""


@dataclass(slots=True)
class _RawBlock:
    offset: int
    kind: int
    sequence: int
    payload: bytes


class SampleReader:
    """Reads one sample file, whole or growing, giving back everything that can be read.

    ``header`` is there at once; ``blocks()`` yields the rest in file order, definitions always
    before what uses them; ``loss`` tells after that what was missing. ``more()`` goes on where
    that ended. Raises SampleFileError where the file is not a sample file, is of a later major
    version, or has no readable header.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.loss = Loss()
        self._load(0)
        self._check_head()
        self._expected = 0  # sequence number of the next block
        self._good_until = 0  # where the last whole block ends, in the file
        self._strings: dict[int, str] = {}
        self._take: Callable[[bytes], None] | None = None
        self._define: Define | None = None
        self.header = self._first_header()

    def blocks(
        self, take: Callable[[bytes], None] | None = None, define: Define | None = None
    ) -> Iterator[Block]:
        """Every readable block after the first header, decoded; for the arguments see ``read``."""
        self._take, self._define = take, define
        self.loss = Loss()
        self._strings = {}
        if self._base:
            self._load(0)
        raw_blocks = self._raw_blocks()
        first = next(raw_blocks)
        self._expected = first.sequence + 1 & 0xFFFFFFFF
        if first.sequence:
            self.loss.blocks += first.sequence
        if first.kind != META:
            yield from self._decode(first)
        yield from self._rest(raw_blocks)

    def more(self) -> Iterator[Block]:
        """What was appended since ``blocks()`` or this came to its end, decoded as there.

        Only the bytes behind the last whole block are read. Raises SampleFileError where the
        file is gone, or shorter than it was.
        """
        self.loss.tail_bytes = 0
        self._load(self._good_until)
        yield from self._rest(self._raw_blocks(0))

    def _rest(self, raw_blocks: Iterator[_RawBlock]) -> Iterator[Block]:
        for raw in raw_blocks:
            self.loss.blocks += raw.sequence - self._expected & 0xFFFFFFFF
            self._expected = raw.sequence + 1 & 0xFFFFFFFF
            yield from self._decode(raw)

    def read(
        self, take: Callable[[bytes], None] | None = None, define: Define | None = None
    ) -> Recording:
        """The whole file in memory.

        With ``take`` samples are not decoded: it gets the payload of each SAMPLES block instead,
        after the definitions that come before it. A ValueError that it raises counts the block as
        lost. ``define`` decodes the payload of a DEFS block instead of ``unpack_definitions``; it
        gets the strings that are known, too.
        """
        whole = Recording(header=self.header)
        for block in self.blocks(take, define):
            if isinstance(block, Definitions):
                self._add(whole.tables, block)
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

    def _add(self, tables: Tables, block: Definitions) -> None:
        """Take in definitions; those that no loss explains are counted as lost themselves."""
        try:
            tables.add(block)
        except ValueError as error:
            self.loss.blocks += 1
            self.loss.reasons.append(f"{self.path}: definitions refused: {error}")

    def _load(self, base: int) -> None:
        """Have the bytes of the file from ``base`` on in ``_data``."""
        try:
            with open(self.path, "rb") as file:
                if os.fstat(file.fileno()).st_size < base:
                    raise SampleFileError(self.path, base, "the file was cut short meanwhile")
                file.seek(base)
                self._data, self._base = memoryview(file.read()), base
        except OSError as error:
            raise SampleFileError(self.path, None, error.strerror or str(error)) from None

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

    def _raw_blocks(self, at: int = FILE_HEAD.size) -> Iterator[_RawBlock]:
        """Whole blocks with a good CRC; notes what lies between and behind them."""
        data = self._data
        good_until = at
        self._good_until = self._base + at
        while at < len(data):
            raw, end = self._raw_block(at)
            if raw is None:
                at = self._next_sync(at + 1)
                continue
            if at > good_until:
                self.loss.skipped_bytes += at - good_until
                self._note(good_until, f"{at - good_until} unreadable bytes skipped")
            at = good_until = end
            self._good_until = self._base + end
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
        return _RawBlock(at, kind, sequence, _inflate(codec, payload, raw_length)), end

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
            elif raw.kind == DEFS and self._define is not None:
                yield self._define(raw.payload, self._strings)
            elif raw.kind == DEFS:
                yield unpack_definitions(columns.unpack(raw.payload), self._strings)
            elif raw.kind == SAMPLES and self._take is not None:
                self._take(raw.payload)
            elif raw.kind == SAMPLES:
                yield unpack_samples(columns.unpack(raw.payload))
            elif raw.kind == SPANS:
                yield unpack_spans(columns.unpack(raw.payload), self._strings)
            # Kinds of a later minor version are skipped: that is what minor means.
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            self.loss.blocks += 1
            self._note(raw.offset, f"block of kind {raw.kind} makes no sense: {error}")

    def _note(self, place: int, what: str) -> None:
        if len(self.loss.reasons) < 20:
            self.loss.reasons.append(f"{self.path} at {self._base + place}: {what}")


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
