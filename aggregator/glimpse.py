"""A profile in a few lines, for a notebook's output."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

ROWS = 10


def as_html(profile: Profile) -> str:
    """A heading and the functions with most self time, as HTML; times in ms, shares in per cent."""
    functions = profile.functions(quick=True)
    whole, roots = profile.total_ns, int(profile.tables.spans.is_transaction.sum())
    said = [
        f"{whole / 1e9:.3f} s of {profile.weight_clock} time",
        f"{len(profile.selected)} samples",
    ]
    if roots:
        said.append(f"{roots} transactions")
    first = functions.head(ROWS)
    table = pd.DataFrame(
        {
            "self ms": (first["self_ns"] / 1e6).round(1),
            "self %": (first["self_share"] * 100).round(1),
            "total ms": (first["total_ns"] / 1e6).round(1),
            "function": first["function"],
            "module": first["module"],
            "where": [
                f"{f}:{n}" if n else f for f, n in zip(first["file"], first["line"], strict=True)
            ],
        }
    )
    left = len(functions) - len(first)
    more = f"<p>and {left} functions more</p>" if left else ""
    title = html.escape(" · ".join(said))
    return f"<p><b>{title}</b></p>{table.to_html(index=False, escape=True, border=0)}{more}"
