"""For all tests: nothing of flamespan may go on after a test that started it."""

from __future__ import annotations

import signal
import sys
import threading
import time

import pytest
from hypothesis import settings

from helpers.ownthreads import system_threads

# No deadlines: the suite also runs on machines that are busy with something else.
settings.register_profile("flamespan", deadline=None)
settings.load_profile("flamespan")

# A shell ignores it for what it starts in the background, and so would the programs that tests
# start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


OURS = ("flamespan-sampler", "flamespan-recorder")


@pytest.fixture(autouse=True)
def nothing_left_recording():
    yield
    session = sys.modules.get("flamespan.profiler.session")
    if session is None:
        return
    forgotten = session.is_recording()
    session.stop()
    ours = [t.name for t in threading.enumerate() if t.name in OURS]
    until = time.monotonic() + 5
    while system_threads() and time.monotonic() < until:
        time.sleep(0.01)
    assert not forgotten, "the test left a recording running"
    ours += system_threads()
    assert not ours, f"threads are left: {ours}"
