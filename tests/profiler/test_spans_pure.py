"""The same tests of spans where there is no C core: spans and engine are Python then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_C = """\
import sys
sys.modules["flamespan.profiler.engine._native"] = None
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "module",
    [
        "test_spans.py",
        "test_choosing.py",
        "test_modes.py",
        "test_bounds.py",
        "integrations/test_asgi.py",
        "integrations/test_wsgi.py",
    ],
)
def test_without_the_c_core(module):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_C, "-q", "-p", "no:cacheprovider", module],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
