"""What else a customer may like. Planted trouble: long work that no span covers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any


def score_recommendations_without_a_span(
    wanted: str, others: Sequence[dict[str, Any]]
) -> list[tuple[int, str]]:
    """The five products most like ``wanted``. Trouble: a quarter of a second between two spans."""
    near = set(pairwise(wanted))
    far = set(zip(wanted, wanted[2:], strict=False))
    scores = []
    for other in others:
        score = 0
        text = other["description"]
        for first, second, third in zip(text, text[1:], text[2:], strict=False):
            if (first, second) in near:
                score += 1
            if (first, third) in far:
                score += 1
        scores.append((score, other["name"]))
    scores.sort(reverse=True)
    return scores[:5]
