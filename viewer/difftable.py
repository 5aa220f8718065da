"""A comparison for people: what is slower, by how much, and how sure that is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, Group, JustifyMethod, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from flamespan.aggregator import exporting
from flamespan.aggregator.comparison import ALARM, FASTER, SLOWER
from flamespan.aggregator.exporting.json import records
from flamespan.aggregator.statistics import TOO_FEW
from flamespan.viewer import words
from flamespan.viewer.terminal import place

if TYPE_CHECKING:
    import pandas as pd

    from flamespan.aggregator.comparison import Comparison

_STYLES = {SLOWER: "bold red", FASTER: "green", TOO_FEW: "dim"}


def table(found: Comparison, rows: pd.DataFrame, left_out: int) -> RenderableType:
    """The rows as a table, under what was compared and above what it says."""
    drawn = _Rows(found, rows)
    more = [Text(f"and {words.counted(left_out, 'row')} more (--limit 0)", "dim")]
    head = [Text(line, "dim" if i else "bold") for i, line in enumerate(preface(found))]
    tail = [Text(line, "bold") for line in summary(found)]
    return Group(*head, Text(), drawn, *(more if left_out else []), Text(), *tail)


class _Rows:
    """A table that goes without some columns where the console is too narrow for all."""

    def __init__(self, found: Comparison, rows: pd.DataFrame) -> None:
        self._cells = [_cells(found, row) for row in records(rows)]
        self._styles = [_STYLES.get(verdict, "") for verdict in rows["verdict"]]
        self._names = list(_headings(found))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = self._fitting(options.max_width)
        drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold underline")
        for name, width in widths.items():
            justify: JustifyMethod = "left" if name in _TEXTS else "right"
            drawn.add_column(_HEADINGS.get(name, name), justify=justify, no_wrap=True, width=width)
        for cells, style in zip(self._cells, self._styles, strict=True):
            texts = (Text(cells[name], overflow="ellipsis", no_wrap=True) for name in widths)
            drawn.add_row(*texts, style=style)
        yield drawn

    def _fitting(self, room: int) -> dict[str, int]:
        """Width of each column that is shown: numbers are never cut, names give way."""
        widths = {name: self._width(name) for name in self._names}

        def needed(least: int) -> int:
            return sum(2 + (min(w, least) if n in _NAMED else w) for n, w in widths.items())

        for name in _DISPENSABLE:
            if needed(_LEAST) > room:
                widths.pop(name, None)
        while needed(room) > room:
            widest = max((n for n in _NAMED if n in widths), key=lambda name: widths[name])
            if widths[widest] <= 1:
                break
            widths[widest] -= 1
        return widths

    def _width(self, name: str) -> int:
        heading = _HEADINGS.get(name, name)
        return max([len(heading), *(Text(cells[name]).cell_len for cells in self._cells)])


def markdown(found: Comparison, rows: pd.DataFrame) -> str:
    """The rows as a Markdown table, with the same words around it."""
    names = _headings(found)
    lines = [f"**{_safe(preface(found)[0])}**", "", *map(_safe, preface(found)[1:]), ""]
    lines.append("| " + " | ".join(_HEADINGS.get(name, name) for name in names) + " |")
    lines.append("|" + "|".join("---" if name in _TEXTS else "---:" for name in names) + "|")
    lines += [
        "| " + " | ".join(_safe(cell) for cell in _cells(found, row).values()) + " |"
        for row in records(rows)
    ]
    return "\n".join([*lines, "", *map(_safe, summary(found))])


def _safe(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def preface(found: Comparison) -> list[str]:
    """What was compared, line by line."""
    names = " → ".join(words.clean(exporting.title(side)) for side in (found.base, found.new))
    base, new = (words.counted(count, _unit(found)) for count in found.units)
    lines = [names]
    if found.unit == "transaction":
        shared = int((found.strata["weight"] > 0).sum())
        lines.append(
            f"{found.measure} {found.base.weight_clock} time per transaction, {base} before and "
            f"{new} after, standardised to one mix of {words.counted(shared, 'name')}"
        )
        lonely = found.strata[found.strata["weight"] == 0]["transaction"].tolist()
        if lonely:
            lines.append(f"on one side only, not compared: {_some(lonely)}")
    else:
        lines.append(
            f"{found.measure} {found.base.weight_clock} time as a share, {base} before and {new} "
            f"after ({_UNITS[_unit(found)]}; no transactions on both sides)"
        )
    if any(found.left_out_ns):
        before, after = (words.duration(ns) for ns in found.left_out_ns)
        lines.append(f"outside transactions, not compared: {before} before, {after} after")
    return lines


_UNITS = {"block": "of 10 s each", "unit": "transactions, else blocks of 10 s"}


def _unit(found: Comparison) -> str:
    """What both sides are counted in: where one has transactions and the other none, both kinds."""
    mixed = found.base.span_mask.any() or found.new.span_mask.any()
    return "unit" if found.unit == "block" and mixed else found.unit


def _some(names: list[str]) -> str:
    shown = ", ".join(words.clean(name) for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if names[5:] else "")


def summary(found: Comparison) -> list[str]:
    """What the comparison says, in a line or two."""
    lines = []
    if found.whole is not None:
        row = found.whole
        low, high = (
            row["std_per_transaction_change_low_ns"],
            row["std_per_transaction_change_high_ns"],
        )
        sure = TOO_FEW if math.isnan(low) else f"95 %: {_signed(low)} to {_signed(high)}"
        lines.append(
            f"A transaction takes {words.duration(row['std_base_per_transaction_ns'])} → "
            f"{words.duration(row['std_new_per_transaction_ns'])} ({sure}): {row['verdict']}."
        )
    if not found.tested:
        return [*lines, f"{TOO_FEW.capitalize()}: it takes 5 {_unit(found)}s on each side."]
    slower, faster = len(found.slower), len(found.faster)
    of = f"of {words.counted(found.tested, found.by)} compared"
    if slower or faster:
        noise = f"at most {ALARM * 100:.0f} % of alarms are chance"
        return [*lines, f"{slower} slower, {faster} faster, {of} ({noise})."]
    said = f"No {found.by} changed by more than chance, {of}."
    if found.would_have_seen:
        said += f" One of 1 % or more would have been seen from ×{found.would_have_seen:.2f} on."
    return [*lines, said]


_NAMED = ("function", "module", "file", "where")
_TEXTS = ("verdict", *_NAMED)
_LEAST = 12
_HEADINGS = {"share_after": "share after", "share_error": "±", "change_error": "±"}
_DISPENSABLE = ("share_error", "share_after", "share", "where", "before", "q", "after")
"""Columns that a narrow terminal goes without, the first ones first."""


def _headings(found: Comparison) -> list[str]:
    """The columns that this comparison has."""
    timed = ["before", "after", "change", "change_error"] if found.unit == "transaction" else []
    shares = ["share", "share_after", "share_error"]
    named = [found.by] if found.by in ("module", "file") else ["function", "where"]
    return ["verdict", *timed, *shares, "q", *named]


def _cells(found: Comparison, row: dict[str, Any]) -> dict[str, str]:
    cells = {"verdict": row["verdict"]}
    if row["presence"] != "both":
        cells["verdict"] += f" ({row['presence']})"
    if found.unit == "transaction":
        change = row["std_per_transaction_change_ns"]
        reach = _reach(row["std_per_transaction_change_high_ns"], change)
        cells |= {
            "before": words.duration(row["std_base_per_transaction_ns"] or 0),
            "after": words.duration(row["std_new_per_transaction_ns"] or 0),
            "change": _signed(change),
            "change_error": "?" if reach is None else words.duration(reach),
        }
    points = _reach(row["std_share_change_high"], row["std_share_change"])
    return cells | {
        "share": words.percent(row["std_base_share"]),
        "share_after": words.percent(row["std_new_share"]),
        "share_error": "?" if points is None else f"{points * 100:.2f}",
        "q": "?" if row["q_value"] is None else f"{row['q_value']:.3g}",
        **_named(found, row),
    }


def _named(found: Comparison, row: dict[str, Any]) -> dict[str, str]:
    """What a row is of."""
    if found.by in ("module", "file"):
        return {found.by: words.clean(row[found.by])}
    return {"function": words.clean(row["function"]), "where": place(row["file"], row["line"])}


def _reach(high: float | None, change: float) -> float | None:
    return None if high is None else high - change


def _signed(ns: float) -> str:
    return ("+" if ns > 0 else "−" if ns < 0 else "±") + words.duration(abs(ns))
