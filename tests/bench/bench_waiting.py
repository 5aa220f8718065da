"""Very many transactions that wait at once: what they cost, and whether each has its time.

    python tests/bench/bench_waiting.py [--tasks 10000] [--seconds 20] [--rate 100]

Each of --tasks tasks awaits in a transaction for --seconds, while one more task works in the loop.
The same program runs without a recording before and after. Printed are

- slowed: rounds of work without, divided by those with a recording (1: nothing); the time to open
  and to close all transactions beside it
- RSS in both, the sampler's and the recorder's CPU time as shares of a core, the file's size
- the sum rule: samples + unobserved + tail against each duration, the worst in intervals; how many
  transactions have no sample at all; the tail (not looked at since), median and worst, as a
  share of the duration; what was dropped

Takes about three times --seconds and ten seconds more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from flamespan import profiler
from flamespan.aggregator import load


def rss_mib() -> float:
    """Resident memory of this process (Linux)."""
    fields = Path("/proc/self/status").read_text("ascii").split("VmRSS:")[1]
    return int(fields.split()[0]) / 1024


async def request(until: asyncio.Event) -> None:
    with profiler.transaction("wait"):
        await until.wait()


async def serve(tasks: int, seconds: float) -> dict[str, float]:
    until = asyncio.Event()
    began = time.perf_counter()
    waiting = [asyncio.create_task(request(until)) for _ in range(tasks)]
    await asyncio.sleep(0)
    opening = time.perf_counter() - began
    used, rounds, total = time.thread_time(), 0, 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        for i in range(1000):
            total += i
        rounds += 1
        if rounds % 100 == 0:
            await asyncio.sleep(0)
    used = time.thread_time() - used
    memory = rss_mib()
    began = time.perf_counter()
    until.set()
    await asyncio.gather(*waiting)
    closing = time.perf_counter() - began
    # By the thread's own clock: others may use the machine, too.
    return {"rate": rounds / used, "opening": opening, "closing": closing, "rss": memory}


def child(folder: str, tasks: int, seconds: float, rate: float) -> None:
    if rate:
        with profiler.Profiler(folder, rate):
            found = asyncio.run(serve(tasks, seconds))
    else:
        found = asyncio.run(serve(tasks, seconds))
    print(json.dumps(found))


def run(folder: str, tasks: int, seconds: float, rate: float) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", folder, "--tasks", str(tasks)]
    command += ["--seconds", str(seconds), "--rate", str(rate)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def judge(folder: str, rate: float) -> None:
    """Print what the recording says of each transaction."""
    profile = load(folder)
    table = profile.waiting(instances=True)
    process: dict[str, Any] = profile.info()["processes"][0]  # type: ignore[index]
    told = table["recorded_ns"] + table["unobserved_ns"] + table["tail_ns"]
    off = (told - table["duration_ns"]).abs().max() * rate / 1e9
    tail = table["tail_ns"] / table["duration_ns"]
    recorder = process["recorder_cpu_ns"] / process["duration_ns"]
    print(f"sampler {process['sampler_share']:.2%}, recorder {recorder:.2%} of a core")
    print(
        f"sum: worst {off:.2f} intervals; tail {tail.median():.1%}, at most {tail.max():.1%}; "
        f"without a sample: {(table['recorded_ns'] == 0).sum()} of {len(table)}"
    )
    print(
        f"dropped: {process['dropped_samples']} samples, {process['dropped_spans']} spans, "
        f"{process['unfollowed_transactions']} transactions not followed"
    )


def main() -> None:
    """Measure, or be the program that is measured."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.tasks, given.seconds, given.rate)
        return
    with tempfile.TemporaryDirectory() as folder:
        before = run(folder, given.tasks, given.seconds, 0)
        during = run(folder, given.tasks, given.seconds, given.rate)
        after = run(folder, given.tasks, given.seconds, 0)
        bare = (before["rate"] + after["rate"]) / 2
        print(f"{given.tasks} tasks wait for {given.seconds:g} s, {given.rate:g} Hz")
        print(
            f"slowed {bare / during['rate']:.3f} times; opened in {during['opening']:.2f} s "
            f"(without {before['opening']:.2f} s), closed in {during['closing']:.2f} s "
            f"({before['closing']:.2f} s)"
        )
        size = sum(path.stat().st_size for path in Path(folder).glob("*.fspan"))
        print(
            f"RSS {during['rss']:.0f} MiB (without {before['rss']:.0f} MiB); "
            f"file {size / 1e6:.1f} MB"
        )
        judge(folder, given.rate)


if __name__ == "__main__":
    main()
