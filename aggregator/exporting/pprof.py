"""pprof: gzip-packed protocol buffers, for ``go tool pprof`` and all that read it.

Samples are summed by stack, thread and transaction name, which are labels. Each has four values:
samples, wall, CPU and waiting time in nanoseconds; the view's clock is the default one. Running
lines are locations, first lines are the functions'. Times and spans are not held.
Format: https://github.com/google/pprof/blob/main/proto/profile.proto
"""

from __future__ import annotations

import gzip
from typing import IO, TYPE_CHECKING

import numpy as np

from flamespan.aggregator import exporting
from flamespan.aggregator.exporting.grouped import Groups, groups
from flamespan.aggregator.protobuf import block, integer, packed, text, varint
from flamespan.aggregator.timeline import NO_STACK, thread_name

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile
    from flamespan.aggregator.stacktree import Ids, StackTree

VALUES = (("samples", "count"), *((clock, "nanoseconds") for clock in ("wall", "cpu", "wait")))


class _Strings(dict[str, int]):
    """Strings by number; the empty one is 0."""

    def __missing__(self, key: str) -> int:
        self[key] = len(self)
        return self[key]


def write(profile: Profile, file: IO[bytes]) -> None:
    """Write ``profile`` to ``file``."""
    strings = _Strings({"": 0})
    summed = groups(profile)
    parts = [
        block(1, integer(1, strings[kind]) + integer(2, strings[unit])) for kind, unit in VALUES
    ]
    parts += _samples(profile, summed, strings)
    parts += _code(profile, summed, strings)
    parts += _facts(profile, strings)
    parts += [text(6, string) for string in strings]
    # mtime 0: the same profile gives the same bytes.
    with gzip.GzipFile("", "wb", 1, file, mtime=0) as packing:
        packing.write(b"".join(parts))


def _samples(profile: Profile, summed: Groups, strings: _Strings) -> list[bytes]:
    """One message a group; what repeats (stacks, labels) is encoded once."""
    stacks = _locations(profile.shown.tree, summed.stack)
    contexts = zip(summed.transaction.tolist(), summed.thread.tolist(), strict=True)
    labels = {
        (name, thread): _labels(profile, summed, name, thread, strings)
        for name, thread in dict.fromkeys(contexts)
    }
    columns = (summed.samples, summed.wall_ns, summed.cpu_ns, summed.wait_ns)
    parts = []
    for stack, name, thread, *values in zip(
        *(column.tolist() for column in (summed.stack, summed.transaction, summed.thread)),
        *(column.tolist() for column in columns),
        strict=True,
    ):
        parts.append(block(2, stacks[stack] + packed(2, values) + labels[name, thread]))
    return parts


def _locations(tree: StackTree, used: Ids) -> dict[int, bytes]:
    """Location ids of each used stack, leaf first: a location is a frame, its id frame + 1."""
    own = {0: b""}
    parent, key = tree.parent.tolist(), tree.key.tolist()
    for node in np.flatnonzero(tree.with_callers(used)).tolist():
        if node:
            own[node] = varint(key[node] + 2) + own[parent[node]]
    nothing = block(1, varint(1))
    return {node: block(1, own[node]) if node else nothing for node in np.unique(used).tolist()}


def _labels(profile: Profile, summed: Groups, name: int, thread: int, strings: _Strings) -> bytes:
    row = profile.tables.threads[thread]
    said = [("thread", thread_name(profile, thread))]
    if name >= 0:
        said.append(("transaction", summed.names[name]))
    words = [integer(1, strings[key]) + integer(2, strings[value]) for key, value in said]
    numbers = [("thread_id", row.native_id or row.ident)]
    numbers.append(("pid", profile.processes[row.process].header.pid))
    words += [integer(1, strings[key]) + integer(3, number) for key, number in numbers if number]
    return b"".join([block(3, word) for word in words])


def _code(profile: Profile, summed: Groups, strings: _Strings) -> list[bytes]:
    """Locations and functions that are used; number 1 of each stands for "no stack"."""
    tables, tree = profile.tables, profile.shown.tree
    nodes = np.flatnonzero(tree.with_callers(summed.stack))
    frames = np.unique(tree.key[nodes[nodes > 0]])
    parts = []
    if (summed.stack == 0).any():
        parts.append(block(4, integer(1, 1) + block(4, integer(1, 1))))
        parts.append(block(5, integer(1, 1) + integer(2, strings[NO_STACK])))
    for frame in frames.tolist():
        function = int(tables.frame_function[frame])
        line = integer(1, function + 2) + integer(2, int(tables.frame_line[frame]))
        parts.append(block(4, integer(1, frame + 2) + block(4, line)))
    for function in np.unique(tables.frame_function[frames]).tolist():
        name = strings[tables.function_name[function] or "?"]
        parts.append(
            block(
                5,
                integer(1, function + 2)
                + integer(2, name)
                + integer(3, name)
                + integer(4, strings[tables.function_file[function]])
                + integer(5, int(tables.function_line[function])),
            )
        )
    return parts


def _facts(profile: Profile, strings: _Strings) -> list[bytes]:
    interval = min((process.header.interval_ns for process in profile.processes), default=0)
    period = integer(1, strings["wall"]) + integer(2, strings["nanoseconds"])
    rows = profile.rows
    start = int((rows.time_ns - rows.wall_ns).min()) if len(rows) else 0
    said = f"{exporting.title(profile)}, flamespan {exporting.version()}"
    return [
        integer(9, start),
        integer(10, profile.duration_ns),
        block(11, period) if interval else b"",
        integer(12, interval),
        integer(13, strings[said]),
        integer(14, strings[profile.weight_clock]),
    ]
