"""Spans as exports tell them: their facts as text, and lanes in which they nest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile


def said(profile: Profile, row: int) -> dict[str, str]:
    """What is known of a span: op, description, status, transaction, tags and measurements."""
    spans = profile.tables.spans
    facts = {
        "op": spans.op[row],
        "description": spans.description[row],
        "status": "open" if spans.open[row] else spans.status[row],
        "transaction": spans.name[int(spans.transaction[row])],
    }
    facts |= {f"tag {key}": value for key, value in spans.tags[row].items()}
    for name, (value, unit) in spans.measurements[row].items():
        facts[f"measurement {name}"] = f"{value:g} {unit}".strip()
    return {key: value for key, value in facts.items() if value}


def lanes(profile: Profile) -> Iterator[tuple[int, int]]:
    """``(row, lane)`` of the spans in view by transaction and start.

    Within a lane of a transaction spans nest: two that overlap otherwise (concurrent tasks) are
    in different lanes.
    """
    spans = profile.tables.spans
    rows = np.flatnonzero(profile.span_mask)
    start, end = spans.start_ns[rows], spans.end_ns[rows]
    order = np.lexsort((rows, -end, start, spans.transaction[rows]))
    transaction, open_ends = -1, list[list[int]]()
    for row in rows[order].tolist():
        if spans.transaction[row] != transaction:
            transaction, open_ends = int(spans.transaction[row]), []
        begins, ends = int(spans.start_ns[row]), int(spans.end_ns[row])
        lane = next((i for i, held in enumerate(open_ends) if _holds(held, begins, ends)), None)
        if lane is None:
            lane = len(open_ends)
            open_ends.append([])
        open_ends[lane].append(ends)
        yield row, lane


def _holds(open_ends: list[int], begins: int, ends: int) -> bool:
    """Whether a span nests in what is still open of a lane; what has ended is taken out."""
    while open_ends and open_ends[-1] <= begins:
        open_ends.pop()
    return not open_ends or ends <= open_ends[-1]
