"""How numbers spread over transactions: a function's time in each, and what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flamespan.aggregator import statistics
from flamespan.aggregator.distribution import Held, held
from flamespan.aggregator.tables import code

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

QUANTILES = {"p50": 0.50, "p75": 0.75, "p95": 0.95, "p99": 0.99}


def functions_per_transaction(profile: Profile, *, measure: str = "total") -> pd.DataFrame:
    """How much time each function takes in the transactions that it was seen in.

    Columns: function, module, file, line, origin, transactions (that it was seen in),
    transaction_share (of those in view), its 95 % interval transaction_share_low and
    transaction_share_high (NaN: too few to tell), sum_ns (over all of them), mean_ns, p50_ns,
    p75_ns, p95_ns, p99_ns, max_ns (over the transactions it was seen in; percentiles are values
    that occurred). ``measure`` is "total" or "self" time. Most time first. Several threads of
    one transaction add up.
    """
    return spread(profile, held(profile, measure)).reset_index(drop=True)


def spread(profile: Profile, found: Held) -> pd.DataFrame:
    """``functions_per_transaction`` of what ``held`` found; the index are rows of ``Tables``."""
    t, spans = profile.tables, profile.tables.spans
    function, weight = found.function, found.weight_ns
    count = int((spans.is_transaction & profile.span_mask).sum())
    first = (
        np.flatnonzero(np.r_[True, function[1:] != function[:-1]]) if len(function) else function
    )
    seen = np.diff(np.r_[first, len(function)]) if len(first) else first
    summed = np.add.reduceat(weight, first) if len(first) else first
    share = seen / max(count, 1)
    hits = seen.astype(np.float64)
    error = statistics.ratio_error(hits, hits, np.ones(count), share)
    low, high = statistics.interval(share, error, count)
    which = function[first]
    columns: dict[str, object] = {
        **code(t, which, t.function_line[which]),
        "transactions": seen,
        "transaction_share": share,
        "transaction_share_low": low,
        "transaction_share_high": high,
        "sum_ns": summed,
        "mean_ns": summed // np.maximum(seen, 1),
    }
    for name, q in QUANTILES.items():
        at = np.maximum(np.ceil(q * seen).astype(np.int64) - 1, 0)
        columns[f"{name}_ns"] = weight[first + at]
    columns["max_ns"] = weight[first + seen - 1]
    table = pd.DataFrame(columns, index=which)
    order = ["sum_ns", "function", "file", "line"]
    return table.sort_values(order, ascending=[False, True, True, True])


def measurements(profile: Profile, *, instances: bool = False) -> pd.DataFrame:
    """What was measured in transactions and spans in view.

    By measurement: transaction, op, measurement, unit, count, sum, mean, min, p50, p95, max
    (in ``unit``; percentiles are values that occurred), by transaction and measurement. Each:
    row (of the span in ``Tables.spans``), id, transaction, op, measurement, unit, value, start_ns.
    """
    spans = profile.tables.spans
    rows = [
        (
            *(row, int(spans.id[row]), spans.name[spans.transaction[row]], spans.op[row]),
            *(name, unit, value, int(spans.start_ns[row])),
        )
        for row in np.flatnonzero(profile.span_mask)
        for name, (value, unit) in spans.measurements[row].items()
    ]
    names = ["row", "id", "transaction", "op", "measurement", "unit", "value", "start_ns"]
    table = pd.DataFrame(rows, columns=names)
    table = table.astype({"row": np.int64, "id": np.int64, "value": float, "start_ns": np.int64})
    table = table.sort_values(["start_ns", "row", "measurement"], ignore_index=True)
    if instances:
        return table
    keys = ["transaction", "op", "measurement", "unit"]
    values = table.groupby(keys, sort=True)["value"]
    result = pd.DataFrame(
        {
            "count": values.size(),
            "sum": values.sum(),
            "mean": values.mean(),
            "min": values.min(),
            "p50": values.agg(lambda v: float(np.quantile(v, 0.50, method="inverted_cdf"))),
            "p95": values.agg(lambda v: float(np.quantile(v, 0.95, method="inverted_cdf"))),
            "max": values.max(),
        }
    )
    return result.reset_index()
