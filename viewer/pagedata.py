"""Everything the page shows, packed: a Profile becomes one JSON head and binary columns.

The container (little endian, then gzip, then base64 in the HTML; ``page/columns.js`` reads it):

    u32 length of the head | u32 0 | head (JSON, UTF-8) padded to 8 | columns, each padded to 8

``head["columns"]`` lists ``{name, type, scale, offset, length}``: ``type`` is one of u8, u16, u32,
i32, f64 (whole numbers, the smallest type that holds them), true value = stored × ``scale``,
``offset`` counts from the first column. All times are nanoseconds after ``head["origin_ns"]``
(unix, a string because it exceeds 2**53). The head further holds

    version, title, end_ns, weight_clock, functions {name, file, module, beyond_self_ns}, threads,
    processes,
    t95 (Student's t for 95 %, of the degrees of freedom that have two digits, from 1.0 on),
    gaps [{span, start, end, function, module, function_ns, samples}],
    links {repository, editor}, sources {file: {path, text or why it is not here}},
    samples (how many there are), piecewise (whether their columns come later, ``sample_data``),
    spans {strings, tags by span row, measurements by span row: {name: [value, unit]}}

and the columns are

    function_origin, function_line, frame_function, frame_line     tables (the last functions are
                                                                   <hidden>, <system>,
                                                                   <application>)
    stack_parent, stack_frame                                      the stacks, parents first
    thread_first_row                                               threads + 1 row numbers
    sample_wall_ns, _cpu_ns, _stack, _span, _state, _flags         ordered by thread, then time
    gap_row, gap_ns                                                where a sample does not begin
                                                                   when the one before it ended
    span_start_ns, _end_ns, _exclusive_ns, _in_view, _id, _parent, _transaction, _thread,
    _process, _open, _name, _op, _description, _status             texts: index in spans.strings
    gil_span, gil_holder, gil_place, gil_wait_ns                   who held the GIL while a span
                                                                   waited for it, the longest
                                                                   waits first (texts, too)
"""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from flamespan.aggregator.quality import process_info, troubles
from flamespan.aggregator.spantables import exclusive_ns
from flamespan.aggregator.statistics import t_quantile
from flamespan.profiler.errors import UsageError
from flamespan.viewer.sources import Links, source_part

if TYPE_CHECKING:
    from flamespan.aggregator.data import Process, Rows, Tables
    from flamespan.aggregator.profile import Profile

Ints = npt.NDArray[np.int64]

VERSION = 1
_EXACT = 2**53
_DEGREES = [digits * 10**power / 10 for power in range(6) for digits in range(10, 100)]
"""1.0, 1.1, … 9.9, 10, 11, … 99, 100, 110, …: intervals round theirs down to two digits."""
_TYPES = {"u8": np.uint8, "u16": np.uint16, "u32": np.uint32, "i32": np.int32, "f64": np.float64}


@dataclass(frozen=True)
class PageData:
    """The page's data: what is said once (``head``) and what is said per row (``columns``)."""

    head: dict[str, Any]
    columns: dict[str, Ints]

    def pack(self) -> bytes:
        """The container's bytes, not yet compressed."""
        places, parts, offset = [], [], 0
        for name, values in self.columns.items():
            place, body = _pack_column(name, values)
            places.append({**place, "offset": offset})
            body += bytes(-len(body) % 8)
            parts.append(body)
            offset += len(body)
        head = json.dumps({**self.head, "columns": places}, separators=(",", ":"), default=str)
        packed = head.encode("utf-8", "replace")
        start = len(packed).to_bytes(4, "little") + bytes(4)
        return b"".join([start, packed, bytes(-len(packed) % 8), *parts])

    def packed(self) -> bytes:
        """The container's bytes, compressed."""
        # Level 6 takes four times as long and saves one per cent.
        return gzip.compress(self.pack(), 4, mtime=0)

    def encode(self) -> str:
        """The container as text that is safe anywhere in HTML."""
        return base64.b64encode(self.packed()).decode("ascii")


def _pack_column(name: str, values: npt.ArrayLike) -> tuple[dict[str, Any], bytes]:
    column = np.asarray(values).astype(np.int64)
    low, high = (int(column.min()), int(column.max())) if len(column) else (0, 0)
    if max(-low, high) > _EXACT:
        raise UsageError(
            f"{name}: these recordings lie more than 104 days apart, which one page cannot hold; "
            "view them one at a time"
        )
    scale = 1
    if high >= 1 << 16:
        scale = max(int(np.gcd.reduce(column)), 1)
    kind = _smallest(low // scale, high // scale)
    place = {"name": name, "type": kind, "scale": scale, "length": len(column)}
    return place, (column // scale).astype(_TYPES[kind]).tobytes()


def _smallest(low: int, high: int) -> str:
    if low >= 0:
        for kind, limit in (("u8", 1 << 8), ("u16", 1 << 16), ("u32", 1 << 32)):
            if high < limit:
                return kind
    return "i32" if low >= -(1 << 31) and high < 1 << 31 else "f64"


def page_data(
    profile: Profile, title: str = "", links: Links | None = None, *, samples: bool = True
) -> PageData:
    """All of ``profile`` that the page needs; ``links`` says how it opens code.

    Without its ``samples``, ``sample_data`` has them.

    Raises UsageError where the recordings lie so far apart that the page could not be exact.
    """
    tables, rows = profile.tables.with_hidden()[0], profile.rows.single()
    origin, end = _extent(tables, rows)
    links = links or Links()
    sent = rows if samples else rows.pick(np.zeros(len(rows), bool))
    sample_columns, stacks = _samples(tables, sent, origin)
    spans, span_columns = _span_part(profile, origin)
    head = {
        **_head(profile, tables, title, origin),
        "end_ns": end - origin,
        "spans": spans,
        "links": {"repository": links.repository, "editor": links.editor},
        "sources": source_part(profile, links),
        "samples": len(rows),
        "piecewise": not samples,
    }
    columns = {
        "function_origin": tables.function_origin,
        "function_line": tables.function_line,
        "frame_function": tables.frame_function,
        "frame_line": tables.frame_line,
        **stacks,
        **sample_columns,
        **span_columns,
    }
    return PageData(head, {name: np.asarray(v, np.int64) for name, v in columns.items()})


def _head(profile: Profile, tables: Tables, title: str, origin: int) -> dict[str, Any]:
    beyond = tables.function_beyond_self_ns
    return {
        "version": VERSION,
        "title": title or _title(tables.processes),
        "origin_ns": str(origin),
        "functions": {
            "name": tables.function_name,
            "file": tables.function_file,
            "module": tables.function_module,
            "beyond_self_ns": None if beyond is None else beyond.tolist(),
        },
        "threads": [asdict(thread) for thread in tables.threads],
        "processes": [_process(process, origin) for process in tables.processes],
        "weight_clock": profile.weight_clock,
        "gaps": _gaps(profile, origin),
        "t95": [t_quantile(0.975, df) for df in _DEGREES],
    }


def sample_data(whole: Profile, part: Profile) -> PageData:
    """The samples and stacks of a ``part`` of a profile, for a page that has all the rest."""
    tables = whole.tables
    origin, _ = _extent(tables, whole.rows.single())
    columns, stacks = _samples(tables, part.rows.single(), origin)
    return PageData({}, {k: np.asarray(v, np.int64) for k, v in {**stacks, **columns}.items()})


def origin_ns(profile: Profile) -> int:
    """What the page's times count from, unix ns."""
    return _extent(profile.tables, profile.rows.single())[0]


def _extent(tables: Tables, rows: Rows) -> tuple[int, int]:
    """First and last moment of anything, unix ns; of an empty recording when it was started."""
    spans = tables.spans
    started = min((process.header.start_wall_ns for process in tables.processes), default=0)
    begins = [spans.start_ns, rows.time_ns - rows.wall_ns]
    ends = [spans.end_ns, rows.time_ns]
    begin = min((int(column.min()) for column in begins if len(column)), default=started)
    return begin, max((int(column.max()) for column in ends if len(column)), default=begin)


def _title(processes: list[Process]) -> str:
    names = {p.header.service or p.header.program.rpartition("/")[2] for p in processes}
    return ", ".join(sorted(name for name in names if name)) or "recording"


def _samples(
    tables: Tables, rows: Rows, origin: int
) -> tuple[dict[str, npt.ArrayLike], dict[str, npt.ArrayLike]]:
    """Sample columns by thread and time, and the stacks that they use, renumbered."""
    order = rows.by_thread()
    thread = rows.thread[order]
    first = np.searchsorted(thread, np.arange(len(tables.threads) + 1))
    wall, time = rows.wall_ns[order], rows.time_ns[order] - origin
    before = np.r_[0, time[:-1]]
    before[first[:-1][first[:-1] < len(before)]] = 0
    gap = time - wall - before
    gap_row = np.flatnonzero(gap)

    parent, frame = tables.tree.parent, tables.tree.key
    used = tables.tree.with_callers(rows.stack)
    number = np.cumsum(used) - 1
    columns = {
        "thread_first_row": first,
        "sample_wall_ns": wall,
        "sample_cpu_ns": rows.cpu_ns[order],
        "sample_stack": number[rows.stack[order]],
        "sample_span": rows.span[order],
        "sample_state": rows.state[order],
        "sample_flags": rows.flags[order],
        "gap_row": gap_row,
        "gap_ns": gap[gap_row],
    }
    return columns, {"stack_parent": number[parent[used]], "stack_frame": frame[used]}


class _Strings:
    """Texts that columns refer to by number."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}

    def ids(self, texts: list[str]) -> list[int]:
        return [self._ids.setdefault(text, len(self._ids)) for text in texts]

    def texts(self) -> list[str]:
        return list(self._ids)


def _span_part(profile: Profile, origin: int) -> tuple[dict[str, Any], dict[str, npt.ArrayLike]]:
    """The spans' head and columns; spans that are not in view keep their row, marked."""
    spans = profile.tables.spans
    strings = _Strings()
    texts = {
        name: strings.ids(getattr(spans, name)) for name in ("name", "op", "description", "status")
    }
    gil = _gil(profile, strings)
    columns: dict[str, npt.ArrayLike] = {
        "start_ns": spans.start_ns - origin,
        "end_ns": spans.end_ns - origin,
        "exclusive_ns": exclusive_ns(spans, profile.span_mask),
        "in_view": profile.span_mask,
        **{key: getattr(spans, key) for key in ("id", "parent", "transaction")},
        **{key: getattr(spans, key) for key in ("thread", "process", "open")},
        **texts,
    }
    head = {
        "strings": strings.texts(),
        "tags": {row: tags for row, tags in enumerate(spans.tags) if tags},
        "measurements": {row: found for row, found in enumerate(spans.measurements) if found},
    }
    return head, {f"span_{name}": values for name, values in columns.items()} | gil


def _gil(profile: Profile, strings: _Strings) -> dict[str, npt.ArrayLike]:
    """Who held the GIL, for each transaction and span.

    Found here and not in the page, since whoever held it need not be in view.
    """
    tables = [profile.gil_holders(by, instances=True) for by in ("transaction", "span")]
    told = pd.concat(tables, ignore_index=True)
    places = zip(told["holder_file"], told["holder_line"], strict=True)
    return {
        "gil_span": told["row"],
        "gil_holder": strings.ids(told["holder"].tolist()),
        "gil_place": strings.ids([f"{file}:{line}" if file else "" for file, line in places]),
        "gil_wait_ns": told["wait_ns"],
    }


def _gaps(profile: Profile, origin: int) -> list[dict[str, Any]]:
    found = profile.gaps()
    told = {name: found[name].tolist() for name in ("function", "module", "function_ns", "samples")}
    columns = {
        "span": found["row"].tolist(),
        "start": (found["start_ns"] - origin).tolist(),
        "end": (found["end_ns"] - origin).tolist(),
        **told,
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _process(process: Process, origin: int) -> dict[str, Any]:
    """What ``info`` says of a process, with times on the page's clock and bare file names."""
    info = process_info(process)
    return {
        **info,
        "troubles": list(troubles(info)),
        "paths": [path.replace("\\", "/").rpartition("/")[2] for path in process.paths],
        "first_ns": process.first_ns - origin,
        "last_ns": process.last_ns - origin,
        "loss_reasons": process.loss.reasons,
        "torn": process.stats.torn,
    }
