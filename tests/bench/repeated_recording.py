"""A sample file grown to any size: its samples again and again, later each time.

    python tests/bench/repeated_recording.py FILE TIMES OUT

Definitions and spans are the file's own; the blocks of samples are repeated with their start
moved, so the result is one whole recording of TIMES as many samples on the same stacks.
"""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

from flamespan.profiler import columns
from flamespan.profiler.samplefile import (
    BLOCK_HEAD,
    END,
    FILE_HEAD,
    SAMPLES,
    SYNC,
    ZLIB,
    SampleReader,
    _crc,
)


def packed(kind: int, sequence: int, payload: bytes) -> bytes:
    body = zlib.compress(payload, 1)
    head = BLOCK_HEAD.pack(SYNC, kind, ZLIB, 0, sequence, len(body), len(payload), 0)
    crc = _crc(memoryview(head), memoryview(body))
    return head[:-4] + crc.to_bytes(4, "little") + body


def repeat(source: Path, times: int, out: Path) -> None:
    reader = SampleReader(source)
    blocks = list(reader._raw_blocks())
    samples = [block for block in blocks if block.kind == SAMPLES]
    first, last = (columns.unpack(block.payload)[1] for block in (samples[0], samples[-1]))
    length = int(last[1] - first[1]) + 20_000
    with open(source, "rb") as file, open(out, "wb") as grown:
        grown.write(file.read(FILE_HEAD.size))
        sequence = 0
        for block in blocks:
            if block.kind != END:
                grown.write(packed(block.kind, sequence, block.payload))
                sequence += 1
        for number in range(1, times):
            for block in samples:
                grown.write(packed(SAMPLES, sequence, moved(block.payload, number * length)))
                sequence += 1


def moved(payload: bytes, ticks: int) -> bytes:
    """A SAMPLES payload that starts later: its first column is tick and start."""
    column, values, end = columns.unpack_one(memoryview(payload), 0)
    assert column == 1
    tick_ns, start = values
    return columns.pack_unsigned(1, [tick_ns, start + ticks]) + payload[end:]


if __name__ == "__main__":
    repeat(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
