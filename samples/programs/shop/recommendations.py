"""What else a customer may like. Planted trouble: long work that no span covers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

DISTANCES = range(1, 9)
"""Letters this far apart make the pairs that texts are compared by."""


def score_recommendations_without_a_span(
    wanted: str, others: Sequence[dict[str, Any]]
) -> list[tuple[int, str]]:
    """The five products most like ``wanted``. Trouble: a quarter of a second between two spans."""
    scores = []
    near = [set(zip(wanted, wanted[distance:], strict=False)) for distance in DISTANCES]
    for other in others:
        score = 0
        text = other["description"]
        for distance, pairs in zip(DISTANCES, near, strict=True):
            for pair in zip(text, text[distance:], strict=False):
                if pair in pairs:
                    score += 1
        scores.append((score, other["name"]))
    scores.sort(reverse=True)
    return scores[:5]
