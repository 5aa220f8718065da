"""Golden files: what an output looked like when somebody last looked at it and agreed.

``REFRESH_GOLDEN=1 pytest …`` writes them anew; look at the difference before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden"


def check(name: str, text: str) -> None:
    """AssertionError where ``text`` is not what tests/golden/NAME holds."""
    path = FOLDER / name
    if os.environ.get("REFRESH_GOLDEN"):
        path.write_text(text, encoding="utf-8", newline="\n")
    assert text == path.read_text(encoding="utf-8"), f"differs from {path}: REFRESH_GOLDEN=1?"
