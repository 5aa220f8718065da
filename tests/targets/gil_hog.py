"""A hog holds the GIL in long C calls while two victims want it; all tell the truth by the clock.

Each victim works in a transaction, the hog in none.

Run as ``gil_hog.py FOLDER SECONDS CALL [RATE]``; CALL is ``sort`` or ``multiply``. A line of JSON:
wall time of the whole, nanoseconds that the hog's calls took, and of each victim the wall and CPU
time, and the time it could have run and had no processor (null where the system does not say).
"""

import json
import operator
import sys
import threading
import time
from functools import partial
from pathlib import Path

from flamespan import profiler

CALL_S = 0.04
HELD_SHARE = 0.45

truth: dict[str, object] = {"calls": []}
begin, stop = threading.Event(), threading.Event()


def sort(size: float) -> object:
    numbers = [(i * 7919) % 1_000_003 + 0.5 for i in range(int(size))]
    return partial(sorted, numbers)


def multiply(size: float) -> object:
    number = (1 << int(size)) - 1
    return partial(operator.mul, number, number)


def calibrated(make: object) -> object:
    """A call that takes about CALL_S here."""
    size = 20_000.0
    while True:
        call = make(size)
        took = min(hold(call) for _ in range(3)) / 1e9
        if took > CALL_S / 3:
            return call
        size *= 1.4


def hold(call: object) -> int:
    """Call, and say how many nanoseconds it took, all of them with the GIL.

    Both clocks are read in the same C call: between Python's instructions another thread could
    take the GIL, and the wait for it would count as time of the call.
    """
    first, _, last = list(map(operator.call, (time.monotonic_ns, call, time.monotonic_ns)))
    return last - first


def hog(call: object) -> None:
    begin.wait()
    while not stop.is_set():
        took = hold(call)
        truth["calls"].append(took)
        time.sleep(took / 1e9 * (1 / HELD_SHARE - 1))


def small_a(count: int) -> int:
    total = 0
    for number in range(count):
        total += number * number
    return total


def small_b(count: int) -> int:
    total = 0
    for number in range(count):
        total ^= number
    return total


def without_processor_ns() -> int | None:
    """How long this thread could have run and had no processor."""
    try:
        said = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text()
    except OSError:
        return None
    return int(said.split()[1])


def victim(work: object) -> None:
    begin.wait()
    before = time.monotonic_ns(), time.thread_time_ns(), without_processor_ns()
    with profiler.transaction(f"serve {work.__name__}"):
        while not stop.is_set():
            work(50_000)
    after = time.monotonic_ns(), time.thread_time_ns(), without_processor_ns()
    wall, cpu, without = (
        None if first is None else last - first for first, last in zip(before, after, strict=True)
    )
    truth[work.__name__] = {"wall": wall, "cpu": cpu, "without_processor": without}


def main(folder: str, seconds: str, call: str, rate: str = "1000") -> None:
    long_call = calibrated({"sort": sort, "multiply": multiply}[call])
    threads = [threading.Thread(target=hog, args=(long_call,), name="hog")] + [
        threading.Thread(target=victim, args=(work,), name=work.__name__)
        for work in (small_a, small_b)
    ]
    for thread in threads:
        thread.start()
    profiler.start(folder, rate_hz=float(rate), engine="native")
    began = time.monotonic_ns()
    begin.set()
    time.sleep(float(seconds))
    stop.set()
    for thread in threads:
        thread.join()
    truth["wall"] = time.monotonic_ns() - began
    profiler.stop()
    print(json.dumps(truth))


main(*sys.argv[1:])
