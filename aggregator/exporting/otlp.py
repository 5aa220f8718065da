"""OpenTelemetry profiles (OTLP, protocol buffers). EXPERIMENTAL, as the format itself is.

One ``ProfilesData`` with a resource per process, and for each two profiles: wall and CPU time.
A sample is a stack of one thread and transaction with a value and a unix time for each of its
observations. A span that carries ``trace_id`` and ``span_id`` tags (OpenTelemetry's, hexadecimal)
is linked. Format: opentelemetry/proto/profiles/v1development of opentelemetry-proto 1.10, whose
messages are marked "Alpha" and may change without notice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from typing import IO, TYPE_CHECKING

import numpy as np

from flamespan.aggregator import exporting
from flamespan.aggregator.protobuf import block, fixed64, integer, packed, text, varint, varints
from flamespan.aggregator.stacktree import stable_order
from flamespan.aggregator.timeline import NO_STACK, thread_name

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile
    from flamespan.aggregator.stacktree import Ints


def write(profile: Profile, file: IO[bytes]) -> None:
    """Write ``profile`` to ``file``."""
    profile.selected.single()
    exporting.warn("OTLP profiles are experimental: the format is alpha and may change")
    tables = _Dictionary(profile)
    resources = [_resource(profile, number, tables) for number in range(len(profile.processes))]
    file.write(b"".join([*(block(1, resource) for resource in resources), tables.encoded()]))


class _Dictionary:
    """The tables that all profiles share; what is first used gets the next number, 0 is unset."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._strings = {"": 0}
        self._functions: dict[int, int] = {}
        self._locations: dict[int, bytes] = {}
        self._stacks: dict[int, bytes] = {}
        self._links = {b"": 0}
        self._attributes: dict[bytes, int] = {b"": 0}
        self._parts: list[bytes] = [block(field, b"") for field in (1, 2, 3, 4, 6, 7)]

    def string(self, content: str) -> int:
        return self._strings.setdefault(content, len(self._strings))

    def stack(self, node: int) -> bytes:
        """The field of a sample that names its stack."""
        if node not in self._stacks:
            self._stacks[node] = integer(1, len(self._stacks) + 1)
            frames = self.profile.shown.tree.path(node)[::-1] if node else [-1]
            known = self._locations
            places = [known.get(frame) or self._location(frame) for frame in frames]
            self._parts.append(block(7, block(1, b"".join(places))))
        return self._stacks[node]

    def _location(self, frame: int) -> bytes:
        if frame not in self._locations:
            self._locations[frame] = varint(len(self._locations) + 1)
            tables = self.profile.tables
            function = int(tables.frame_function[frame]) if frame >= 0 else -1
            line = int(tables.frame_line[frame]) if frame >= 0 else 0
            said = integer(1, self._function(function)) + integer(2, line)
            self._parts.append(block(2, block(3, said)))
        return self._locations[frame]

    def _function(self, function: int) -> int:
        if function not in self._functions:
            self._functions[function] = len(self._functions) + 1
            tables = self.profile.tables
            known = function >= 0
            name = (tables.function_name[function] or "?") if known else NO_STACK
            said = integer(1, self.string(name))
            if known:
                said += integer(3, self.string(tables.function_file[function]))
                said += integer(4, int(tables.function_line[function]))
            self._parts.append(block(3, said))
        return self._functions[function]

    def attribute(self, key: str, value: str) -> int:
        said = integer(1, self.string(key)) + block(2, text(1, value))
        return self._numbered(self._attributes, said, 6)

    def link(self, trace: str, span: str) -> int:
        try:
            said = block(1, bytes.fromhex(trace)) + block(2, bytes.fromhex(span))
        except ValueError:
            return 0
        return self._numbered(self._links, said, 4) if len(said) == 28 else 0

    def _numbered(self, known: dict[bytes, int], said: bytes, field: int) -> int:
        if said not in known:
            known[said] = len(known)
            self._parts.append(block(field, said))
        return known[said]

    def encoded(self) -> bytes:
        strings = [text(5, string) for string in self._strings]
        return block(2, b"".join([*self._parts, *strings]))


def _resource(profile: Profile, number: int, tables: _Dictionary) -> bytes:
    header = profile.processes[number].header
    known = {
        "service.name": header.service or exporting.title(profile),
        "service.version": header.release,
        "deployment.environment.name": header.environment,
        "host.name": header.host,
        "process.pid": str(header.pid) if header.pid else "",
        "process.runtime.name": str(header.python.get("implementation", "")).lower(),
        "process.runtime.version": str(header.python.get("version", "")),
    }
    said = [text(1, key) + block(2, text(1, value)) for key, value in known.items() if value]
    scope = text(1, "flamespan") + text(2, exporting.version())
    rows = profile.selected
    of_process = np.array([row.process == number for row in profile.tables.threads], bool)
    mine = np.flatnonzero(of_process[rows.thread]) if len(rows) else np.zeros(0, np.int64)
    profiles = [
        block(2, _profile(profile, number, clock, weights, mine, tables))
        for clock, weights in (("wall", rows.wall_ns), ("cpu", rows.cpu_ns))
    ]
    scopes = block(1, scope) + b"".join(profiles)
    return block(1, b"".join(block(1, pair) for pair in said)) + block(2, scopes)


def _profile(
    profile: Profile, number: int, clock: str, weights: Ints, mine: Ints, tables: _Dictionary
) -> bytes:
    process = profile.processes[number]
    unit = integer(2, tables.string("nanoseconds"))
    kind = integer(1, tables.string(clock)) + unit
    session = f"{process.header.session_id} {number} {clock}".encode()
    return b"".join(
        [
            block(1, kind),
            *(block(2, sample) for sample in _samples(profile, weights, mine, tables)),
            fixed64(3, process.first_ns),
            integer(4, max(process.last_ns - process.first_ns, 0)),
            block(5, kind),
            integer(6, process.header.interval_ns),
            block(7, hashlib.md5(session, usedforsecurity=False).digest()),
        ]
    )


def _samples(profile: Profile, weights: Ints, mine: Ints, tables: _Dictionary) -> Iterator[bytes]:
    """One message per stack, thread and span, with a value and a time per observation."""
    rows = profile.selected
    mine = mine[weights[mine] > 0]
    time = rows.time_ns[mine]
    if (time[1:] < time[:-1]).any():
        mine = mine[np.argsort(time, kind="stable")]
    stack = profile.shown.place[rows.stack[mine]]
    contexts_of_thread = len(profile.tables.spans) + 1
    key = (rows.thread[mine].astype(np.int64) * contexts_of_thread + rows.span[mine] + 1) * len(
        profile.shown.tree
    ) + stack
    order = stable_order(key)
    mine, stack, key = mine[order], stack[order], key[order]
    first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]][: len(key)])
    # All numbers are encoded at once; a sample's are a slice of these.
    values, places = varints(weights[mine])
    times = rows.time_ns[mine].astype("<i8").tobytes()
    contexts: dict[tuple[int, int], bytes] = {}
    at = mine[first]
    spans, threads, nodes = (c.tolist() for c in (rows.span[at], rows.thread[at], stack[first]))
    edges = [*first.tolist(), len(mine)]
    for node, context, (begin, end) in zip(
        nodes, zip(spans, threads, strict=True), pairwise(edges), strict=True
    ):
        if context not in contexts:
            attributes, link = _context(profile, *context, tables)
            contexts[context] = packed(2, attributes) + integer(3, link)
        yield b"".join(
            [
                tables.stack(node),
                contexts[context],
                block(4, values[places[begin] : places[end]]),
                block(5, times[8 * begin : 8 * end]),
            ]
        )


def _context(
    profile: Profile, span: int, thread: int, tables: _Dictionary
) -> tuple[list[int], int]:
    """Attributes (thread, transaction) and link of samples of a span."""
    attributes = [tables.attribute("thread.name", thread_name(profile, thread))]
    if span < 0:
        return attributes, 0
    spans = profile.tables.spans
    name = spans.name[int(spans.transaction[span])]
    attributes.append(tables.attribute("flamespan.transaction", name))
    tags = spans.tags[span]
    return attributes, tables.link(tags.get("trace_id", ""), tags.get("span_id", ""))
