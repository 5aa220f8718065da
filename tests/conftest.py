"""For all tests: nothing of flamespan may go on after a test that started it."""

from __future__ import annotations

import sys
import threading

import pytest


@pytest.fixture(autouse=True)
def nothing_left_recording():
    yield
    session = sys.modules.get("flamespan.profiler.session")
    if session is None:
        return
    forgotten = session.is_recording()
    session.stop()
    ours = [t.name for t in threading.enumerate() if t.name.startswith("flamespan-")]
    assert not forgotten, "the test left a recording running"
    assert not ours, f"threads are left: {ours}"
