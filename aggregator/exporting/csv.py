"""CSV: the functions table, a header line with the columns' names (units in them), then rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile


def write(profile: Profile, file: TextIO) -> None:
    """Write ``profile.functions()`` to ``file``; columns as described there."""
    profile.functions().to_csv(file, index=False, lineterminator="\n")
