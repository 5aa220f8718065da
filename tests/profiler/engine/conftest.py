"""For tests of whose the samples are."""

from __future__ import annotations

import pytest

from flamespan import profiler
from helpers import recordings
from helpers.marked import needs_native, prove


@pytest.fixture
def engine():
    """The native one, where a test does not name them: the other cannot know everything."""
    return "native"


@pytest.fixture
def recorded(tmp_path, engine):
    """Record a call: whose the samples are, see ``prove``."""
    if engine == "native":
        needs_native()

    def record(main):
        with profiler.Profiler(tmp_path, 1000, engine=engine, budget=0) as running:
            main()
        return recordings.read(running.path)

    return lambda main, *owners: prove(lambda: record(main), *owners)
