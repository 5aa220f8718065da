"""What the page's compare view shows of a ``Comparison``, as JSON.

    {"sides": [{title, total_ns, units}, …], "unit", "measure", "clock", "preface", "summary",
     "alarm", "tested", "functions": {name, module, file, line, origin},
     "table": columns of ``Comparison.table`` with "fn", "whole": its row for whole transactions,
     "strata": rows, "verdict": of each function ("" where it was not compared),
     "boxes": {depth, start_ns, total_ns, self_ns, fn, node, count (see ``aggregatedata``),
               base_self_ns, base_total_ns, new_self_ns, new_total_ns, "left_out", "whole"}}

A box's place is in parts of ``whole``: its width is the mean of its two shares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flamespan.aggregator import exporting
from flamespan.aggregator.comparison import ALARM
from flamespan.aggregator.data import Origin
from flamespan.aggregator.difftree import DiffTree, diff_tree
from flamespan.aggregator.exporting.json import records
from flamespan.viewer import aggregatedata, difftable
from flamespan.viewer.layout import left_heavy

if TYPE_CHECKING:
    from flamespan.aggregator.comparison import Comparison

MOST_BOXES = 6000


def comparison(found: Comparison, titles: tuple[str, str] | None = None) -> dict[str, Any]:
    """All of ``found`` for the page; ``titles`` stand for the sides' own names."""
    t = found.matched.tables
    sides = (found.base, found.new)
    titles = titles or (exporting.title(found.base), exporting.title(found.new))
    fn = aggregatedata.Numbers(t).of(found.table)
    verdict = [""] * len(t.function_name)
    for number, said in zip(fn, found.table["verdict"], strict=True):
        verdict[number] = said
    return {
        "sides": [
            {"title": title, "total_ns": side.total_ns, "units": units}
            for title, side, units in zip(titles, sides, found.units, strict=True)
        ],
        "unit": found.unit,
        "measure": found.measure,
        "clock": found.base.weight_clock,
        "preface": difftable.preface(found)[1:],
        "summary": difftable.summary(found),
        "alarm": ALARM,
        "tested": found.tested,
        "functions": {
            "name": t.function_name,
            "module": t.function_module,
            "file": t.function_file,
            "line": t.function_line.tolist(),
            "origin": [Origin(value).label for value in t.function_origin.tolist()],
        },
        "table": aggregatedata.columns(found.table, fn),
        "whole": None if found.whole is None else records(found.whole.to_frame().T)[0],
        "strata": records(found.strata),
        "verdict": verdict,
        "boxes": _boxes(diff_tree(found)),
    }


def _boxes(made: DiffTree) -> dict[str, Any]:
    boxes = left_heavy(made.tree, MOST_BOXES)
    whole = int(made.tree.total_ns[0])
    sums = {
        "base_self_ns": made.base_self_ns,
        "base_total_ns": made.base_total_ns,
        "new_self_ns": made.new_self_ns,
        "new_total_ns": made.new_total_ns,
    }
    # A fold stands for several nodes: what it holds of each side is not told apart.
    return {
        **aggregatedata.box_columns(boxes, whole),
        "node": boxes.node.tolist(),
        **{
            name: np.where(boxes.node > 0, values[boxes.node], 0).tolist()
            for name, values in sums.items()
        },
        "left_out": boxes.left_out,
        "whole": whole,
        "base_whole_ns": int(made.base_total_ns[0]),
        "new_whole_ns": int(made.new_total_ns[0]),
    }
