"""Numbers as people read them: the page's modules are held against the same file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flamespan.viewer import words

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "words.json").read_text())


@pytest.mark.parametrize("name", ["duration", "percent", "grouped"])
def test_vectors(name):
    said = [getattr(words, name)(value) for value, _ in VECTORS[name]]
    assert said == [text for _, text in VECTORS[name]]
