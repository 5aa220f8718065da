"""What CPython 3.15's own sampler writes with ``python -m profiling.sampling run --collapsed``.

``tid:<thread>;file:function:line;… samples`` a line. Lines are where functions were running;
where they begin is not told. The numbers count samples, whose interval the file does not say.
"""

from __future__ import annotations

import os
import re

from flamespan.aggregator.importing import Imported
from flamespan.aggregator.importing.building import COUNTS, Builder, checked_unit
from flamespan.aggregator.importing.colons import frame_of
from flamespan.aggregator.importing.source import encoding_of, lines

_LINE = re.compile(r"tid:(\d{1,18});?(.*) (\d{1,15})\Z", re.S)


def detects(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is of CPython's sampler."""
    text = head.decode(encoding_of(head), "replace").lstrip()
    return re.match(r"tid:\d+[; ]", text) is not None


def read(path: str | os.PathLike[str], unit_ns: int | None = None) -> Imported:
    """The stacks of the file at ``path``; ``unit_ns``: the interval it was recorded at.

    Raises SampleFileError with the line that is wrong.
    """
    unit = checked_unit(unit_ns)
    builder = Builder(path, "cpython")
    builder.note("functions are told apart by name and file: where they begin is not told")
    if unit is None:
        builder.note(COUNTS.replace("10ms", "1ms").replace("10_000_000", "1_000_000"))
    for number, line in lines(path):
        match = _LINE.match(line)
        if not match:
            raise builder.refuse(number, "is no stack: tid:<thread>;file:function:line;… <samples>")
        native = int(match[1])
        thread = builder.thread(native, f"thread {native}", 0, native)
        frames = [frame_of(builder, text) for text in match[2].split(";") if text]
        builder.add(builder.path(frames), int(match[3]) * (unit or 1), thread, place=number)
    return builder.finished()
