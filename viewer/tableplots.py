"""matplotlib figures of tables: self time, threads by state, latency per function, what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flamespan.aggregator import exporting
from flamespan.profiler.errors import UsageError
from flamespan.viewer import words
from flamespan.viewer.drawing import CHART_INCHES, draw_title, new_axes, origin_colour, time_unit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from flamespan.aggregator.comparison import Comparison
    from flamespan.aggregator.profile import Profile

STATES = {
    "running": ("#4c78a8", ""),
    "gil_wait": ("#e45756", "//"),
    "gc": ("#b279a2", "xx"),
    "idle": ("#d8d6d0", ""),
    "unknown": ("#f2cf5b", ".."),
    "awaiting": ("#9ecae9", "\\\\"),
    "loop_wait": ("#ff9da6", "oo"),
}
"""Colour and hatch of each state of a thread: none is told by its colour alone."""

_PERCENTILES = {"p50_ns": ("|", "p50"), "p95_ns": ("D", "p95"), "p99_ns": ("s", "p99")}
_VERDICTS = {"slower": "#c0432f", "faster": "#3565a8"}


def plot_self_time(profile: Profile, ax: Axes | None = None, limit: int = 20) -> Axes:
    """The functions with most self time as bars, their total time as outlines.

    Lines over the bars are the 95 % intervals of self time, where there are units enough to tell.

    Raises UsageError where matplotlib is not installed or ``limit`` is below 1.
    """
    if limit < 1:
        raise UsageError(f"a chart of {limit} functions: ask for 1 or more")
    table = profile.functions().head(limit).iloc[::-1]
    if ax is None:
        ax = new_axes(CHART_INCHES, 1.3 + 0.27 * max(len(table), 3))
    unit_ns, unit = time_unit(int(table["total_ns"].max()) if len(table) else 0)
    places = np.arange(len(table))
    colours = [origin_colour(origin) for origin in table["origin"]]
    ax.barh(places, table["self_ns"] / unit_ns, color=colours, height=0.74, zorder=2)
    ax.barh(
        places,
        table["total_ns"] / unit_ns,
        height=0.74,
        facecolor="none",
        edgecolor="#8a8f98",
        linewidth=0.8,
        zorder=3,
    )
    _draw_errors(ax, table, profile.total_ns / unit_ns, unit_ns)
    labels = zip(table["function"], table["origin"], strict=True)
    ax.set_yticks(
        places, [f"{words.clean(name)}  ({origin})" for name, origin in labels], fontsize=8
    )
    _draw_shares(ax, table, profile.total_ns / unit_ns, unit_ns)
    ax.set_xlabel(f"{profile.weight_clock} time, {unit} (bar and %: self, outline: total)")
    draw_title(ax, f"{exporting.title(profile)}: {words.about(profile)}")
    ax.grid(axis="x", color="#e3e2dd", zorder=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


def plot_threads(profile: Profile, ax: Axes | None = None, limit: int = 30) -> Axes:
    """Threads as bars of the wall time in each state, the busiest on top.

    Time of suspended tasks (awaiting, waiting for their loop) is task-seconds: any number of them
    wait in one thread's loop at a time.

    Raises UsageError where matplotlib is not installed, ``limit`` is below 1 or no thread has
    samples in view.
    """
    table = _first(profile.threads(), limit, "threads")
    ax = new_axes(CHART_INCHES, 1.6 + 0.3 * max(len(table), 3)) if ax is None else ax
    parts = {state: table[f"{state}_ns"].to_numpy() for state in STATES}
    unit_ns, unit = time_unit(int(np.sum(list(parts.values()), axis=0).max()))
    left = np.zeros(len(table))
    for state, (colour, hatch) in STATES.items():
        if not parts[state].any():
            continue
        width = parts[state] / unit_ns
        said = state.replace("_", " ")
        looks: dict[str, Any] = {
            "color": colour,
            "hatch": hatch,
            "edgecolor": "#ffffff",
            "linewidth": 0.4,
        }
        ax.barh(np.arange(len(table)), width, left=left, height=0.74, label=said, **looks)
        left = left + width
    names = zip(table["thread"], table["pid"], strict=True)
    _name_rows(ax, [f"{name}  ({pid})" for name, pid in names])
    ax.set_xlabel(f"wall time by state, {unit}")
    draw_title(ax, f"{exporting.title(profile)}: threads by state")
    _legend_above(ax)
    return ax


def plot_latency(profile: Profile, ax: Axes | None = None, limit: int = 20) -> Axes:
    """Percentiles of each function's total time per transaction; those with most p95 on top.

    A line leads from p50 to the slowest transaction. Counts are of transactions that hold it.

    Raises UsageError where matplotlib is not installed, ``limit`` is below 1 or no function was
    seen in a transaction.
    """
    spread = profile.functions_per_transaction().sort_values(
        ["p95_ns", "function"], ascending=[False, True]
    )
    table = _first(spread, limit, "functions in transactions")
    ax = new_axes(CHART_INCHES, 1.6 + 0.3 * max(len(table), 3)) if ax is None else ax
    unit_ns, unit = time_unit(int(table["max_ns"].max()))
    places = np.arange(len(table))
    ends = table["p50_ns"] / unit_ns, table["max_ns"] / unit_ns
    ax.hlines(places, *ends, color="#8a8f98", linewidth=1.2, zorder=2)
    for column, (marker, said) in _PERCENTILES.items():
        ax.scatter(table[column] / unit_ns, places, marker=marker, s=36, label=said, zorder=3)
    ax.scatter(ends[1], places, marker=">", s=24, color="#3b3f46", label="slowest", zorder=3)
    names = zip(table["function"], table["transactions"], strict=True)
    _name_rows(ax, [f"{words.clean(name)}  (×{count})" for name, count in names])
    ax.set_xlabel(f"total time per transaction, {profile.weight_clock} {unit}")
    ax.set_xlim(left=0)
    draw_title(ax, f"{exporting.title(profile)}: latency of functions")
    _legend_above(ax)
    return ax


def plot_diff(found: Comparison, ax: Axes | None = None, limit: int = 20) -> Axes:
    """Changes of functions' shares with 95 % intervals, in points, as ``compare`` ranks.

    Filled marks are changes by more than chance; ▲ is slower, ▼ faster.

    Raises UsageError where matplotlib is not installed, ``limit`` is below 1 or no function was
    compared.
    """
    table = _first(found.table, limit, "functions to compare")
    ax = new_axes(CHART_INCHES, 1.6 + 0.3 * max(len(table), 3)) if ax is None else ax
    change = table["std_share_change"].to_numpy(float) * 100
    low, high = (table[f"std_share_change_{end}"].to_numpy(float) * 100 for end in ("low", "high"))
    ax.axvline(0, color="#8a8f98", linewidth=0.8)
    rows = zip(change, low, high, table["verdict"], strict=True)
    for place, (point, start, end, verdict) in enumerate(rows):
        colour = _VERDICTS.get(verdict, "#5f6570")
        if start == start:  # noqa: PLR0124 - known: too few units have no interval
            ax.hlines(place, start, end, color=colour, linewidth=1.4)
        marker = {"slower": "^", "faster": "v"}.get(verdict, "o")
        sure = colour if verdict in _VERDICTS else "#ffffff"
        ax.scatter([point], [place], marker=marker, s=40, facecolors=sure, edgecolors=colour)
    names = zip(table["function"], table["verdict"], table["presence"], strict=True)
    _name_rows(
        ax,
        [
            f"{words.clean(name)}  ({verdict if where == 'both' else f'{verdict}, {where}'})"
            for name, verdict, where in names
        ],
    )
    ax.set_xlabel(f"change of the share of {found.measure} time, points of per cent, 95 %")
    titles = exporting.title(found.base), exporting.title(found.new)
    draw_title(ax, " → ".join(titles))
    return ax


def _draw_errors(ax: Axes, table: pd.DataFrame, whole: float, unit_ns: float) -> None:
    """The 95 % intervals of self time, where they are known; ``whole`` is the total's width."""
    known = table["self_share_low"].notna().to_numpy()
    if not known.any():
        return
    rows = table[known]
    reach = (
        (rows["self_share"] - rows["self_share_low"]) * whole,
        (rows["self_share_high"] - rows["self_share"]) * whole,
    )
    ax.errorbar(
        (rows["self_ns"] / unit_ns).to_numpy(),
        np.flatnonzero(known),
        xerr=np.array(reach),
        fmt="none",
        ecolor="#3b3f46",
        elinewidth=0.9,
        capsize=2,
        zorder=5,
    )


def _draw_shares(ax: Axes, table: pd.DataFrame, whole: float, unit_ns: float) -> None:
    """The share of self time, beside what reaches farther: the total or the interval."""
    ends = np.maximum(table["total_ns"] / unit_ns, table["self_share_high"].fillna(0) * whole)
    for place, (end, share) in enumerate(zip(ends, table["self_share"], strict=True)):
        said = f" {words.percent(share)}"
        ax.text(float(end), place, said, va="center", fontsize=7.5, zorder=4)


def _legend_above(ax: Axes) -> None:
    """Where it covers no bar."""
    ax.legend(fontsize=8, frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=7)


def _first(table: pd.DataFrame, limit: int, what: str) -> pd.DataFrame:
    """The first rows, reversed: matplotlib counts from the bottom."""
    if limit < 1:
        raise UsageError(f"a chart of {limit} rows: ask for 1 or more")
    if not len(table):
        raise UsageError(f"nothing to draw: there are no {what} in this view")
    return table.head(limit).iloc[::-1]


def _name_rows(ax: Axes, names: list[str]) -> None:
    labels = [words.shortened(name, 60) for name in names]
    ax.set_yticks(np.arange(len(names)), labels, fontsize=8, parse_math=False)
    ax.grid(axis="x", color="#e3e2dd", zorder=0)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
