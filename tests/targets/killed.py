"""Says on stdout what it does and when, so that a test that kills it can look for it in the file.

One line per span that was closed: its id and the monotonic clock, and per time it was in
``marker``; run as ``killed.py FOLDER``.
"""

import sys
import threading
import time

from flamespan import profiler


def marker() -> None:
    until = time.monotonic() + 0.02
    while time.monotonic() < until:
        pass


def background() -> None:
    while True:
        sum(i * i for i in range(20_000))
        time.sleep(0.001)


profiler.start(sys.argv[1], 100)
threading.Thread(target=background, daemon=True, name="background").start()
print("started", 0, time.monotonic_ns(), flush=True)
while True:
    with profiler.transaction("round"), profiler.span("work") as span:
        marker()
    print("closed", span.id, time.monotonic_ns(), flush=True)
