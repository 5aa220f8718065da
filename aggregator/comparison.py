"""What changed between two profiles, told apart from what sampling would do by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flamespan.aggregator import strata
from flamespan.aggregator.alignment import Aligned, align
from flamespan.aggregator.changes import ALARM, FASTER, SAME, SLOWER, Pair, changes, verdicts
from flamespan.aggregator.data import Origin
from flamespan.aggregator.match import Matched
from flamespan.aggregator.stacktree import Ids, Ints
from flamespan.aggregator.statistics import Floats
from flamespan.aggregator.units import Membership, alone, on_path, unit_sums
from flamespan.profiler.errors import UsageError

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

__all__ = ["ALARM", "FASTER", "SAME", "SLOWER", "Comparison", "compare", "diff"]

WHOLE = "<transaction>"
"""Stands for all rows together: the time of a whole transaction."""

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
    ``by`` is what the rows are (function, module, file, line), ``tested`` of them were compared;
    the rows of ``table`` are ``rows`` of ``aligned``.
    ``whole`` is one more row, "<transaction>": the time of whole transactions (None where there
    are none).
    """

    base: Profile
    new: Profile
    by: str
    measure: str
    unit: str
    units: tuple[int, int]
    strata: pd.DataFrame
    left_out_ns: tuple[int, int]
    tested: int
    aligned: Aligned
    rows: Ids
    table: pd.DataFrame
    whole: pd.Series[Any] | None

    @property
    def matched(self) -> Matched:
        """The functions of both sides."""
        return self.aligned.matched

    def function_verdicts(self) -> list[str]:
        """The verdict of each function of ``matched``: that of its row, or of its surest line."""
        size = self.aligned.size
        verdict, q_value = np.full(size, SAME, object), np.full(size, 2.0)
        verdict[self.rows] = self.table["verdict"]
        q_value[self.rows] = self.table["q_value"].fillna(1.5)
        surest_last = np.argsort(-q_value[self.aligned.rows], kind="stable")
        found = np.full(len(self.matched.tables.function_name), SAME, object)
        found[self.aligned.functions[surest_last]] = verdict[self.aligned.rows[surest_last]]
        said: list[str] = found.tolist()
        return said

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
        """Whether a row, or transactions as a whole, are slower."""
        return len(self.slower) > 0 or (self.whole is not None and self.whole["verdict"] == SLOWER)

    @property
    def would_have_seen(self) -> float | None:
        """The factor by which a row of 1 % or more would have had to grow to be found.

        The median over such rows; four times in five. None where nothing was tested.
        """
        sizeable = self.table["base_share"] >= SIZEABLE
        factors = self.table.loc[sizeable, "smallest_factor"].dropna()
        return float(factors.median()) if len(factors) else None


def diff(
    base: Profile, new: Profile, *, by: str = "function", measure: str = "self", test: str = "both"
) -> pd.DataFrame:
    """What changed from ``base`` to ``new``: one row per function, alarms first.

    ``by`` is "function", or "module", "file" or "line" for a row each of those.

    Columns:

    - function, module, file, line, origin: as in ``new`` where that has it (by line: the line
      that ran; by module or file: that and origin alone)
    - presence: both, new, vanished; verdict: slower, faster, same, or "too few to tell"
    - base_self_ns, new_self_ns (or …_total_ns): the sums compared, exact
    - base_transactions, new_transactions: how many the row was seen in (blocks of 10 s where
      there are no transactions)
    - base_share, new_share, share_change, share_change_low, share_change_high: of the side's time
    - base_per_transaction_ns, new_per_transaction_ns, per_transaction_change_ns and its
      per_transaction_change_low_ns, …_high_ns: mean time per transaction
    - std_…: the same ten with both sides standardised to one mix of transaction names, so that a
      change of traffic is no change of code
    - p_value (NaN: too few to tell); q_value: the same adjusted for the number of rows
      (Benjamini-Hochberg); alarm: q_value at most 0.05
    - smallest_factor: what the row would have had to grow by to be found four times in five

    The transaction is the unit of every variance, intervals are 95 %. ``measure`` is "self" or
    "total" time. ``test`` says what must differ for an alarm: the standardised "time" per
    transaction, the "share" (long transactions counted less, ``strata.evened``), or "both", first
    the share and then, among those, the time: time alone also changes where chance brings longer
    requests, a share alone where another function changes. p_value is of the first test. Without
    transactions on both sides shares are compared, per-transaction columns are NaN.

    Raises UsageError for unknown words, or profiles by different clocks.
    """
    return compare(base, new, by=by, measure=measure, test=test).table


def compare(
    base: Profile, new: Profile, *, by: str = "function", measure: str = "self", test: str = "both"
) -> Comparison:
    """``diff`` with what else there is to say; see ``Comparison``."""
    _check(base, new, measure, test)
    by_transaction = bool(base.span_mask.any() and new.span_mask.any())
    sides = (base.in_transactions(), new.in_transactions()) if by_transaction else (base, new)
    aligned = align(base.tables, new.tables, by)
    names = _unit_names(sides[0], by_transaction), _unit_names(sides[1], by_transaction)
    listed = {name: place for place, name in enumerate(sorted({*names[0], *names[1]}))}
    numbers = [[listed[name] for name in side] for side in names]
    asked = aligned.size, measure, by_transaction
    before, before_ns = _side(sides[0], aligned.of_base, numbers[0], *asked)
    after, after_ns = _side(sides[1], aligned.of_new, numbers[1], *asked)
    # One more row stands for everything: its change is that of whole transactions.
    shape = len(listed), aligned.size + 1
    sums = before.sums(*shape), after.sums(*shape)
    columns = changes(before, after, sums, test if by_transaction else "share")
    if not by_transaction:
        unknown = np.full(shape[1], np.nan)
        columns |= {name: unknown for name in columns if "per_transaction" in name}
    table = _table(aligned, (before_ns, after_ns), columns, measure)
    rows = table.pop("row").to_numpy()
    whole = rows == aligned.size
    return Comparison(
        base=sides[0],
        new=sides[1],
        by=by,
        measure=measure,
        unit="transaction" if by_transaction else "block",
        units=(len(before.m), len(after.m)),
        strata=_strata_table(listed, sums),
        left_out_ns=(base.total_ns - sides[0].total_ns, new.total_ns - sides[1].total_ns),
        tested=int(np.isfinite(columns["p_value"][:-1]).sum()),
        aligned=aligned,
        rows=rows[~whole],
        table=table[~whole].reset_index(drop=True),
        whole=table[whole].iloc[0] if by_transaction and whole.any() else None,
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
    side: Profile, row: Ids, stratum: list[int], size: int, measure: str, in_transactions: bool
) -> tuple[strata.Units, Ints]:
    """One side unit by unit in rows (``row`` is per frame), and each row's exact sum.

    Row ``size`` stands for all of them together.
    """
    units = side.units
    parts = list(unit_sums(units, _held(side, row, size, measure)))
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


def _held(side: Profile, row: Ids, size: int, measure: str) -> Membership:
    """Which rows each stack is self time, or total time, of."""
    if measure == "self":
        place = side.shown.place[side.units.stacks]
        return alone(np.where(place > 0, row[side.shown.tree.key[place]], -1), size)
    tree, place = side.counted.tree, side.counted.place[side.units.stacks]
    return on_path(tree, place, row[tree.key], tree.outermost(row), size)


def _table(
    aligned: Aligned, exact: tuple[Ints, Ints], columns: dict[str, Floats], measure: str
) -> pd.DataFrame:
    """The table of ``diff``, the whole too: rows seen on a side, alarms first, then by change.

    The column "row" says which row of ``aligned`` each is; the one after its last is the whole.
    """
    there = columns["base_transactions"] > 0, columns["new_transactions"] > 0
    seen = np.flatnonzero(there[0] | there[1])
    presence = np.where(there[0] & there[1], "both", np.where(there[1], "new", "vanished"))
    verdict, alarm = verdicts(columns)
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
    table = pd.DataFrame(_identity(aligned, seen) | {name: v[seen] for name, v in said.items()})
    size, both = np.abs(columns["change"][seen]), exact[0][seen] + exact[1][seen]
    table = table.assign(row=seen, size=size, both=both)
    order = ["alarm", "size", "both", *aligned.names]
    rising = [False, False, False] + [True] * len(aligned.names)
    table = table.sort_values(order, ascending=rising, kind="stable", ignore_index=True)
    return table.drop(columns=["size", "both"])


def _identity(aligned: Aligned, seen: Ids) -> dict[str, list[Any]]:
    """The columns that say what a row is; the one after the last is the whole."""
    first = next(iter(aligned.columns))
    blank = {"line": 0, "origin": Origin.RUNTIME.label, first: WHOLE}
    found = {}
    for name, values in aligned.columns.items():
        known = [*values, blank.get(name, "")]
        found[name] = [known[row] for row in seen.tolist()]
    return found


def _strata_table(listed: dict[str, int], sums: Pair) -> pd.DataFrame:
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
