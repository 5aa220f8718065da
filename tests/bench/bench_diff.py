"""How often ``diff`` is right: false alarms between equals, planted changes found, intervals.

    python tests/bench/bench_diff.py [PAIRS OF EQUALS] [PLANTED CHANGES OF EACH SIZE] [SEED]

Each comparison is of two fresh sample files of 2 000 transactions a side
(``synthetic_traffic.py``). Asked for: at most 5 % of comparisons between equals raise any alarm,
and a function of 1-6 % that doubles is found in at least 9 of 10. Comparisons by module, file and
line are held to the same; another seed gives other traffic.
"""

from __future__ import annotations

import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import synthetic_traffic as traffic

from flamespan.aggregator import compare, load

SERVICE = traffic.Service.make()
BANDS = ((0.001, 0.01), (0.01, 0.06))
FACTORS = (2.0, 1.5, 1.25)
OTHERS = ("module", "file", "line")


def compared(seed: int, **changes):
    """A comparison of two fresh files, the second one with ``changes``."""
    with tempfile.TemporaryDirectory() as folder:
        base = load(traffic.record(SERVICE, Path(folder) / "base.fspan", 2 * seed))
        new = load(traffic.record(SERVICE, Path(folder) / "new.fspan", 2 * seed + 1, **changes))
    return compare(base, new)


def equals(job: tuple[int, list[float]]):
    """Of two equal recordings: the alarms, and how many intervals hold the true share."""
    seed, truth = job
    found = compared(seed)
    table = found.base.functions().set_index("function")
    samples, held = len(found.base.selected), []
    for low, high in BANDS:
        names = [f"f{f}" for f, share in enumerate(truth) if low <= share < high]
        rows = table.reindex(names)
        share = np.array([truth[int(name[1:])] for name in names])
        inside = (rows["self_share_low"] <= share) & (share <= rows["self_share_high"])
        # What it would be if samples were independent.
        naive = 1.96 * np.sqrt(rows["self_share"] * (1 - rows["self_share"]) / samples)
        near = abs(rows["self_share"] - share) <= naive
        held += [int(inside.sum()), int(near.sum()), len(names)]
    others = [compare(found.base, found.new, by=by) for by in OTHERS]
    alarms = [int(one.table["alarm"].sum()) for one in (found, *others)]
    tested = [one.tested for one in (found, *others)]
    return alarms, held, tested, found.would_have_seen


def planted(job: tuple[int, int, float]):
    """Whether the slower function is found, and how many others are called slower or faster."""
    seed, function, factor = job
    found = compared(seed, slower=function, factor=factor)
    others = found.table[found.table["alarm"] & (found.table["function"] != f"f{function}")]
    return f"f{function}" in set(found.slower["function"]), len(others)


def moved(seed: int):
    """Alarms where only the traffic moved: less popular requests become the popular ones."""
    found = compared(seed, popularity=SERVICE.popularity[(np.arange(traffic.NAMES) + 4) % 40])
    low, high = (found.table[f"per_transaction_change_{end}_ns"] for end in ("low", "high"))
    return int(found.table["alarm"].sum()), int(((low > 0) | (high < 0)).sum())


def main() -> None:
    asked = [int(word) for word in sys.argv[1:]]
    pairs, sizes, first = [*asked, *(200, 40, 0)[len(asked) :]]
    truth = SERVICE.true_shares()
    middling = np.flatnonzero((truth >= 0.01) & (truth < 0.06))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(equals, [(first + n, truth.tolist()) for n in range(pairs)]))
        for i, by in enumerate(("function", *OTHERS)):
            alarmed = sum(result[0][i] > 0 for result in results)
            print(f"equals: {pairs} comparisons of {results[0][2][i]} {by}s; any alarm in "
                  f"{alarmed} ({alarmed / pairs:.1%}; asked: at most 5 %)")  # fmt: skip
        would = np.median([result[3] for result in results])
        print(f"  a function of 1 % or more would be seen from x{would:.2f} on (median)")
        sums = np.sum([result[1] for result in results], axis=0)
        for (low, high), (held, naive, of) in zip(BANDS, sums.reshape(-1, 3), strict=True):
            print(
                f"  95 % intervals of shares {low:.1%}-{high:.0%} hold the truth: {held / of:.1%} "
                f"(binomial over samples: {naive / of:.1%})"
            )
        rng = np.random.default_rng(first + 5)
        for factor in FACTORS:
            jobs = [(10**6 + first + n, int(rng.choice(middling)), factor) for n in range(sizes)]
            found = list(pool.map(planted, jobs))
            hits, others = sum(hit for hit, _ in found), sum(n > 0 for _, n in found)
            print(f"planted x{factor}: found {hits} of {sizes}; others alarmed in {others}")
        shifted = list(pool.map(moved, range(2 * 10**6 + first, 2 * 10**6 + first + sizes)))
        calm = sum(alarms > 0 for alarms, _ in shifted)
        raw = np.mean([raw for _, raw in shifted])
        print(f"traffic moved, code did not: any alarm in {calm} of {sizes} "
              f"({raw:.0f} functions each whose raw interval is without 0)")  # fmt: skip


if __name__ == "__main__":
    main()
