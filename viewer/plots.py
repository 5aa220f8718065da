"""matplotlib figures of a profile: ``ax=None`` in, the Axes out; nothing is shown or saved.

matplotlib is imported when a figure is asked for (``pip install "flamespan[plot]"``).
"""

from __future__ import annotations

import importlib
import textwrap
import warnings
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from flamespan.aggregator import exporting
from flamespan.aggregator.data import Origin, Tables
from flamespan.aggregator.timeline import NO_STACK, timelines
from flamespan.profiler.errors import UsageError
from flamespan.viewer import words
from flamespan.viewer.layout import BARE, FOLDED, Boxes, coarse, left_heavy, time_order
from flamespan.viewer.palette import APPLICATION_SHADES, LIGHT, shade

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from flamespan.aggregator.profile import Profile

KINDS = ("merged", "time")

MOST_BOXES = 20_000
"""More would be less than a pixel each; the smallest are folded."""

_COLUMNS = 2000
"""A time line's finest step: a dot of a picture 14 inches wide."""

_FOLDED_COLOUR = "#e9e8e4"
_FONT_SIZE = 7.5
_TITLE_SIZE = 9
_ROW_INCHES = 0.19


def plot_flamegraph(
    profile: Profile, kind: str = "merged", ax: Axes | None = None, *, thread: int | None = None
) -> Axes:
    """A flame graph, callers above callees.

    Args:
        profile: what to draw.
        kind: ``merged`` (equal stacks together, the widest leftmost) or ``time`` (one thread
            along the time axis, which is seconds from the start of what is in view).
        ax: where to draw; None makes a figure high enough for all rows.
        thread: for ``time``: row of the thread in ``Tables.threads``; None takes the busiest.

    Raises:
        UsageError: matplotlib is not installed, or there is nothing of that kind to draw.
    """
    if kind not in KINDS:
        raise UsageError(f"no flame graph {kind!r}; there are {', '.join(KINDS)}")
    boxes, title, whole_ns = _merged(profile) if kind == "merged" else _timed(profile, thread)
    if ax is None:
        rows = int(boxes.depth.max(initial=0)) + 1
        ax = _new_axes(14, 1.2 + max(rows, 4) * _ROW_INCHES)
    # In time order x is seconds, so that ticks are times; merged it is a share.
    scale = whole_ns / 1e9 if kind == "time" else 100.0
    _draw_boxes(ax, boxes, profile.tables, scale)
    ax.set_xlabel("seconds" if kind == "time" else f"% of {profile.weight_clock} time")
    _draw_title(ax, title)
    _draw_legend(ax, profile.tables, boxes)
    return ax


def plot_self_time(profile: Profile, ax: Axes | None = None, limit: int = 20) -> Axes:
    """The functions with most self time as bars, their total time as outlines.

    Lines over the bars are the 95 % intervals of self time, where there are units enough to tell.

    Raises UsageError where matplotlib is not installed or ``limit`` is below 1.
    """
    if limit < 1:
        raise UsageError(f"a chart of {limit} functions: ask for 1 or more")
    table = profile.functions().head(limit).iloc[::-1]
    if ax is None:
        ax = _new_axes(11, 1.3 + 0.27 * max(len(table), 3))
    unit_ns, unit = _unit(int(table["total_ns"].max()) if len(table) else 0)
    places = np.arange(len(table))
    colours = [_origin_colour(origin) for origin in table["origin"]]
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
    for place, total, share in zip(places, table["total_ns"], table["self_share"], strict=True):
        said = f" {words.percent(share)}"
        ax.text(total / unit_ns, float(place), said, va="center", fontsize=_FONT_SIZE, zorder=4)
    ax.set_xlabel(f"{profile.weight_clock} time, {unit} (bar and %: self, outline: total)")
    _draw_title(ax, f"{exporting.title(profile)}: {words.about(profile)}")
    ax.grid(axis="x", color="#e3e2dd", zorder=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
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


def save(axes: Axes, file: IO[bytes], kind: str, dpi: int) -> None:
    """Write the figure that ``axes`` is in to ``file`` as png, svg or pdf.

    A name with letters that no font here has is drawn with boxes; that is no reason to warn.
    """
    figure = _figure(axes)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(file, format=kind, dpi=dpi)


def _merged(profile: Profile) -> tuple[Boxes, str, int]:
    title = f"{exporting.title(profile)}: {words.about(profile)}"
    return left_heavy(profile.tree(), MOST_BOXES), title, profile.total_ns


def _timed(profile: Profile, thread: int | None) -> tuple[Boxes, str, int]:
    lines = timelines(profile)
    wanted = [line for line in lines.threads if thread is None or line.thread == thread]
    if not wanted:
        tasks = " (suspended tasks overlap: they have none)" if lines.suspended_ns else ""
        raise UsageError(f"no time line to draw: no thread has samples in this view{tasks}")
    busiest = max(wanted, key=lambda line: line.busy_ns)
    busy = words.duration(busiest.busy_ns)
    title = (
        f"{exporting.title(profile)}, thread {busiest.name}: {busy} of {profile.weight_clock} time"
    )
    boxes = coarse(time_order(lines, busiest), _COLUMNS)
    return boxes, title, int(busiest.weights_ns.sum())


def _draw_boxes(ax: Axes, boxes: Boxes, tables: Tables, scale: float) -> None:
    """All boxes as one collection (thousands of patches would take seconds), then labels."""
    collections = _matplotlib("matplotlib.collections")
    gap = 0.06
    x0, x1, y = boxes.x0 * scale, boxes.x1 * scale, boxes.depth.astype(float)
    corners = np.stack(
        [
            np.stack([x0, x1, x1, x0], axis=1),
            np.stack([y + gap, y + gap, y + 1 - gap, y + 1 - gap], axis=1),
        ],
        axis=2,
    )
    functions, which = np.unique(boxes.function, return_inverse=True)
    colours = np.array([_box_colour(tables, int(f)) for f in functions] or [""])[which]
    # A white edge parts wide boxes; around narrow ones it would be all that is seen.
    edges = np.where(boxes.x1 - boxes.x0 > 0.002, "#ffffff", colours)
    ax.add_collection(
        collections.PolyCollection(corners, facecolors=colours, edgecolors=edges, linewidths=0.3)
    )
    ax.set_xlim(0, scale)
    ax.set_ylim(int(boxes.depth.max(initial=0)) + 1, 0)
    ax.set_yticks([])
    ax.spines[["top", "right", "left"]].set_visible(False)
    _draw_labels(ax, boxes, tables, scale)


def _draw_labels(ax: Axes, boxes: Boxes, tables: Tables, scale: float) -> None:
    """Names where they fit. Text is what takes time to draw, so nothing is drawn to be hidden."""
    inches = ax.get_position().width * _figure(ax).get_figwidth()
    letters = inches * 72 / (_FONT_SIZE * 0.62)  # of the monospaced font, across the axes
    room = np.floor((boxes.x1 - boxes.x0) * letters - 0.8).astype(int)
    for box in np.flatnonzero(room >= 3):
        function = int(boxes.function[box])
        ax.text(
            boxes.x0[box] * scale + 0.4 * scale / letters,
            boxes.depth[box] + 0.53,
            words.shortened(_name(tables, function), int(room[box])),
            fontsize=_FONT_SIZE,
            family="monospace",
            va="center",
            color="#22262c",
            fontweight="bold" if _is_application(tables, function) else "normal",
            clip_on=True,
            parse_math=False,
        )


def _draw_title(ax: Axes, title: str) -> None:
    """At the left, in as many lines as it needs (it may not be wider than the picture)."""
    letters = max(int(_figure(ax).get_figwidth() * 0.7 * 72 / (_TITLE_SIZE * 0.55)), 20)
    lines = textwrap.wrap(words.clean(title), letters)
    ax.set_title("\n".join(lines), loc="left", fontsize=_TITLE_SIZE, parse_math=False)


def _draw_legend(ax: Axes, tables: Tables, boxes: Boxes) -> None:
    """Origins that occur, below the picture."""
    patches = _matplotlib("matplotlib.patches")
    seen = {int(tables.function_origin[f]) for f in boxes.function[boxes.function >= 0]}
    handles = [
        patches.Patch(facecolor=_origin_colour(origin.label), label=origin.label)
        for origin in Origin
        if origin in seen
    ]
    folded = int(boxes.count[boxes.function == FOLDED].sum()) + boxes.left_out
    if folded:
        said = f"{words.grouped(folded)} too small to tell apart"
        handles.append(patches.Patch(facecolor=_FOLDED_COLOUR, label=said))
    if handles:
        ax.legend(
            handles=handles,
            loc="upper right",
            bbox_to_anchor=(1, 0),
            ncols=len(handles),
            frameon=False,
            fontsize=8,
            borderaxespad=2.6,
        )


def _new_axes(width: float, height: float) -> Axes:
    """Axes of a new figure that pyplot does not know: nothing to close, no window."""
    figure = _matplotlib("matplotlib.figure").Figure(
        figsize=(width, min(height, 60)), layout="constrained"
    )
    axes: Axes = figure.subplots()
    return axes


def _figure(axes: Axes) -> Figure:
    inner: Any = axes.figure  # a SubFigure's own ``figure`` is the whole one
    whole: Figure = inner.figure
    return whole


def _matplotlib(module: str) -> Any:

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] != "matplotlib":
            raise
        raise UsageError('pictures need matplotlib: pip install "flamespan[plot]"') from None


def _unit(largest_ns: int) -> tuple[float, str]:
    for limit, unit_ns, unit in ((1e4, 1, "ns"), (1e7, 1e3, "µs"), (1e10, 1e6, "ms")):
        if largest_ns < limit:
            return unit_ns, unit
    return 1e9, "s"


def _is_application(tables: Tables, function: int) -> bool:
    return function >= 0 and tables.function_origin[function] == Origin.APPLICATION


def _box_colour(tables: Tables, function: int) -> str:
    return LIGHT[shade(tables, function)] if function >= 0 else _FOLDED_COLOUR


def _origin_colour(origin: str) -> str:
    place = [found.label for found in Origin].index(origin)
    return LIGHT[0 if place == 0 else APPLICATION_SHADES - 1 + place]


def _name(tables: Tables, function: int) -> str:
    said = {FOLDED: "…", BARE: NO_STACK}
    return said.get(function) or words.clean(tables.function_name[function]) or "?"
