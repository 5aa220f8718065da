"""kill -9 at random moments: every file loads, and at most the last second and a half is lost."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from helpers import recordings

TARGET = Path(__file__).parents[1] / "targets" / "killed.py"
KILLS = 20
AT_ONCE = 4
GRACE_NS = 1_500_000_000


def kill_one(folder: Path, seconds: float) -> tuple[Path, int, list[tuple[int, int]]]:
    """Run the target and kill it; its file's folder, when it was killed, what it said."""
    folder.mkdir()
    command = [sys.executable, str(TARGET), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()
        assert first.startswith("started")
        time.sleep(seconds)
        killed_ns = time.monotonic_ns()
        process.send_signal(signal.SIGKILL)
        said = process.stdout.read().splitlines()
    whole = [line.split() for line in said[:-1]]  # the last line may be cut off
    return folder, killed_ns, [(int(i), int(t)) for word, i, t in whole if word == "closed"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_nothing_older_than_a_flush_is_lost(tmp_path):
    moments = random.Random()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [
            pool.submit(kill_one, tmp_path / str(number), moments.uniform(0.05, 4.5))
            for number in range(KILLS)
        ]
        results = [run.result() for run in runs]
    old_spans = 0
    for folder, killed_ns, closed in results:
        recording = recordings.read_one(folder)
        assert recording.end is None
        assert recording.loss.blocks == recording.loss.skipped_bytes == 0
        ended = {end.id for end in recording.spans.ended}
        old = {span for span, at_ns in closed if at_ns < killed_ns - GRACE_NS}
        assert old <= ended, f"lost {len(old - ended)} of {len(old)} spans"
        old_spans += len(old)
        rows = [row for row in recordings.rows(recording) if row.thread == "MainThread"]
        if killed_ns - recording.header.start_monotonic_ns > GRACE_NS + 500_000_000:
            assert rows[-1].time_ns > killed_ns - GRACE_NS
            assert any("marker" in row.stack for row in rows)
    assert old_spans > 100
