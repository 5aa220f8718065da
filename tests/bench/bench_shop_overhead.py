"""What the running profiler costs the shop: requests per second with it against without it.

    python tests/bench/bench_shop_overhead.py [--pairs 7] [--requests 108] [--rate 100]

Both sides do the same work: so many pages of the load driver's deck (27 make one whole deck),
while buyers keep checking out; the requests of both count. Each pair is one run with and one
without, right after each other; which comes first alternates, so that neither a warm cache nor
a machine that slows down favours one side.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SHOP = Path(__file__).resolve().parents[2] / "samples" / "programs" / "shop"


def run(requests: int, *options: str) -> dict[str, Any]:
    """One run of the shop under load; the load driver's summary."""
    command = [sys.executable, str(SHOP), "--json", "--seconds=60"]
    command += [f"--requests={requests}", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the shop failed ({done.returncode}):\n{done.stderr}{done.stdout}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def pair(requests: int, rate: float, profiled_first: bool) -> tuple[float, float]:
    """Requests per second with and without the profiler."""
    with tempfile.TemporaryDirectory() as folder:
        sides = {True: [f"--profile={folder}", f"--rate={rate}"], False: ["--no-profile"]}
        found = {
            side: run(requests, *sides[side])["requests_per_second"]
            for side in (profiled_first, not profiled_first)
        }
    return found[True], found[False]


def main() -> int:
    """Run the pairs and print the ratio of each, their median and spread."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--requests", type=int, default=108)
    parser.add_argument("--rate", type=float, default=100.0)
    args = parser.parse_args()
    ratios = []
    for number in range(args.pairs):
        with_it, without = pair(args.requests, args.rate, profiled_first=number % 2 == 0)
        ratios.append(with_it / without)
        print(
            f"pair {number + 1}: {with_it:6.1f} with, {without:6.1f} without,"
            f" ratio {ratios[-1]:.3f}",
            flush=True,
        )
    print(
        f"shop, {args.rate:g} Hz, {args.pairs} pairs of {args.requests} pages:"
        f" requests per second with / without: median {statistics.median(ratios):.3f}"
        f" ({min(ratios):.3f} to {max(ratios):.3f})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
