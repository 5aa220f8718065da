"""How often the 95 % interval of a share holds the truth, by how many transactions there are.

    python tests/bench/bench_coverage.py [RECORDINGS OF EACH SIZE]

Requests are those of ``synthetic_traffic.py`` (durations with a heavy tail), drawn from a pool of
20 000 whose shares are the truth; the intervals are ``aggregator.statistics``'s own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import synthetic_traffic as traffic

from flamespan.aggregator import statistics

SIZES = (5, 10, 30, 200, 2000)
BANDS = ((0.001, 0.01), (0.01, 0.06))
POOL = 20_000


def pool(service: traffic.Service) -> np.ndarray:
    """Samples of each function in each request of the pool."""
    rng = np.random.default_rng(7)
    leaf = service.leaf
    return np.array(
        [
            np.bincount(
                leaf[service.transaction(rng, int(name), -1, 1)], minlength=traffic.FUNCTIONS
            )
            for name in rng.choice(traffic.NAMES, POOL, p=service.popularity)
        ],
        float,
    )


def covered(requests: np.ndarray, truth: np.ndarray, size: int, times: int) -> np.ndarray:
    """For each recording and function: 1 the truth was held, 0 missed, NaN not seen."""
    rng = np.random.default_rng(size)
    held = np.full((times, len(truth)), np.nan)
    for number in range(times):
        y = requests[rng.integers(0, POOL, size)]
        m = y.sum(axis=1)
        share = y.sum(axis=0) / max(m.sum(), 1)
        error = statistics.ratio_error((y * y).sum(axis=0), m @ y, m, share)
        df = statistics.effective_df((y * y).sum(axis=0), y.sum(axis=0), m)
        low, high = statistics.interval(share, error, int((m > 0).sum()), df)
        seen = (share > 0) & np.isfinite(low)
        held[number, seen] = ((low <= truth) & (truth <= high))[seen]
    return held


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    requests = pool(traffic.Service.make())
    truth = requests.sum(axis=0) / requests.sum()
    print("share of 95 % intervals that hold the truth (of functions that were seen)")
    print("transactions", *(f"{low:.1%}-{high:.0%}".rjust(10) for low, high in BANDS))
    for size in SIZES:
        held = covered(requests, truth, size, times)
        said = [
            f"{np.nanmean(held[:, (truth >= low) & (truth < high)]):.1%}".rjust(10)
            for low, high in BANDS
        ]
        print(f"{size:12}", *said)


if __name__ == "__main__":
    main()
