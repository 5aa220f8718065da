"""The native engine's readers of foreign memory, fuzzed for some seconds: see fuzz.c.

``tests/bench/fuzz_native.py`` does so for longer, and guided by coverage.
"""

from __future__ import annotations

import os
import subprocess

import pytest

from helpers import native_c

SEED = 20240229
ROUNDS = 1000
TIMEOUT_S = 120


@pytest.fixture
def fuzzer(tmp_path):
    """The fuzzer, with sanitizers where there are any, and why there are none."""
    cc = native_c.compiler()
    if cc is None:
        pytest.skip("no C compiler is here (cc, gcc, clang; or name one in CC)")
    if os.name != "posix":
        pytest.skip("the fuzzer sets alarms, which this system has not")
    lacking = native_c.lacking(cc, native_c.SANITIZE, tmp_path)
    target = tmp_path / "fuzz"
    native_c.build(cc, target, [] if lacking else native_c.SANITIZE)
    return target, lacking


def test_the_readers_survive_hostile_memory(fuzzer):
    target, lacking = fuzzer
    done = subprocess.run(
        [target, str(SEED), str(ROUNDS)],
        env=os.environ | native_c.OPTIONS,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert f"{ROUNDS} rounds" in done.stdout
    if lacking:
        pytest.skip(f"passed, but without sanitizers: {lacking}")
