"""What a comparison says of each row: shares, time per transaction, how sure a change is."""

from __future__ import annotations

import numpy as np

from flamespan.aggregator import statistics, strata
from flamespan.aggregator.stacktree import Bools, Ints
from flamespan.aggregator.statistics import FEWEST_UNITS, TOO_FEW, Floats

ALARM = 1 - statistics.CONFIDENCE
"""The share of alarms that may be noise (Benjamini-Hochberg's false discovery rate)."""

SLOWER, FASTER, SAME = "slower", "faster", "same"

Pair = tuple[strata.Sums, strata.Sums]
"""Base and new."""


def changes(before: strata.Units, after: strata.Units, sums: Pair, test: str) -> dict[str, Floats]:
    """The statistics of every row as columns; the last row stands for everything.

    ``sums`` are those of the two sides by stratum, ``test`` is "both", "time" or "share". Beside
    the columns of ``diff`` there is "change", by which a change is slower or faster.
    """
    names, size = sums[0].y.shape
    raw = before.pooled().sums(1, size), after.pooled().sums(1, size)
    columns: dict[str, Floats] = {}
    for prefix, (base, new) in (("", raw), ("std_", sums)):
        mix = strata.weights(base, new)
        enough = min(base.count.sum(), new.count.sum()) >= FEWEST_UNITS and mix.sum() > 0
        share = strata.share_change(base, new, mix)
        time = strata.time_change(base, new, mix)
        columns |= _described(f"{prefix}{{}}_share", f"{prefix}share_{{}}", share, enough)
        said = (f"{prefix}{{}}_per_transaction_ns", f"{prefix}per_transaction_{{}}_ns")
        columns |= _described(*said, time, enough)
    testable = (raw[0].hits + raw[1].hits >= FEWEST_UNITS) & enough
    tested = time if test == "time" else _evened_share(before, after, names, size)
    p_value, q_value = _tested(time, tested, testable, test)
    smallest = tested.smallest(int(testable.sum())) / np.where(tested.base > 0, tested.base, np.nan)
    return columns | {
        "p_value": p_value,
        "q_value": q_value,
        "smallest_factor": np.where(testable, 1 + smallest, np.nan),
        "change": share.change if test == "share" else time.change,
        "base_transactions": raw[0].hits,
        "new_transactions": raw[1].hits,
    }


def verdicts(columns: dict[str, Floats]) -> tuple[Ints, Bools]:
    """Each row's verdict, as a word, and whether it is an alarm."""
    alarm = np.nan_to_num(columns["q_value"], nan=1.0) <= ALARM
    verdict = np.where(alarm, np.where(columns["change"] > 0, SLOWER, FASTER), SAME).astype(object)
    verdict[np.isnan(columns["p_value"])] = TOO_FEW
    return verdict, alarm


def _evened_share(
    before: strata.Units, after: strata.Units, names: int, size: int
) -> strata.Change:
    base, new = (side.sums(names, size) for side in strata.evened(before, after))
    return strata.share_change(base, new, strata.weights(base, new))


def _tested(
    time: strata.Change, tested: strata.Change, testable: Bools, test: str
) -> tuple[Floats, Floats]:
    """P-values of the test, and q-values; the last row, everything, has only its time."""
    p_time, p_value = time.p_values(), tested.p_values()
    p_value[-1] = 1.0 if test == "share" else p_time[-1]
    p_value[~testable] = np.nan
    q_value = statistics.false_discovery(p_value)
    if test != "both":
        return p_value, q_value
    # Of those whose share changed, whose time changed, too, and in the same direction? Only
    # these few are tested again, so the second look costs little.
    changed = np.nan_to_num(q_value, nan=1.0) <= ALARM
    same = np.sign(time.change) == np.sign(tested.change)
    same[-1] = True
    second = np.where(changed, np.where(same, p_time, 1.0), np.nan)
    return p_value, np.fmax(q_value, statistics.false_discovery(second))


def _described(side: str, name: str, change: strata.Change, enough: bool) -> dict[str, Floats]:
    """Base, new, change and its interval (NaN: too few to tell) as columns."""
    unknown = np.full(len(change.base), np.nan)
    low, high = change.interval() if enough else (unknown, unknown)
    return {
        side.format("base"): change.base,
        side.format("new"): change.new,
        name.format("change"): change.change,
        name.format("change_low"): low,
        name.format("change_high"): high,
    }
