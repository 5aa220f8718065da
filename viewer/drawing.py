"""What all pictures need of matplotlib, which is imported when the first is asked for."""

from __future__ import annotations

import importlib
import textwrap
from typing import TYPE_CHECKING, Any

from flamespan.aggregator.data import Origin
from flamespan.profiler.errors import UsageError
from flamespan.viewer import words
from flamespan.viewer.palette import APPLICATION_SHADES, LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHART_INCHES = 10.6
"""How wide a new picture is: A4 across without margins, so that letters are printed as they say."""

_TITLE_SIZE = 9


def draw_title(ax: Axes, title: str) -> None:
    """At the left, in as many lines as it needs (it may not be wider than the picture)."""
    letters = max(int(figure_of(ax).get_figwidth() * 0.7 * 72 / (_TITLE_SIZE * 0.55)), 20)
    lines = textwrap.wrap(words.clean(title), letters)
    ax.set_title("\n".join(lines), loc="left", fontsize=_TITLE_SIZE, parse_math=False)


def new_axes(width: float, height: float) -> Axes:
    """Axes of a new figure that pyplot does not know: nothing to close, no window."""
    figure = matplotlib("matplotlib.figure").Figure(
        figsize=(width, min(height, 60)), layout="constrained"
    )
    axes: Axes = figure.subplots()
    return axes


def figure_of(axes: Axes) -> Figure:
    """The whole figure that axes are in."""
    inner: Any = axes.figure  # a SubFigure's own ``figure`` is the whole one
    whole: Figure = inner.figure
    return whole


def matplotlib(module: str) -> Any:
    """A module of matplotlib. UsageError where it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] != "matplotlib":
            raise
        raise UsageError('pictures need matplotlib: pip install "flamespan[plot]"') from None


def time_unit(largest_ns: int) -> tuple[float, str]:
    """The unit in which times up to ``largest_ns`` are read best: its ns, its name."""
    for limit, unit_ns, unit in ((1e4, 1, "ns"), (1e7, 1e3, "µs"), (1e10, 1e6, "ms")):
        if largest_ns < limit:
            return unit_ns, unit
    return 1e9, "s"


def origin_colour(origin: str) -> str:
    """The colour of functions of an origin, by its label."""
    place = [found.label for found in Origin].index(origin)
    return LIGHT[0 if place == 0 else APPLICATION_SHADES - 1 + place]
