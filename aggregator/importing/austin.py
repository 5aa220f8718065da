"""austin's text (version 3): ``P<pid>;T<interpreter>:<thread>;file:function:line;… metric``.

The metric is microseconds, or with ``austin -f`` microseconds, idle (0 or 1) and bytes. Samples
of a thread follow one another without gaps, so each thread's order is the program's; how threads
lie beside one another is not told. Version 4 writes only its binary format: convert that with
``mojo2austin``. Format: https://github.com/P403n1x87/austin/wiki/The-Austin-TCP-Connection and
its README, "Output".
"""

from __future__ import annotations

import os
import re

from flamespan.aggregator.importing import Imported
from flamespan.aggregator.importing.building import Builder
from flamespan.aggregator.importing.colons import frame_of
from flamespan.aggregator.importing.source import encoding_of, lines
from flamespan.profiler.model import State

_LINE = re.compile(
    r"P(\d{1,18});T(?:(\d{1,9}):)?(0x[0-9A-Fa-f]{1,16}|\d{1,18})(?:;(.*))? (\S+)\Z", re.S
)
_HEAD = re.compile(r"P\d+;T(?:\d+:)?(?:0x[0-9A-Fa-f]+|\d+)[; ]")
_METRIC = re.compile(r"(\d{1,18})(?:,([01]),(-?\d{1,18}))?\Z")


def detects(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is austin's."""
    text = head.decode(encoding_of(head), "replace")
    if text.startswith("# austin: "):
        return True
    first = next((line for line in text.split("\n") if line.strip() and line[0] != "#"), "")
    return bool(_HEAD.match(first))


def read(path: str | os.PathLike[str], _unit_ns: int | None = None) -> Imported:
    """The samples of the file at ``path``. SampleFileError names the line that is wrong."""
    builder = Builder(path, "austin")
    builder.note("functions are told apart by name and file: where they begin is not told")
    mode = "wall"
    for number, line in lines(path):
        if line.startswith("#"):
            key, _, value = line[1:].partition(":")
            mode = value.strip() if key.strip() == "mode" else mode
            if mode == "memory":
                raise builder.refuse(number, "counts bytes of memory, not time: record without -m")
        else:
            _add(builder, number, line, of_cpu=mode == "cpu")
    return builder.finished()


def _add(builder: Builder, number: int, line: str, *, of_cpu: bool) -> None:
    match = _LINE.match(line)
    metric = _METRIC.match(match[5]) if match else None
    if not match or not metric:
        raise builder.refuse(number, "is no sample: P<pid>;T<thread>;file:function:line;… <metric>")
    process = builder.process(match[1], int(match[1]))
    thread_id = int(match[3], 0)
    key = match[1], match[2], thread_id
    thread = builder.thread(key, f"thread {match[3]}", 0, thread_id, process)
    weight = int(metric[1]) * 1000
    frames = [frame_of(builder, text) for text in (match[4] or "").split(";") if text]
    stack = builder.path(frames)
    state = State.IDLE if metric[2] == "1" else State.UNKNOWN
    cpu = weight if of_cpu else None
    builder.add(stack, weight, thread, state=state, cpu_ns=cpu, place=number)
