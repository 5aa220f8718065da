"""matplotlib figures of a profile: ``ax=None`` in, the Axes out; nothing is shown or saved.

matplotlib is imported when a figure is asked for (``pip install "flamespan[plot]"``).
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from flamespan.aggregator import exporting
from flamespan.aggregator.data import Origin, Spans, Tables
from flamespan.aggregator.stacktree import Ids
from flamespan.aggregator.timeline import NO_STACK, timelines
from flamespan.profiler.errors import UsageError
from flamespan.viewer import words
from flamespan.viewer.drawing import (
    CHART_INCHES,
    draw_title,
    figure_of,
    matplotlib,
    new_axes,
    origin_colour,
)
from flamespan.viewer.layout import BARE, FOLDED, Boxes, coarse, left_heavy, time_order
from flamespan.viewer.palette import LIGHT, shade
from flamespan.viewer.tableplots import plot_diff, plot_latency, plot_self_time, plot_threads

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from flamespan.aggregator.profile import Profile

__all__ = [
    "KINDS",
    "plot_diff",
    "plot_flamegraph",
    "plot_latency",
    "plot_self_time",
    "plot_threads",
    "plot_transaction",
    "save",
]

KINDS = ("merged", "time")

MOST_BOXES = 20_000
"""More would be less than a pixel each; the smallest are folded."""

_COLUMNS = 2000
"""A time line's finest step: a dot of a chart at 190 dots an inch."""

_FOLDED_COLOUR = "#e9e8e4"
_FONT_SIZE = 7.5
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
        ax = new_axes(CHART_INCHES, 1.2 + max(rows, 4) * _ROW_INCHES)
    # In time order x is seconds, so that ticks are times; merged it is a share.
    scale = whole_ns / 1e9 if kind == "time" else 100.0
    _draw_boxes(ax, boxes, profile.tables, scale)
    ax.set_xlabel("seconds" if kind == "time" else f"% of {profile.weight_clock} time")
    draw_title(ax, title)
    _draw_legend(ax, profile.tables, boxes)
    return ax


def plot_transaction(profile: Profile, ax: Axes | None = None) -> Axes:
    """The slowest transaction in view: its spans as bars over its thread's flame chart.

    Both share the time axis, seconds from the transaction's start; a span that was never closed
    is hatched.

    Raises UsageError where matplotlib is not installed or no transaction is in view.
    """
    spans = profile.tables.spans
    roots = np.flatnonzero(spans.is_transaction & profile.span_mask)
    if not len(roots):
        raise UsageError("nothing to draw: there is no transaction in this view")
    root = int(roots[np.argmax(spans.duration_ns[roots])])
    view = profile.of_spans(spans.transaction == root)
    rows = np.flatnonzero(spans.transaction == root)
    rows = rows[np.argsort(spans.start_ns[rows], kind="stable")]
    start, end = int(spans.start_ns[root]), int(spans.end_ns[root])
    boxes, before, whole = _on_axis(view, start)
    high = len(rows) + 1 + int(boxes.depth.max(initial=0)) + 1
    ax = new_axes(CHART_INCHES, 1.4 + max(high, 4) * _ROW_INCHES) if ax is None else ax
    scale = (end - start) / 1e9 or 1.0
    boxes = replace(
        boxes,
        depth=(boxes.depth + len(rows) + 1).astype(np.int32),
        x0=(before + boxes.x0 * whole) / (end - start or 1),
        x1=(before + boxes.x1 * whole) / (end - start or 1),
    )
    _draw_boxes(ax, boxes, profile.tables, scale)
    ax.set_ylim(high, 0)
    _draw_spans(ax, spans, rows, start)
    ax.set_xlabel("seconds from the start of the transaction")
    name = spans.name[root] or spans.op[root]
    draw_title(
        ax, f"{name}: {words.duration(end - start)}, {spans.status[root]}, spans over frames"
    )
    _draw_legend(ax, profile.tables, boxes)
    return ax


def _on_axis(view: Profile, start_ns: int) -> tuple[Boxes, int, int]:
    """The busiest thread's boxes, how long after ``start_ns`` they begin and how long they are."""
    lines = timelines(view)
    if not lines.threads:
        none = np.zeros(0)
        ints = none.astype(np.int32)
        long = none.astype(np.int64)
        return Boxes(ints, none, none, ints, long, long, ints, ints), 0, 0
    busiest = max(lines.threads, key=lambda line: line.busy_ns)
    boxes = coarse(time_order(lines, busiest), _COLUMNS)
    return boxes, lines.start_ns - start_ns, int(busiest.weights_ns.sum())


def _draw_spans(ax: Axes, spans: Spans, rows: Ids, start_ns: int) -> None:
    """A row for each span, its words beside or in its bar."""
    right = ax.get_xlim()[1]
    for place, row in enumerate(rows.tolist()):
        left = (int(spans.start_ns[row]) - start_ns) / 1e9
        width = int(spans.duration_ns[row]) / 1e9
        hatch = "//" if spans.open[row] else ""
        looks: dict[str, Any] = {
            "color": "#c9d8ee",
            "edgecolor": "#5b7fb5",
            "linewidth": 0.6,
            "hatch": hatch,
        }
        ax.barh(place + 0.5, width, left=left, height=0.8, **looks)
        said = " · ".join(filter(None, [spans.op[row], spans.description[row] or spans.name[row]]))
        ax.text(
            min(left, right * 0.8) + right * 0.003,
            place + 0.53,
            words.shortened(words.clean(said), 60),
            fontsize=_FONT_SIZE,
            va="center",
            color="#22262c",
            clip_on=True,
            parse_math=False,
        )


def save(axes: Axes, file: IO[bytes], kind: str, dpi: int) -> None:
    """Write the figure that ``axes`` is in to ``file`` as png, svg or pdf.

    A name with letters that no font here has is drawn with boxes; that is no reason to warn.
    """
    figure = figure_of(axes)
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
    collections = matplotlib("matplotlib.collections")
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
    inches = ax.get_position().width * figure_of(ax).get_figwidth()
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


def _draw_legend(ax: Axes, tables: Tables, boxes: Boxes) -> None:
    """Origins that occur, below the picture."""
    patches = matplotlib("matplotlib.patches")
    seen = {int(tables.function_origin[f]) for f in boxes.function[boxes.function >= 0]}
    handles = [
        patches.Patch(facecolor=origin_colour(origin.label), label=origin.label)
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


def _is_application(tables: Tables, function: int) -> bool:
    return function >= 0 and tables.function_origin[function] == Origin.APPLICATION


def _box_colour(tables: Tables, function: int) -> str:
    return LIGHT[shade(tables, function)] if function >= 0 else _FOLDED_COLOUR


def _name(tables: Tables, function: int) -> str:
    said = {FOLDED: "…", BARE: NO_STACK}
    return said.get(function) or words.clean(tables.function_name[function]) or "?"
