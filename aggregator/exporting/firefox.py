"""Firefox Profiler's "processed profile" JSON, for https://profiler.firefox.com.

A thread's samples with their times, weights (milliseconds, exact to the nanosecond) and CPU
deltas; running lines; functions with file, first line and module; the origin as category; spans
as interval markers on the thread that opened them. Time that is not in view is a sample without
a stack. Written as version 48: newer Firefox Profilers upgrade it when they load it. Format:
``docs-developer/CHANGELOG-formats.md`` and ``src/types/profile.ts`` of firefox-devtools/profiler.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from flamespan.aggregator import exporting
from flamespan.aggregator.exporting.spans import said
from flamespan.aggregator.timeline import thread_name

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile
    from flamespan.aggregator.stacktree import Ints

VERSION = 48
CATEGORIES = [
    {"name": "Application", "color": "yellow", "subcategories": ["Other"]},
    {"name": "Library", "color": "blue", "subcategories": ["Other"]},
    {"name": "Standard library", "color": "lightblue", "subcategories": ["Other"]},
    {"name": "Runtime", "color": "brown", "subcategories": ["Other"]},
    {"name": "Other", "color": "grey", "subcategories": ["Other"]},
]
"""The first four are ``Origin`` in its order; the last one is for spans."""
_OTHER = 4
_LIBRARY = 1  # a resource's type
_INTERVAL = 1  # a marker's phase


def write(profile: Profile, file: TextIO) -> None:
    """Write ``profile`` to ``file``, thread by thread."""
    rows, spans = profile.selected.single(), profile.tables.spans
    weights = profile.weights_ns
    of_spans = spans.thread[profile.span_mask]
    threads = np.unique(np.r_[rows.thread[weights > 0], of_spans[of_spans >= 0]]).tolist()
    starts = rows.time_ns - rows.wall_ns
    origin = min([int(starts.min())] if len(rows) else [], default=None)
    begun = spans.start_ns[profile.span_mask]
    if len(begun):
        origin = int(begun.min()) if origin is None else min(origin, int(begun.min()))
    meta = _meta(profile, origin or 0)
    head = {"meta": meta, "libs": [], "counters": [], "profilerOverhead": []}
    file.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "threads": [')
    for place, thread in enumerate(threads):
        file.write(",\n" if place else "\n")
        _Thread(profile, thread, origin or 0).write(file)
    file.write("\n]}\n")


def _meta(profile: Profile, origin_ns: int) -> dict[str, Any]:
    header = profile.processes[0].header if profile.processes else None
    interval = header.interval_ns if header else 0
    return {
        "version": 27,
        "preprocessedProfileVersion": VERSION,
        "interval": (interval or 10_000_000) / 1e6,
        "startTime": origin_ns / 1e6,
        "processType": 0,
        "product": exporting.title(profile),
        "importedFrom": f"flamespan {exporting.version()}",
        "stackwalk": 0,
        "symbolicated": True,
        "debug": False,
        "categories": CATEGORIES,
        "sampleUnits": {"time": "ms", "eventDelay": "ms", "threadCPUDelta": "ns"},
        "usesOnlyOneStackType": True,
        "sourceCodeIsNotOnSearchfox": True,
        "markerSchema": [_schema("Transaction"), _schema("Span")],
        "oscpu": str(header.os.get("name", "")) if header else "",
        "platform": "",
        "toolkit": "",
    }


def _schema(kind: str) -> dict[str, Any]:
    shown = ("op", "description", "status", "transaction", "details")
    labels = {key: {"key": key, "label": key.capitalize(), "format": "string"} for key in shown}
    return {
        "name": kind,
        "tooltipLabel": "{marker.name}",
        "tableLabel": "{marker.data.op} {marker.data.description}",
        "chartLabel": "{marker.name}",
        "display": ["marker-chart", "marker-table", "timeline-overview"],
        "data": [label | {"searchable": True} for label in labels.values()],
    }


class _Thread:
    """One thread's tables: strings, functions and frames get numbers when they are first used."""

    def __init__(self, profile: Profile, thread: int, origin_ns: int) -> None:
        self.profile = profile
        self.thread = thread
        self.origin_ns = origin_ns
        self._strings: dict[str, int] = {}

    def write(self, file: TextIO) -> None:
        row = self.profile.tables.threads[self.thread]
        process = self.profile.processes[row.process]
        samples, used = self._samples()
        content = self._facts(process.first_ns) | {
            "pid": str(process.header.pid or row.process + 1),
            "tid": row.native_id or row.ident or self.thread + 1,
            "processName": process.header.service or process.header.program,
            "samples": samples,
            "markers": self._markers(),
            **self._code(used),
            "nativeSymbols": _table(libIndex=[], address=[], name=[], functionSize=[]),
        }
        content["stringArray"] = list(self._strings)
        file.write(json.dumps(content, ensure_ascii=False, separators=(",", ":")))

    def _facts(self, first_ns: int) -> dict[str, Any]:
        row = self.profile.tables.threads[self.thread]
        return {
            "processType": "default",
            "processStartupTime": self._ms(first_ns),
            "processShutdownTime": None,
            "registerTime": self._ms(first_ns),
            "unregisterTime": None,
            "pausedRanges": [],
            "name": thread_name(self.profile, self.thread),
            "isMainThread": row.is_main,
            "showMarkersInTimeline": True,
        }

    def _ms(self, time_ns: int) -> float:
        return max(time_ns - self.origin_ns, 0) / 1e6

    def _string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def _samples(self) -> tuple[dict[str, Any], Ints]:
        """The samples table, and the shown stacks it uses; stack i of it is the i-th of them."""
        profile, rows = self.profile, self.profile.selected
        mine = np.flatnonzero(rows.thread == self.thread)
        mine = mine[np.argsort(rows.time_ns[mine], kind="stable")]
        shown = profile.shown.place[rows.stack[mine]].astype(np.int64)
        wanted = profile.shown.tree.with_callers(shown)
        number = np.cumsum(wanted) - 2  # node 0, the empty stack, is not in the table
        start = rows.time_ns[mine] - rows.wall_ns[mine]
        gap = np.flatnonzero(start > np.r_[self.origin_ns - 1, rows.time_ns[mine][:-1]])
        time = np.insert(rows.time_ns[mine], gap, start[gap])
        stack = np.insert(number[shown], gap, -1).tolist()
        weight = np.insert(profile.weights_ns[mine], gap, 0)
        cpu = np.insert(rows.cpu_ns[mine], gap, 0)
        samples = _table(
            stack=[place if place >= 0 else None for place in stack],
            time=((time - self.origin_ns) / 1e6).tolist(),
            weight=(weight / 1e6).tolist(),
            threadCPUDelta=cpu.tolist(),
        )
        return samples | {"weightType": "tracing-ms"}, np.flatnonzero(wanted)[1:]

    def _code(self, used: Ints) -> dict[str, Any]:
        t, tree = self.profile.tables, self.profile.shown.tree
        place = np.full(len(tree), -1, np.int64)
        place[used] = np.arange(len(used))
        frames, frame = np.unique(tree.key[used], return_inverse=True)
        functions, function = np.unique(t.frame_function[frames], return_inverse=True)
        prefix = place[tree.parent[used]].tolist()
        origin = t.function_origin[t.frame_function[frames]]
        nothing = [None] * len(frames)
        return {
            "stackTable": _table(
                frame=frame.tolist(),
                prefix=[above if above >= 0 else None for above in prefix],
                category=origin[frame].tolist(),
                subcategory=[0] * len(used),
            ),
            "frameTable": _table(
                address=[-1] * len(frames),
                inlineDepth=[0] * len(frames),
                category=origin.tolist(),
                subcategory=[0] * len(frames),
                func=function.tolist(),
                nativeSymbol=nothing,
                innerWindowID=[0] * len(frames),
                implementation=nothing,
                line=[line or None for line in t.frame_line[frames].tolist()],
                column=nothing,
            ),
            **self._functions(functions.tolist()),
        }

    def _functions(self, functions: Sequence[int]) -> dict[str, Any]:
        t = self.profile.tables
        modules = [t.function_module[function] for function in functions]
        resources = {name: place for place, name in enumerate(dict.fromkeys(filter(None, modules)))}
        files = [t.function_file[function] for function in functions]
        return {
            "funcTable": _table(
                name=[self._string(t.function_name[function] or "?") for function in functions],
                isJS=[False] * len(functions),
                relevantForJS=[False] * len(functions),
                resource=[resources.get(module, -1) for module in modules],
                fileName=[self._string(path) if path else None for path in files],
                lineNumber=[int(t.function_line[function]) or None for function in functions],
                columnNumber=[None] * len(functions),
            ),
            "resourceTable": _table(
                lib=[None] * len(resources),
                name=[self._string(name) for name in resources],
                host=[None] * len(resources),
                type=[_LIBRARY] * len(resources),
            ),
        }

    def _markers(self) -> dict[str, Any]:
        spans = self.profile.tables.spans
        mine = np.flatnonzero(self.profile.span_mask & (spans.thread == self.thread))
        mine = mine[np.argsort(spans.start_ns[mine], kind="stable")]
        return _table(
            data=[self._marker(row) for row in mine.tolist()],
            name=[self._string(spans.name[row] or spans.op[row] or "span") for row in mine],
            startTime=[self._ms(time) for time in spans.start_ns[mine].tolist()],
            endTime=[self._ms(time) for time in spans.end_ns[mine].tolist()],
            phase=[_INTERVAL] * len(mine),
            category=[_OTHER] * len(mine),
        )

    def _marker(self, row: int) -> dict[str, str]:
        facts = said(self.profile, row)
        known = {key: facts.pop(key, "") for key in ("op", "description", "status", "transaction")}
        kind = "Transaction" if self.profile.tables.spans.parent[row] < 0 else "Span"
        details = ", ".join(f"{key}: {value}" for key, value in facts.items())
        return {"type": kind, **known} | ({"details": details} if details else {})


def _table(**columns: list[Any]) -> dict[str, Any]:
    """Columns of equal length, and the length."""
    return {**columns, "length": len(next(iter(columns.values())))}
