"""A short run of tests/bench/chaos_workers.py: workers killed and restarted under load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "bench" / "chaos_workers.py"


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
@pytest.mark.parametrize("server", ["gthread", "uvicorn"])
def test_workers_that_die_under_load(server):
    pytest.importorskip(server if server == "uvicorn" else "gunicorn")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--seconds", "5", "--only", server],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fine" in done.stdout
