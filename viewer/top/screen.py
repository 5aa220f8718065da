"""One picture of ``flamespan top``: the processes, and the table of what they did of late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flamespan.aggregator.live import LiveProcess
from flamespan.aggregator.profile import Profile
from flamespan.viewer import terminal, words
from flamespan.viewer.top.choice import HELP, Choice

PROCESSES = 4
"""So many processes have a line of their own."""

_DROPS = ("dropped_samples", "dropped_spans", "torn", "failed_flushes")
_TEXTS = ("name", "where", "op")
_NAMES = {"wall": "wall time", "cpu": "CPU time", "gil": "time with the GIL", "wait": "waiting"}

Column = tuple[str, str, Callable[[Any], str]]
"""Heading, column of the rows, and how a value is written."""


def screen(
    processes: Sequence[LiveProcess], profile: Profile | None, choice: Choice, rows: int
) -> RenderableType:
    """The picture; ``rows`` is how many lines the table may have."""
    parts: list[RenderableType] = [_process(process) for process in processes[:PROCESSES]]
    if len(processes) > PROCESSES:
        parts.append(Text(f"and {len(processes) - PROCESSES} more"))
    parts.append(Text(_about(profile, choice), "dim"))
    if profile is None:
        return Group(*parts, Text("nothing has been recorded yet"))
    found, columns = TABLES[choice.by](_viewed(profile, choice), choice)
    found = _filtered(found, choice)
    parts.append(_table(found.head(rows), columns, choice))
    if not len(found):
        parts.append(Text("nothing in these seconds" + (" matches" if choice.filter else "")))
    elif len(found) > rows:
        parts.append(Text(f"and {words.counted(len(found) - rows, 'row')} more", "dim"))
    return Group(*parts)


def foot(choice: Choice) -> Text:
    """The last line: the filter while it is typed, else the keys."""
    if choice.typing:
        return Text(f"filter: {choice.filter}▏  Enter keeps it, Esc forgets it", "bold")
    return Text(HELP, "reverse", overflow="ellipsis", no_wrap=True)


def _process(process: LiveProcess) -> Text:
    header, stats = process.header, process.stats
    name = header.service or header.program or "?"
    drops = [
        f"{words.grouped(getattr(stats, field))} {field.replace('_', ' ')}"
        for field in _DROPS
        if getattr(stats, field)
    ]
    said = [
        process.state,
        f"{process.achieved_hz:.0f} of {process.asked_hz:.0f} Hz",
        f"{process.cost_cores:.1%} of a core" if process.cost_cores else "",
        ", ".join(drops) or "nothing dropped",
    ]
    style = "" if process.state == "recording" else "yellow"
    text = f"{name} ({header.pid})  " + " · ".join(part for part in said if part)
    return Text(words.clean(text), style, overflow="ellipsis", no_wrap=True)


def _about(profile: Profile | None, choice: Choice) -> str:
    parts = [f"last {choice.window_s:g} s", _NAMES[choice.clock], f"by {choice.sorted_by}"]
    if choice.application:
        parts.append("application frames")
    if choice.filter and not choice.typing:
        parts.append(f"filter {choice.filter!r}")
    if profile is not None:
        parts.append(words.counted(len(profile.rows), "sample"))
    return ("PAUSED · " if choice.paused else "") + " · ".join(parts)


def _viewed(profile: Profile, choice: Choice) -> Profile:
    profile = profile.clock(choice.clock)
    return profile.application_frames() if choice.application else profile


def _functions(profile: Profile, choice: Choice) -> tuple[pd.DataFrame, list[Column]]:
    found = profile.functions().rename(
        columns={"function": "name", "self_ns": "self", "total_ns": "total"}
    )
    found["where"] = [
        terminal.place(file, line) or module
        for file, line, module in zip(found["file"], found["line"], found["module"], strict=True)
    ]
    found["self_a_second"] = found["self"] / 1e9 / _seconds(profile, choice)
    return found, [
        ("self", "self", words.duration),
        ("self %", "self_share", words.percent),
        ("a second", "self_a_second", lambda seconds: f"{seconds:.3f} s"),
        ("total", "total", words.duration),
        ("total %", "total_share", words.percent),
        ("samples", "samples", words.grouped),
        ("function", "name", str),
        ("where", "where", str),
    ]


def _seconds(profile: Profile, choice: Choice) -> float:
    """The window, or as much of it as there was a recording."""
    return min(choice.window_s, profile.duration_ns / 1e9) or choice.window_s


def _transactions(profile: Profile, choice: Choice) -> tuple[pd.DataFrame, list[Column]]:
    spans = profile.tables.spans
    running = np.flatnonzero(np.asarray(spans.is_transaction) & np.asarray(spans.open))
    open_now = Counter((spans.name[row], spans.op[row]) for row in running)
    found = profile.transactions().rename(
        columns={"transaction": "name", "p95_ns": "p95", "cpu_ns": "cpu", "total_ns": "total"}
    )
    found["open"] = [open_now[key] for key in zip(found["name"], found["op"], strict=True)]
    found["rate"] = found["count"] / _seconds(profile, choice)
    return found, [
        ("a second", "rate", lambda rate: f"{rate:.1f}"),
        ("open", "open", words.grouped),
        ("errors", "errors", words.grouped),
        ("p50", "p50_ns", words.duration),
        ("p95", "p95", words.duration),
        ("longest", "max_ns", words.duration),
        ("in all", "total", words.duration),
        ("CPU", "cpu", words.duration),
        ("transaction", "name", str),
        ("op", "op", str),
    ]


def _threads(profile: Profile, choice: Choice) -> tuple[pd.DataFrame, list[Column]]:
    del choice
    found = profile.threads().rename(
        columns={
            "thread": "name",
            "running_ns": "running",
            "cpu_ns": "cpu",
            "gil_wait_ns": "gil",
        }
    )
    return found, [
        ("running", "running", words.duration),
        ("CPU", "cpu", words.duration),
        ("waits for GIL", "gil", words.duration),
        ("idle", "idle_ns", words.duration),
        ("process", "pid", str),
        ("thread", "name", str),
    ]


TABLES: dict[str, Callable[[Profile, Choice], tuple[pd.DataFrame, list[Column]]]] = {
    "function": _functions,
    "transaction": _transactions,
    "thread": _threads,
}


def _filtered(found: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """The rows that hold every word of the filter, in the order that was chosen."""
    if len(found):
        text = found["name"].astype(str)
        for more in _TEXTS[1:]:
            text = text + " " + found[more].astype(str) if more in found else text
        low = text.str.lower()
        for word in choice.filter.lower().split():
            found = found[low[found.index].str.contains(word, regex=False)]
    by = choice.sorted_by
    return found.sort_values(by, ascending=by == "name", kind="stable")


def _table(found: pd.DataFrame, columns: list[Column], choice: Choice) -> Table:
    """Numbers are never cut; names give way."""
    rows = found.to_dict("records")
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    for heading, name, said in columns:
        title = heading + ("▼" if name == choice.sorted_by else "")
        is_text = name in _TEXTS
        width = max([len(title), *(len(said(row[name])) for row in rows)])
        table.add_column(
            title,
            justify="left" if is_text else "right",
            no_wrap=True,
            overflow="ellipsis",
            min_width=min(width, 10) if is_text else width,
        )
    for row in rows:
        style = "bold" if row.get("origin") == "application" else ""
        table.add_row(*[Text(words.clean(said(row[n])), style) for _, n, said in columns])
    return table
