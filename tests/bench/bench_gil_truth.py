"""Who waits for the GIL and for whom: the tables beside what the program itself measured.

    python tests/bench/bench_gil_truth.py [--runs 5] [--seconds 5] [--rate 1000]

Records tests/targets/gil_hog.py: one thread calls sorted() or multiplies large numbers, which
holds the GIL, and measures these calls; two others want the GIL all the time and measure the time
they did not run. Shares are of wall time. Where the truth is given as a range, the lower bound
leaves out what a victim waited for a processor, which may have been before or after it had the
GIL. "off" is the distance to the truth, in points, "busy" what a recorded share can be too low
because the victims had no processor: run it where nothing else runs. Ends with 1 where the mean
over the runs of any figure is off by more than 3 points.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers import giltruth

MOST_OFF = 0.03


def measure(call: str, runs: int, seconds: float, rate: float) -> list[list[giltruth.Figure]]:
    """The figures of each run."""
    found = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            found.append(giltruth.figures(*giltruth.run(Path(folder), seconds, call, rate)))
    return found


def show(call: str, runs: list[list[giltruth.Figure]]) -> float:
    """Print one table; how far the worst figure is off."""
    heads = "".join(f"{head:>7}" for head in ("off", "worst", "busy"))
    print(f"{call}\n  {'share of wall time':<40}{'recorded':>9}{'truth':>14}{heads}")
    worst = 0.0
    for figures in zip(*runs, strict=True):
        recorded, least, most = (
            100 * statistics.fmean(getattr(figure, name) for figure in figures)
            for name in ("recorded", "least", "most")
        )
        offs = [100 * figure.off for figure in figures]
        truth = f"{least:.1f}" if least == most else f"{least:.1f}-{most:.1f}"
        off = statistics.fmean(offs)
        busy = 100 * statistics.fmean(figure.busy for figure in figures)
        print(
            f"  {figures[0].what:<40}{recorded:>9.1f}{truth:>14}{off:>7.2f}{max(offs):>7.2f}"
            f"{busy:>7.1f}"
        )
        worst = max(worst, off / 100)
    return worst


def main() -> int:
    """Measure both calls, print, judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=1000.0)
    given = parser.parse_args()
    worst = 0.0
    for call in ("sort", "multiply"):
        runs = measure(call, given.runs, given.seconds, given.rate)
        worst = max(worst, show(call, runs))
    said = "within" if worst <= MOST_OFF else "NOT within"
    print(
        f"{given.runs} runs of {given.seconds:g} s each at {given.rate:g} Hz, Python "
        f"{sys.version.split()[0]}: {said} {MOST_OFF:.0%} of wall time"
    )
    return int(worst > MOST_OFF)


if __name__ == "__main__":
    sys.exit(main())
