"""A comparison for people: what is slower, by how much, and how sure that is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
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

_NAMES = 12
_STYLES = {SLOWER: "bold red", FASTER: "green", TOO_FEW: "dim"}


def table(found: Comparison, rows: pd.DataFrame, left_out: int) -> RenderableType:
    """The rows as a table, under what was compared and above what it says."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold underline")
    cells = [_cells(found, row) for row in records(rows)]
    for place_of, heading in enumerate(_headings(found)):
        text = heading in ("function", "where")
        # Numbers are never cut: names give way.
        whole = max([len(heading), *(len(row[place_of]) for row in cells)])
        drawn.add_column(
            heading,
            justify="left" if heading in _TEXTS else "right",
            no_wrap=True,
            overflow="ellipsis",
            min_width=min(whole, _NAMES) if text else whole,
        )
    for row, verdict in zip(cells, rows["verdict"], strict=True):
        drawn.add_row(*map(Text, row), style=_STYLES.get(verdict, ""))
    more = [Text(f"and {words.counted(left_out, 'row')} more (--limit 0)", "dim")]
    head = [Text(line, "dim" if i else "bold") for i, line in enumerate(preface(found))]
    tail = [Text(line, "bold") for line in summary(found)]
    return Group(*head, Text(), drawn, *(more if left_out else []), Text(), *tail)


def markdown(found: Comparison, rows: pd.DataFrame) -> str:
    """The rows as a Markdown table, with the same words around it."""
    headings = _headings(found)
    lines = [f"**{_safe(preface(found)[0])}**", "", *map(_safe, preface(found)[1:]), ""]
    lines.append("| " + " | ".join(headings) + " |")
    lines.append("|" + "|".join("---" if name in _TEXTS else "---:" for name in headings) + "|")
    lines += [
        "| " + " | ".join(_safe(cell) for cell in _cells(found, row)) + " |"
        for row in records(rows)
    ]
    return "\n".join([*lines, "", *map(_safe, summary(found))])


def _safe(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def preface(found: Comparison) -> list[str]:
    """What was compared, line by line."""
    names = " → ".join(words.clean(exporting.title(side)) for side in (found.base, found.new))
    base, new = (words.counted(count, found.unit) for count in found.units)
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
            f"{found.measure} {found.base.weight_clock} time as a share, {base} of 10 s before and "
            f"{new} after (no transactions on both sides)"
        )
    if any(found.left_out_ns):
        before, after = (words.duration(ns) for ns in found.left_out_ns)
        lines.append(f"outside transactions, not compared: {before} before, {after} after")
    return lines


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
        return [*lines, f"{TOO_FEW.capitalize()}: it takes 5 {found.unit}s on each side."]
    slower, faster = len(found.slower), len(found.faster)
    of = f"of {words.counted(found.tested, 'function')} compared"
    if slower or faster:
        noise = f"at most {ALARM * 100:.0f} % of alarms are chance"
        return [*lines, f"{slower} slower, {faster} faster, {of} ({noise})."]
    said = f"No function changed by more than chance, {of}."
    if found.would_have_seen:
        said += f" One of 1 % or more would have been seen from ×{found.would_have_seen:.2f} on."
    return [*lines, said]


_TEXTS = ("verdict", "function", "where")


def _headings(found: Comparison) -> list[str]:
    timed = ["before", "after", "change", "±"] if found.unit == "transaction" else []
    return ["verdict", *timed, "share", "share after", "±", "q", "function", "where"]


def _cells(found: Comparison, row: dict[str, Any]) -> list[str]:
    verdict = row["verdict"] + ("" if row["presence"] == "both" else f" ({row['presence']})")
    timed = []
    if found.unit == "transaction":
        change = row["std_per_transaction_change_ns"]
        reach = _reach(row["std_per_transaction_change_high_ns"], change)
        timed = [
            words.duration(row["std_base_per_transaction_ns"] or 0),
            words.duration(row["std_new_per_transaction_ns"] or 0),
            _signed(change),
            "?" if reach is None else words.duration(reach),
        ]
    points = _reach(row["std_share_change_high"], row["std_share_change"])
    return [
        verdict,
        *timed,
        words.percent(row["std_base_share"]),
        words.percent(row["std_new_share"]),
        "?" if points is None else f"{points * 100:.2f}",
        "?" if row["q_value"] is None else f"{row['q_value']:.3g}",
        words.clean(row["function"]),
        place(row["file"], row["line"]),
    ]


def _reach(high: float | None, change: float) -> float | None:
    return None if high is None else high - change


def _signed(ns: float) -> str:
    return ("+" if ns > 0 else "−" if ns < 0 else "±") + words.duration(abs(ns))
