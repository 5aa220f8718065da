"""Joins recordings into one Profile: shared tables by identity, samples side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from flamespan.aggregator.content import Content
from flamespan.aggregator.data import (
    APPLICATION,
    SYSTEM,
    Process,
    Rows,
    Tables,
    ThreadRow,
    encodable,
)
from flamespan.aggregator.origin import PathRules
from flamespan.aggregator.spanjoin import SpanJoiner
from flamespan.aggregator.stacktree import Ids, Ints, StackTree, rebuild
from flamespan.profiler.model import Function, Loss


def join(
    contents: Sequence[Content], application: Sequence[str] = (), library: Sequence[str] = ()
) -> tuple[Tables, Rows]:
    """Tables and rows of all ``contents``; parts of one session become one process.

    ``application`` and ``library`` are the user's origin rules (see ``PathRules``).
    """
    contents = sorted(contents, key=lambda c: (c.header.session_id, c.header.part))
    joiner = _Joiner(application, library)
    for content in contents:
        joiner.add(content)
    return joiner.tables_and_rows()


class _Joiner:
    def __init__(self, application: Sequence[str], library: Sequence[str]) -> None:
        self._user_rules = (application, library)
        self._functions: dict[Function, PathRules] = {}
        self._contents: list[tuple[Content, int]] = []
        self._threads: list[ThreadRow] = []
        self._thread_rows: list[Ids] = []
        self._processes: list[Process] = []
        self._spans = SpanJoiner()

    def add(self, content: Content) -> None:
        process = self._process(content)
        by_ident = self._add_threads(content, process)
        self._spans.add(process, content.spans, content.epoch_ns, by_ident)
        rules = PathRules(content.header.paths, *self._user_rules)
        for function in content.tables.functions:
            self._functions.setdefault(function, rules)
        self._contents.append((content, process))

    def tables_and_rows(self) -> tuple[Tables, Rows]:
        functions = list(self._functions)
        pairs, frame_maps = self._join_frames({f: i for i, f in enumerate(functions)})
        tree, node_maps = self._join_trees(frame_maps)
        rows = self._rows(node_maps)
        idents = [thread.ident for thread in self._threads]
        self._spans.place_threads(rows.span, rows.thread, idents)
        spans = self._spans.spans([process.last_ns for process in self._processes])
        stand_ins = [Function(SYSTEM, "", 0), Function(APPLICATION, "", 0)]
        rules = [*self._functions.values(), *(PathRules({}) for _ in stand_ins)]
        first_stand_in = len(functions)
        functions += stand_ins
        origins = [r.origin(f.name, f.file) for r, f in zip(rules, functions, strict=True)]
        tables = Tables(
            function_name=[encodable(f.name) for f in functions],
            function_file=[encodable(f.file) for f in functions],
            function_module=[
                encodable(r.module(f.file)) for r, f in zip(rules, functions, strict=True)
            ],
            function_line=np.array([f.first_line for f in functions], np.int32),
            function_origin=np.array(origins, np.uint8),
            frame_function=np.r_[pairs[:, 0], first_stand_in, first_stand_in + 1].astype(np.int32),
            frame_line=np.r_[pairs[:, 1], 0, 0].astype(np.int32),
            tree=tree,
            threads=self._threads,
            processes=self._processes,
            spans=spans,
            function_beyond_self_ns=self._beyond_self(functions),
        )
        return tables, rows

    def _beyond_self(self, functions: list[Function]) -> Ints | None:
        if not any(content.beyond_self_ns for content, _ in self._contents):
            return None
        place = {function: number for number, function in enumerate(functions)}
        sums = np.zeros(len(functions), np.int64)
        for content, _ in self._contents:
            for number, beyond_ns in content.beyond_self_ns.items():
                sums[place[content.tables.functions[number]]] += beyond_ns
        return sums

    def _process(self, content: Content) -> int:
        session = content.header.session_id
        for index, process in enumerate(self._processes):
            if session and process.header.session_id == session:
                _add_part(process, content)
                return index
        self._processes.append(Process(header=content.header, first_ns=content.first_ns))
        _add_part(self._processes[-1], content)
        return len(self._processes) - 1

    def _add_threads(self, content: Content, process: int) -> dict[int, set[int]]:
        """Take in a file's threads (one of two parts is one row); rows of each ident."""
        known = {
            (row.ident, row.native_id): place
            for place, row in enumerate(self._threads)
            if row.process == process
        }
        used = int(content.columns.thread.max(initial=-1)) + 1
        rows = np.full(max(used, max(content.tables.threads, default=-1) + 1), -1, np.int32)
        by_ident: dict[int, set[int]] = {}
        for thread in content.tables.threads.values():
            place = known.get((thread.ident, thread.native_id), len(self._threads))
            name = encodable(thread.name)
            row = ThreadRow(name, thread.ident, thread.native_id, thread.is_main, process)
            self._threads[place : place + 1] = [row]
            rows[thread.index] = place
            by_ident.setdefault(thread.ident, set()).add(place)
        nobody = rows < 0
        if nobody.any() and nobody[content.columns.thread].any():
            rows[nobody] = len(self._threads)
            self._threads.append(ThreadRow("<lost>", 0, 0, False, process))
        self._thread_rows.append(rows)
        return by_ident

    def _join_frames(self, ids: dict[Function, int]) -> tuple[Ids, list[Ids]]:
        """Distinct (function, line) pairs, and each file's frames among them."""
        coded = []
        for content, _ in self._contents:
            tables = content.tables
            functions = np.array([ids[f] for f in tables.functions], np.int64)
            known = functions[_or_lost(np.asarray(tables.frame_function), len(functions))]
            coded.append(known << 32 | np.asarray(tables.frame_line))
        distinct, inverse = np.unique(np.concatenate(coded), return_inverse=True)
        cuts = np.cumsum([len(part) for part in coded])[:-1]
        pairs = np.stack([distinct >> 32, distinct & 0xFFFFFFFF], axis=1)
        return pairs.astype(np.int32), np.split(inverse.astype(np.int32), cuts)

    def _join_trees(self, frame_maps: list[Ids]) -> tuple[StackTree, list[Ids]]:
        """One tree of all files' stacks, and each file's nodes in it."""
        parents, keys = [np.zeros(1, np.int32)], [np.zeros(1, np.int32)]
        numbers, count = [], 1
        for (content, _), frames in zip(self._contents, frame_maps, strict=True):
            stacks = content.tables.stacks
            number = np.r_[0, np.arange(count, count + len(stacks) - 1)].astype(np.int32)
            parents.append(number[np.asarray(stacks.parent)][1:])
            keys.append(frames[_or_lost(np.asarray(stacks.frame), len(frames))][1:])
            numbers.append(number)
            count += len(stacks) - 1
        tree = StackTree(np.concatenate(parents), np.concatenate(keys))
        if len(numbers) == 1:
            return tree, numbers
        tree, mapped = rebuild(tree.parent, tree.key)
        return tree, [mapped[number] for number in numbers]

    def _rows(self, node_maps: list[Ids]) -> Rows:
        parts = []
        for (content, process), nodes, threads in zip(
            self._contents, node_maps, self._thread_rows, strict=True
        ):
            c = content.columns
            parts.append(
                Rows(
                    c.time_ns,
                    c.wall_ns,
                    c.cpu_ns,
                    nodes[c.stack],
                    self._spans.rows_of(process, c.span_id),
                    threads[c.thread],
                    c.state,
                    c.flags,
                    c.samples,
                    c.wait_ns,
                )
            )
        if len(parts) == 1:
            return parts[0]
        if any(part.summed is not None for part in parts):
            parts = [replace(part, summed=part.samples, waited=part.wait_ns) for part in parts]
        columns: dict[str, Any] = {}
        for name in (f.name for f in fields(Rows)):
            column = [getattr(part, name) for part in parts]
            columns[name] = None if column[0] is None else np.concatenate(column)
        return Rows(**columns)


def _or_lost(ids: npt.NDArray[np.unsignedinteger[Any]], defined: int) -> Ids:
    """Ids of definitions, those that were never given replaced by row 0, ``<lost>``."""
    return np.where(ids < defined, ids, 0).astype(np.int64)


def _add_part(process: Process, content: Content) -> None:
    """One more file of a process: counters add up, what describes it is the newest."""
    process.paths.append(content.path)
    process.header = content.header
    process.stats, process.end = content.stats, content.end
    process.passes += content.passes
    process.late += content.late
    process.missed += content.missed
    process.unobserved_ns += content.unobserved_ns
    process.asleep_ns += content.asleep_ns
    process.outages = np.concatenate([process.outages, content.outages])
    process.first_ns = min(process.first_ns, content.first_ns)
    process.last_ns = max(process.last_ns, content.last_ns)
    process.left_out += content.left_out
    process.notes += [*content.loss.reasons, *content.notes]
    lost = process.loss
    process.loss = Loss(
        lost.blocks + content.loss.blocks,
        lost.skipped_bytes + content.loss.skipped_bytes,
        lost.tail_bytes + content.loss.tail_bytes,
        lost.reasons + content.loss.reasons,
    )
