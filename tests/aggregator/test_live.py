"""Recordings that are followed while they are written: a real process, killed at the end."""

from __future__ import annotations

import subprocess
import sys
import time

from flamespan.aggregator.live import Live

BUSY = """
from flamespan import profiler
profiler.start("profiles")
def cook():
    while True:
        sum(range(1000))
cook()
"""


def test_a_recording_is_followed_to_its_end(tmp_path):
    (tmp_path / "profiles").mkdir()
    live = Live(str(tmp_path / "profiles"), 10_000_000_000)
    process = subprocess.Popen([sys.executable, "-c", BUSY], cwd=tmp_path)
    try:
        seen = []
        until = time.monotonic() + 60
        while len(seen) < 3 and time.monotonic() < until:
            live.refresh()
            profile = live.profile()
            if profile is not None and len(profile.rows) not in seen:
                seen.append(len(profile.rows))
            time.sleep(0.2)
        assert len(seen) == 3
        assert seen == sorted(seen)
        assert live.profile().functions(quick=True)["function"][0] == "cook"
        assert [p.state for p in live.processes()] == ["recording"]
    finally:
        process.kill()
        process.wait()
    live.refresh()
    assert [p.state for p in live.processes()] == ["killed"]
