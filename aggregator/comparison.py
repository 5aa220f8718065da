"""What changed between two profiles, told apart from what sampling would do by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flamespan.aggregator import statistics, strata
from flamespan.aggregator.data import Origin
from flamespan.aggregator.match import Matched, match
from flamespan.aggregator.stacktree import Bools, Ids, Ints
from flamespan.aggregator.statistics import FEWEST_UNITS, TOO_FEW, Floats
from flamespan.aggregator.units import Membership, alone, on_path, unit_sums
from flamespan.profiler.errors import UsageError

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

ALARM = 1 - statistics.CONFIDENCE
"""The share of alarms that may be noise (Benjamini-Hochberg's false discovery rate)."""

SLOWER, FASTER, SAME = "slower", "faster", "same"
WHOLE = "<transaction>"
"""Stands for all functions together: the time of a whole transaction."""

MEASURES = ("self", "total")
TESTS = ("both", "time", "share")
BLOCKS = "(blocks of 10 s)"
SIZEABLE = 0.01
"""Functions from this share on are what ``Comparison.would_have_seen`` is about."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two profiles side by side: ``base`` and ``new`` are what was compared of each.

    ``table`` is what ``diff`` returns. ``unit`` is "transaction" or "block"; ``units`` how many
    each side has. ``strata`` says how many transactions of each name were compared: transaction,
    base, new, weight (in the common mix; 0 where one side has none). ``left_out_ns`` is each
    side's time outside transactions, which is not compared where both have transactions.
    ``tested`` functions were compared. ``whole`` is one more row, "<transaction>": the time of
    whole transactions (None where there are none).
    """

    base: Profile
    new: Profile
    measure: str
    unit: str
    units: tuple[int, int]
    strata: pd.DataFrame
    left_out_ns: tuple[int, int]
    tested: int
    matched: Matched
    table: pd.DataFrame
    whole: pd.Series[Any] | None

    @property
    def slower(self) -> pd.DataFrame:
        """Rows that raised an alarm because they take more than before."""
        return self.table[self.table["verdict"] == SLOWER]

    @property
    def faster(self) -> pd.DataFrame:
        """Rows that raised an alarm because they take less than before."""
        return self.table[self.table["verdict"] == FASTER]

    @property
    def regressed(self) -> bool:
        """Whether a function, or transactions as a whole, are slower."""
        return len(self.slower) > 0 or (self.whole is not None and self.whole["verdict"] == SLOWER)

    @property
    def would_have_seen(self) -> float | None:
        """The factor by which a function of 1 % or more would have had to grow to be found.

        The median over such functions; four times in five. None where nothing was tested.
        """
        sizeable = self.table["base_share"] >= SIZEABLE
        factors = self.table.loc[sizeable, "smallest_factor"].dropna()
        return float(factors.median()) if len(factors) else None


def diff(base: Profile, new: Profile, *, measure: str = "self", test: str = "both") -> pd.DataFrame:
    """What changed from ``base`` to ``new``: one row per function, alarms first.

    Columns:

    - function, module, file, line, origin: as in ``new`` where that has it
    - presence: both, new, vanished; verdict: slower, faster, same, or "too few to tell"
    - base_self_ns, new_self_ns (or …_total_ns): the sums compared, exact
    - base_transactions, new_transactions: how many the function was seen in (blocks of 10 s
      where there are no transactions)
    - base_share, new_share, share_change, share_change_low, share_change_high: of the side's time
    - base_per_transaction_ns, new_per_transaction_ns, per_transaction_change_ns and its
      per_transaction_change_low_ns, …_high_ns: mean time per transaction
    - std_…: the same ten with both sides standardised to one mix of transaction names, so that a
      change of traffic is no change of code
    - p_value (NaN: too few to tell); q_value: the same adjusted for the number of functions
      (Benjamini-Hochberg); alarm: q_value at most 0.05
    - smallest_factor: what the function would have had to grow by to be found four times in five

    The transaction is the unit of every variance, intervals are 95 %. ``measure`` is "self" or
    "total" time. ``test`` says what must differ for an alarm: the standardised "time" per
    transaction, the "share" (long transactions counted less, ``strata.evened``), or "both", first
    the share and then, among those, the time: time alone also changes where chance brings longer
    requests, a share alone where another function changes. p_value is of the first test. Without
    transactions on both sides shares are compared, per-transaction columns are NaN.

    Raises UsageError for unknown words, or profiles by different clocks.
    """
    return compare(base, new, measure=measure, test=test).table


def compare(
    base: Profile, new: Profile, *, measure: str = "self", test: str = "both"
) -> Comparison:
    """``diff`` with what else there is to say; see ``Comparison``."""
    _check(base, new, measure, test)
    by_transaction = bool(base.span_mask.any() and new.span_mask.any())
    sides = (base.in_transactions(), new.in_transactions()) if by_transaction else (base, new)
    matched = match(base.tables, new.tables)
    size = len(matched.tables.function_name)
    names = _unit_names(sides[0], by_transaction), _unit_names(sides[1], by_transaction)
    listed = {name: place for place, name in enumerate(sorted({*names[0], *names[1]}))}
    numbers = [[listed[name] for name in side] for side in names]
    before, before_ns = _side(sides[0], matched.of_base, size, numbers[0], measure, by_transaction)
    after, after_ns = _side(sides[1], matched.of_new, size, numbers[1], measure, by_transaction)
    # One more "function" stands for everything: its change is that of whole transactions.
    shape = len(listed), size + 1
    sums = before.sums(*shape), after.sums(*shape)
    columns = _columns(before, after, sums, test if by_transaction else "share")
    if not by_transaction:
        columns |= {
            name: np.full(size + 1, np.nan) for name in columns if "per_transaction" in name
        }
    table = _table(matched, (before_ns, after_ns), columns, measure)
    whole = table[table["function"] == WHOLE]
    return Comparison(
        base=sides[0],
        new=sides[1],
        measure=measure,
        unit="transaction" if by_transaction else "block",
        units=(len(before.m), len(after.m)),
        strata=_strata_table(listed, sums),
        left_out_ns=(base.total_ns - sides[0].total_ns, new.total_ns - sides[1].total_ns),
        tested=int(np.isfinite(columns["p_value"][:-1]).sum()),
        matched=matched,
        table=table[table["function"] != WHOLE].reset_index(drop=True),
        whole=whole.iloc[0] if by_transaction and len(whole) else None,
    )


def _check(base: Profile, new: Profile, measure: str, test: str) -> None:
    if measure not in MEASURES:
        raise UsageError(f"no measure {measure!r}; there are {', '.join(MEASURES)}")
    if test not in TESTS:
        raise UsageError(f"no test {test!r}; there are {', '.join(TESTS)}")
    if base.weight_clock != new.weight_clock:
        clocks = f"{base.weight_clock} and {new.weight_clock}"
        raise UsageError(f"two profiles by different clocks ({clocks}) cannot be compared")


def _unit_names(side: Profile, by_transaction: bool) -> list[str]:
    """What each unit of a side is called: its transaction's name."""
    if not by_transaction:
        return [BLOCKS] * side.units.count
    return [side.tables.spans.name[row] for row in _roots(side)]


def _roots(side: Profile) -> Ids:
    """Rows of the transactions in view, those that only have a span in view too."""
    return np.unique(side.tables.spans.transaction[side.span_mask])


def _side(
    side: Profile, function: Ids, size: int, stratum: list[int], measure: str, in_transactions: bool
) -> tuple[strata.Units, Ints]:
    """One side unit by unit in matched functions, and each function's exact sum.

    Function ``size`` stands for all of them together.
    """
    units = side.units
    parts = list(unit_sums(units, _held(side, function, size, measure)))
    none = np.zeros(0, np.int64)
    unit, found, weight = (
        np.concatenate([none, *(np.asarray(part[i]) for part in parts)]) for i in range(3)
    )
    every = np.arange(units.count)
    place = np.searchsorted(_roots(side), units.key) if in_transactions else every
    m = np.zeros(len(stratum))
    m[place] = units.totals
    held = np.flatnonzero(m)
    exact = np.zeros(size + 1, np.int64)
    np.add.at(exact, found.astype(np.int64), weight.astype(np.int64))
    exact[size] = side.total_ns
    columns = (
        np.r_[place[unit.astype(np.int64)], held],
        np.r_[found.astype(np.int64), np.full(len(held), size)],
        np.r_[weight.astype(np.float64), m[held]],
    )
    return strata.Units(np.array(stratum, np.int64), m, *columns), exact


def _held(side: Profile, function: Ids, size: int, measure: str) -> Membership:
    """Which matched functions each stack is self time, or total time, of."""
    of_frame = function[side.tables.frame_function]
    if measure == "self":
        place = side.shown.place[side.units.stacks]
        return alone(np.where(place > 0, of_frame[side.shown.tree.key[place]], -1), size)
    tree, place = side.counted.tree, side.counted.place[side.units.stacks]
    return on_path(tree, place, of_frame[tree.key], tree.outermost(of_frame), size)


Pair = tuple[strata.Sums, strata.Sums]
"""Base and new."""


def _columns(before: strata.Units, after: strata.Units, sums: Pair, test: str) -> dict[str, Floats]:
    """The statistics of every function; the last one stands for everything."""
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


def _table(
    matched: Matched, exact: tuple[Ints, Ints], columns: dict[str, Floats], measure: str
) -> pd.DataFrame:
    """The table of ``diff``: functions seen on either side, alarms first, then by change."""
    there = columns["base_transactions"] > 0, columns["new_transactions"] > 0
    seen = np.flatnonzero(there[0] | there[1])
    presence = np.where(there[0] & there[1], "both", np.where(there[1], "new", "vanished"))
    alarm = np.nan_to_num(columns["q_value"], nan=1.0) <= ALARM
    verdict = np.where(alarm, np.where(columns["change"] > 0, SLOWER, FASTER), SAME).astype(object)
    verdict[np.isnan(columns["p_value"])] = TOO_FEW
    said = {
        "presence": presence.astype(object),
        "verdict": verdict,
        f"base_{measure}_ns": exact[0],
        f"new_{measure}_ns": exact[1],
        **{f"{side}_transactions": columns[f"{side}_transactions"] for side in ("base", "new")},
        **{name: values for name, values in columns.items() if "share" in name or "_ns" in name},
        "p_value": columns["p_value"],
        "q_value": columns["q_value"],
        "alarm": alarm,
        "smallest_factor": columns["smallest_factor"],
    }
    table = pd.DataFrame(_identity(matched, seen) | {name: v[seen] for name, v in said.items()})
    table.insert(0, "size", np.abs(columns["change"][seen]))
    table.insert(0, "both", exact[0][seen] + exact[1][seen])
    order = ["alarm", "size", "both", "function", "file", "line"]
    rising = [False, False, False, True, True, True]
    table = table.sort_values(order, ascending=rising, kind="stable", ignore_index=True)
    return table.drop(columns=["size", "both"])


def _identity(matched: Matched, functions: Ids) -> dict[str, object]:
    """The columns that say which function a row is; the one after the last is the whole."""
    t = matched.tables
    names, modules, files = (
        [*column, last]
        for column, last in (
            (t.function_name, WHOLE),
            (t.function_module, ""),
            (t.function_file, ""),
        )
    )
    origins = [*t.function_origin.tolist(), Origin.RUNTIME]
    return {
        "function": [names[i] for i in functions],
        "module": [modules[i] for i in functions],
        "file": [files[i] for i in functions],
        "line": np.r_[t.function_line, 0][functions],
        "origin": [Origin(origins[i]).label for i in functions],
    }


def _strata_table(listed: dict[str, int], sums: tuple[strata.Sums, strata.Sums]) -> pd.DataFrame:
    """How units were compared: how many of each name a side has, and its weight in the mix."""
    base, new = sums
    return pd.DataFrame(
        {
            "transaction": list(listed),
            "base": base.count.astype(np.int64),
            "new": new.count.astype(np.int64),
            "weight": strata.weights(base, new),
        }
    )
