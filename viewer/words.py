"""Durations and shares as people read them; the page's ``format.js`` says the same."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flamespan.aggregator.data import Rows
    from flamespan.aggregator.profile import Profile


def duration(ns: float) -> str:
    """Nanoseconds with a fitting unit, three digits or so: ``12.3 ms``, ``2 min 5 s``."""
    size = abs(ns)
    if not size:
        return "0 ms"
    for limit, unit, name in (
        (1e3, 1, "ns"),
        (1e6, 1e3, "µs"),
        (1e9, 1e6, "ms"),
        (120e9, 1e9, "s"),
    ):
        if size < limit:
            return f"{round(ns)} ns" if unit == 1 else f"{_digits(ns / unit)} {name}"
    seconds = math.floor(ns / 1e9 + 0.5)
    if size < 7200e9:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def _digits(value: float) -> str:
    size = abs(value)
    return _rounded(value, 0 if size >= 100 else 1 if size >= 10 else 2)


def _rounded(value: float, places: int) -> str:
    """``value`` with so many places, halves up as JavaScript's ``toFixed`` rounds them."""
    return str(Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


def percent(share: float) -> str:
    """A share 0..1: ``12.3 %``; a dash where there is none (nan, inf)."""
    if not math.isfinite(share):
        return "–"
    value = share * 100
    return f"{_rounded(value, 0 if value >= 99.95 else 1)} %"


def grouped(count: int) -> str:
    """A whole number with its thousands apart: ``1 234 567``."""
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def counted(count: int, noun: str) -> str:
    """``1 sample``, ``2 samples``."""
    return f"{grouped(count)} {noun}{'' if count == 1 else 's'}"


def shortened(text: str, width: int) -> str:
    """At most ``width`` characters of ``text``, an ellipsis where the rest was."""
    if len(text) <= width:
        return text
    return text[: max(width - 1, 0)] + "…" if width > 1 else ""


def clean(text: str) -> str:
    """One line without anything that a terminal would obey or a font cannot draw."""
    return " ".join("".join(c if c.isprintable() else "\ufffd" for c in _spaced(text)).split())


def _spaced(text: str) -> str:
    return "".join(" " if c.isspace() else c for c in text)


def about(profile: Profile) -> str:
    """One line: the time that a profile sums, over how many threads, and what it leaves out."""
    threads = len(set(profile.selected.thread.tolist()))
    said = f"{duration(profile.total_ns)} of {profile.weight_clock} time"
    over = f"{threads} threads" if threads > 1 else ""
    if profile.weight_clock == "wall" and _suspended_ns(profile.selected):
        over = f"{over} and suspended tasks (task-seconds)".removeprefix(" and ")
    elif over:
        over += " (thread-seconds)"
    parts = [
        f"{said} summed over {over}" if over else said,
        counted(int(profile.selected.samples.sum()), "sample"),
    ]
    if profile.excluded_ns:
        parts.append(f"{duration(profile.excluded_ns)} in other states left out")
        suspended_ns = _suspended_ns(profile.rows) - _suspended_ns(profile.selected)
        if suspended_ns and profile.weight_clock == "wall":
            parts.append(f"of it {duration(suspended_ns)} of suspended tasks")
    if profile.rehomed_ns:
        parts.append(f"{duration(profile.rehomed_ns)} moved to the nearest caller shown")
    if profile.unobserved_ns:
        parts.append(f"{duration(profile.unobserved_ns)} unobserved")
    return ", ".join(parts)


def _suspended_ns(rows: Rows) -> int:
    return int(rows.wall_ns[rows.suspended].sum())
