"""flamespan.viewer: shows profiles as a page, pictures and terminal tables."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flamespan.viewer.html import render_html
    from flamespan.viewer.plots import plot_flamegraph, plot_self_time
    from flamespan.viewer.server import serve

__all__ = ["plot_flamegraph", "plot_self_time", "render_html", "serve"]

_HOMES = {
    "plot_flamegraph": "plots",
    "plot_self_time": "plots",
    "render_html": "html",
    "serve": "server",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use: who wants a page loads no matplotlib."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
