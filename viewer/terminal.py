"""Tables and trees for people: rich in a terminal, plain text in a pipe, Markdown on request.

Nothing here prints: every function gives something that the command's console can.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import (
    Console,
    ConsoleOptions,
    Group,
    JustifyMethod,
    RenderableType,
    RenderResult,
)
from rich.table import Table
from rich.text import Text

from flamespan.aggregator import exporting
from flamespan.aggregator.data import Origin
from flamespan.aggregator.exporting.json import records
from flamespan.aggregator.statistics import FEWEST_UNITS
from flamespan.aggregator.treeshares import node_intervals
from flamespan.viewer import words
from flamespan.viewer.calllines import call_lines
from flamespan.viewer.columns import (
    COLUMNS,
    DISPENSABLE,
    HEADERS,
    LAST_TO_GO,
    LEAST_NAMES_WIDTH,
    NAMES_WIDTH,
    STATES,
    TEXTS,
    WAITING,
)
from flamespan.viewer.factsheet import info

if TYPE_CHECKING:
    import pandas as pd

    from flamespan.aggregator.calltree import CallTree
    from flamespan.aggregator.profile import Profile

__all__ = ["Question", "console", "info", "markdown", "table", "tree"]

_PIPE_WIDTH = 160
_BAR = 8
_EIGHTHS = " ▏▎▍▌▋▊▉"

ORIGIN_STYLE = {"application": "bold", "library": "", "stdlib": "italic", "runtime": "dim italic"}


@dataclass(frozen=True, slots=True)
class Question:
    """What a table answers: of which profile, by what, and how many rows are not shown."""

    profile: Profile
    by: str
    instances: bool
    origin_ns: int
    left_out: int

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that people are shown."""
        return COLUMNS.get((self.by, self.instances)) or COLUMNS[self.by, False]


def console(file: TextIO) -> Console:
    """A console on ``file``: the terminal's width there, a wide one (or COLUMNS) in a pipe."""
    if file.isatty():
        return Console(file=file, highlight=False)
    width = os.environ.get("COLUMNS", "")
    return Console(
        file=file,
        highlight=False,
        width=int(width) if width.isdigit() and int(width) else _PIPE_WIDTH,
        color_system=None,
    )


def table(question: Question, rows: pd.DataFrame) -> RenderableType:
    """The rows as a table, under a line that says what they are of."""
    parts: list[RenderableType] = [*preface(question.profile), _Rows(question, rows)]
    if not len(rows):
        parts.append(Text(_nothing(question), "dim"))
    elif _unknown_errors(question, rows):
        parts.append(Text(_TOO_FEW, "dim"))
    if question.left_out:
        parts.append(Text(f"and {words.counted(question.left_out, 'row')} more (--limit 0)", "dim"))
    return Group(*parts)


_TOO_FEW = (
    "How exact the shares are: too few to tell (it takes 5 transactions, else 5 blocks of 10 s)."
)


def _unknown_errors(question: Question, rows: pd.DataFrame) -> bool:
    errors = [name for name in question.columns if name.endswith("_error")]
    return bool(errors) and not any(_errors(rows, name).any() for name in errors)


class _Rows:
    """A table that goes without some columns where the console is too narrow for all."""

    def __init__(self, question: Question, rows: pd.DataFrame) -> None:
        self._names = _used(question, rows)
        self._styles = [ORIGIN_STYLE.get(str(row.get("origin")), "") for row in records(rows)]
        self._cells = {
            name: [_cell(question, name, row) for row in records(rows)] for name in self._names
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = self._fitting(options.max_width)
        drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold underline")
        for name, width in widths.items():
            justify: JustifyMethod = "left" if _is_text(name) else "right"
            drawn.add_column(header(name), justify=justify, no_wrap=True, width=width)
        for place, style in enumerate(self._styles):
            drawn.add_row(*(self._cells[name][place] for name in widths), style=style)
        yield drawn

    def _fitting(self, room: int) -> dict[str, int]:
        """Width of each column that is shown: numbers are whole or left out, names give way."""
        widths = {name: self._width(name) for name in self._names}

        def needed(names_width: int) -> int:
            texts = sum(min(width, names_width) for name, width in widths.items() if _is_text(name))
            numbers = sum(width for name, width in widths.items() if not _is_text(name))
            return texts + numbers + 2 * len(widths)

        for names, least in ((DISPENSABLE, NAMES_WIDTH), (LAST_TO_GO, LEAST_NAMES_WIDTH)):
            for name in names:
                if needed(least) > room and len(widths) > 2:
                    widths.pop(name, None)
        texts = [name for name in widths if _is_text(name)]
        while texts and sum(widths.values()) + 2 * len(widths) > room:
            widest = max(texts, key=lambda name: widths[name])
            if widths[widest] <= 1:
                break
            widths[widest] -= 1
        return widths

    def _width(self, name: str) -> int:
        return max(len(header(name)), *(cell.cell_len for cell in self._cells[name]), 1)


def markdown(question: Question, rows: pd.DataFrame) -> str:
    """The rows as a Markdown table."""
    names = _used(question, rows)
    lines = [
        "| " + " | ".join(header(name) for name in names) + " |",
        "|" + "|".join("---" if _is_text(name) else "---:" for name in names) + "|",
    ]
    for row in records(rows):
        cells = [_plain(question, name, row) for name in names]
        safe = [" ".join(cell.replace("|", "\\|").replace("<", "&lt;").split()) for cell in cells]
        lines.append("| " + " | ".join(safe) + " |")
    return "\n".join(lines)


def _used(question: Question, rows: pd.DataFrame) -> list[str]:
    """Columns that say something: no states nobody was in, no process where there is one."""
    names = []
    for name in question.columns:
        empty = name in (*STATES, *WAITING) and not rows[name].any()
        alone = name == "pid" and len(question.profile.processes) < 2
        # With one thread at a time the wall time of any is the total: no column for it.
        same = name == "wall_any_ns" and (
            rows[name].equals(rows["total_ns"]) or rows[name].isna().all()
        )
        unknown = name.endswith("_error") and not _errors(rows, name).any()
        if not empty and not alone and not same and not unknown:
            names.append(name)
    return names


def _errors(rows: pd.DataFrame, name: str) -> pd.Series[bool]:
    """Where the 95 % interval of a share is known."""
    return rows[_low(name)].notna()


def _low(name: str) -> str:
    return f"{_share(name)}_low"


def _share(name: str) -> str:
    """The share that an error belongs to: ``self_error`` to ``self_share``."""
    return "share" if name == "share_error" else name.replace("_error", "_share")


def _is_text(name: str) -> bool:
    return name in TEXTS or name == "thread"


def header(name: str) -> str:
    """A column's heading: its name without the unit, which every value shows."""
    if name.endswith("_error"):
        return "±"
    return HEADERS.get(name, name.removesuffix("_ns").removesuffix("_share").replace("_", " ")) + (
        " %" if name.endswith("_share") else ""
    )


def _cell(question: Question, name: str, row: dict[str, Any]) -> Text:
    text = _plain(question, name, row)
    if name in ("self_share", "share"):
        return Text(f"{bar(row[name])} {text:>7}")
    return Text(text, overflow="ellipsis", no_wrap=True)


def _plain(question: Question, name: str, row: dict[str, Any]) -> str:
    if name in ("place", "holder_place"):
        whose = name.removesuffix("place")
        return place(row[f"{whose}file"], row[f"{whose}line"])
    if name.endswith("_error"):
        return _reach(row, _share(name))
    if name in ("start_ns", "time_ns"):
        return "+" + words.duration(row[name] - question.origin_ns)
    return _value(name, row[name])


def _value(name: str, value: Any) -> str:
    if name.endswith("_ns"):
        return words.duration(value) if value else "0"
    if name.endswith("share"):
        return words.percent(value)
    if _is_text(name):
        return words.clean(str(value)) or "-"
    if isinstance(value, float):
        return f"{value:,.6g}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    counted = isinstance(value, int) and name not in ("pid", "id")
    return words.grouped(value) if counted else str(value)


def _reach(row: dict[str, Any], share: str) -> str:
    """How far the 95 % interval reaches to its farther side, in points of per cent."""
    low, high = row[f"{share}_low"], row[f"{share}_high"]
    if low is None or high is None:
        return "?"
    return f"{max(high - row[share], row[share] - low) * 100:.1f}"


def place(file: str, line: int) -> str:
    """The last two parts of a path, and the line: enough to know it by, short enough to show."""
    if not file:
        return ""
    parts = file.replace("\\", "/").rsplit("/", 2)[-2:]
    return words.clean("/".join(parts)) + (f":{line}" if line else "")


def bar(share: float) -> str:
    """A share 0..1 as a bar of eight places, an eighth of one at the finest."""
    eighths = min(max(round(share * _BAR * 8), 1 if share > 0 else 0), _BAR * 8)
    full, part = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[part] if part else "")).ljust(_BAR)


def preface(profile: Profile) -> list[RenderableType]:
    """Whose time is summed, and what of it is left out."""
    return [
        Text(words.clean(exporting.title(profile)), "bold"),
        Text(words.about(profile), "dim"),
        Text(),
    ]


def _nothing(question: Question) -> str:
    if question.by == "gap":
        return "No gap: spans cover the transactions, or there are none."
    if question.by.startswith("gil-"):
        return "No waiting for the GIL was seen (the native engine sees it)."
    if question.by.startswith("waiting"):
        return "Nothing of that kind here; --by waiting-thread needs no transactions."
    if question.by in ("transaction", "span", "op"):
        return f"No {question.by}s in this recording or view: see profiler.transaction()."
    return "No samples here: all threads were idle (--all-states shows them), or nothing matches."


def tree(profile: Profile, calls: CallTree, min_share: float, depth: int | None) -> RenderableType:
    """The call tree, a line a node: total, its share with error, self time, the function."""
    whole = int(calls.total_ns[0]) or 1
    low, high = node_intervals(profile, calls, min_share)
    sure = profile.units.told >= FEWEST_UNITS
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold underline")
    for heading, least in (("total", 10), ("total %", 7), ("±", 4), ("self", 10)):
        if sure or heading != "±":
            drawn.add_column(heading, justify="right", no_wrap=True, min_width=least)
    drawn.add_column("function", no_wrap=True, overflow="ellipsis", ratio=1)
    for line in call_lines(calls, min_share, depth):
        if line.node < 0:
            gone = Text(f"{line.guide}({words.counted(line.hidden, 'smaller one')})")
            took = words.duration(line.hidden_ns), words.percent(line.hidden_ns / whole)
            drawn.add_row(*took, *[""] * sure, "", gone, style="dim")
            continue
        share = int(calls.total_ns[line.node]) / whole
        reach = max(high[line.node] - share, share - low[line.node])
        own = int(calls.self_ns[line.node])
        drawn.add_row(
            *(words.duration(int(calls.total_ns[line.node])), words.percent(share)),
            *[f"{reach * 100:.1f}"] * sure,
            words.duration(own) if own else "",
            _called(calls, line.node, line.guide),
        )
    return Group(*preface(profile), drawn, *([] if sure else [Text(_TOO_FEW, "dim")]))


def _called(calls: CallTree, node: int, guide: str) -> Text:
    t, function = calls.tables, int(calls.function[node])
    style = ORIGIN_STYLE[Origin(t.function_origin[function]).label]
    text = Text(guide, "dim")
    text.append(words.clean(t.function_name[function]), style or "none")
    text.append(f"  {place(t.function_file[function], int(t.function_line[function]))}", "dim")
    return text
