"""flamespan.aggregator: reads recordings and answers questions about them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flamespan.aggregator.calltree import CallTree
    from flamespan.aggregator.comparison import Comparison, compare, diff
    from flamespan.aggregator.exporting import export
    from flamespan.aggregator.loading import load
    from flamespan.aggregator.profile import Profile

__all__ = ["CallTree", "Comparison", "Profile", "compare", "diff", "export", "load"]

_HOMES = {
    # No module is called as a function here: importing it would hide the function.
    "load": "loading",
    "Profile": "profile",
    "CallTree": "calltree",
    "Comparison": "comparison",
    "compare": "comparison",
    "diff": "comparison",
    "export": "exporting",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that naming the package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
