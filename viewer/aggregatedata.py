"""What the page's aggregate view shows of all transactions of a name, or of everything, as JSON.

Tables come from the aggregator and the boxes of the flame graph from ``layout``: the page draws
them and computes none of it again. ``aggregate`` gives

    {"name", "op" (null: everything), "frames", "clock", "recursion", "root", "focus", "hide",
     "total_ns", "excluded_ns", "rehomed_ns", "units" (told apart for intervals), "transactions",
     "row": the name's row of profile.transactions() or null,
     "functions": columns of profile.functions() joined with functions_per_transaction(),
                  "fn" instead of function, module, file, line, origin,
     "boxes": {depth, start_ns, total_ns, self_ns, fn (-2: folded), node, count, "left_out"},
     "detail": {"edges_ns", "histogram": [fn, bin, count] columns,
                "slowest": [fn, span row, ns] columns, the slowest first}}

``fn`` is a row of the recording's functions (``Tables``), a span row one of its spans.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from flamespan.aggregator import sides
from flamespan.aggregator.distribution import EDGES_NS, Held, held
from flamespan.aggregator.exporting.json import records
from flamespan.aggregator.spread import spread
from flamespan.aggregator.tables import by_function, function_rows, sums
from flamespan.aggregator.view import CLOCKS, RECURSION
from flamespan.profiler.errors import UsageError
from flamespan.viewer.layout import Boxes, left_heavy

if TYPE_CHECKING:
    import pandas as pd

    from flamespan.aggregator.calltree import CallTree
    from flamespan.aggregator.data import Tables
    from flamespan.aggregator.profile import Profile
    from flamespan.aggregator.stacktree import Bools

FRAMES = sides.SIDES
MOST_BOXES = 4000
"""Of a flame graph; the smallest are folded, and a served page can ask for what is in a fold."""

MOST_SLOWEST = 10
MOST_EMBEDDED, FEWEST_EMBEDDED = 25, 4
EMBEDDED_SAMPLES = 400_000
"""Names whose aggregates one file holds, those with most time: so many, but fewer where their
number times the samples exceeds this, so that a file of any size is written in seconds."""

_IDENTITY = ["function", "module", "file", "line"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which aggregate: transactions of a name and op (None: everything), in which view.

    ``root``: the node of the call tree from which the flame graph begins (0: all of it).
    ``focus``: the function from which on stacks count (-1: all stacks, whole). ``hide``: functions
    that are taken out, numbers parted by ``~``.
    """

    name: str | None = None
    op: str = ""
    frames: str = "all"
    clock: str = "wall"
    recursion: str = "none"
    root: int = 0
    focus: int = -1
    hide: str = ""

    def hidden(self) -> list[int]:
        """Functions that are taken out. UsageError where ``hide`` is no list of numbers."""
        numbers = self.hide.split("~") if self.hide else []
        if not all(number.isdecimal() for number in numbers):
            raise UsageError(f"hide={self.hide}: write numbers of functions parted by ~")
        return [int(number) for number in numbers]


def select(profile: Profile, asked: Asked) -> Profile:
    """The view of ``profile`` that is asked for. UsageError where there is none such."""
    for what, given, known in (
        ("frames", asked.frames, FRAMES),
        ("clock", asked.clock, CLOCKS),
        ("recursion", asked.recursion, ("none", *RECURSION)),
    ):
        if given not in known:
            raise UsageError(f"no {what} {given!r}; there are {', '.join(known)}")
    # Functions have the numbers that they have in the page's data.
    profile = replace(profile, tables=profile.tables.with_hidden()[0])
    if asked.name is not None:
        profile = named(profile, asked.name, asked.op)
    profile = _cut(profile, asked).clock(asked.clock)
    if asked.frames != "all":
        both = {"application": profile.application_frames, "system": profile.system_frames}
        profile = both[asked.frames]()
    return profile if asked.recursion == "none" else profile.collapse_recursion(asked.recursion)


def _cut(profile: Profile, asked: Asked) -> Profile:
    """``profile`` from the function in focus on, without those that are hidden."""
    hidden, count = asked.hidden(), len(profile.tables.function_name)
    if not all(function < count for function in (asked.focus, *hidden)):
        raise UsageError(f"this recording has no such function: it has {count}")
    if asked.focus >= 0:
        profile = profile.focus_on(_mask(count, [asked.focus]))
    return profile.without(_mask(count, hidden)) if hidden else profile


def _mask(count: int, chosen: list[int]) -> Bools:
    mask = np.zeros(count, bool)
    mask[chosen] = True
    return mask


def named(profile: Profile, name: str, op: str) -> Profile:
    """Transactions of exactly this name and op, whatever letters they have."""
    spans = profile.tables.spans
    roots = np.array(
        [
            there and (spans.name[row], spans.op[row]) == (name, op)
            for row, there in enumerate((spans.is_transaction & profile.span_mask).tolist())
        ],
        bool,
    )
    if not roots.any():
        raise UsageError(f"no transaction {name!r} ({op or 'no op'}) in this recording")
    return profile.of_spans(roots[spans.transaction])


def aggregate(profile: Profile, asked: Asked) -> dict[str, Any]:
    """Everything that the page shows of an aggregate. UsageError where there is none such."""
    view = select(profile, asked)
    functions = function_rows(view, sums(by_function(view)))
    return _told(view, asked, _common(view, asked), functions, held(view))


def _common(view: Profile, asked: Asked) -> dict[str, Any]:
    """What an aggregate says of its samples, whichever frames are shown."""
    row = view.transactions() if asked.name is not None else None
    return {
        "units": view.units.told,
        "transactions": int((view.tables.spans.is_transaction & view.span_mask).sum()),
        "row": None if row is None or not len(row) else records(row)[0],
    }


def _told(
    view: Profile, asked: Asked, common: dict[str, Any], functions: pd.DataFrame, found: Held
) -> dict[str, Any]:
    """The aggregate, of its ``function_rows`` and of what is ``held`` in it."""
    tree = view.tree()
    if not 0 <= asked.root < len(tree):
        raise UsageError(f"no node {asked.root} in this call tree of {len(tree)} nodes")
    return {
        **asdict(asked),
        "total_ns": view.total_ns,
        "excluded_ns": view.excluded_ns,
        "rehomed_ns": view.rehomed_ns,
        **common,
        "functions": _functions(functions, spread(view, found)),
        "boxes": drawn(subtree(tree, asked.root), asked.root),
        "detail": _detail(found),
    }


def names(profile: Profile) -> list[tuple[str, str]]:
    """Names and ops of the transactions in view, most time first."""
    table = profile.transactions()
    return list(zip(table["transaction"], table["op"], strict=True))


def embedded(profile: Profile) -> tuple[Iterator[dict[str, Any]], int]:
    """The aggregates that a single file holds, and how many names were one too many.

    They are everything and each name, in each choice of frames, by the profile's clock.
    """
    listed = names(profile)
    fitting = EMBEDDED_SAMPLES // max(len(profile.rows), 1)
    most = min(max(fitting, FEWEST_EMBEDDED), MOST_EMBEDDED)
    kept: list[tuple[str | None, str]] = [(None, ""), *listed[:most]]
    made = _each(profile, kept) if profile.side else _together(profile, kept)
    return made, max(len(listed) - most, 0)


def _each(profile: Profile, kept: list[tuple[str | None, str]]) -> Iterator[dict[str, Any]]:
    for name, op in kept:
        for frames in FRAMES:
            yield aggregate(profile, Asked(name, op, frames, profile.weight_clock))


def _together(profile: Profile, kept: list[tuple[str | None, str]]) -> Iterator[dict[str, Any]]:
    """The same of a profile that shows all code, with what they share found once."""
    whole = select(profile, Asked(clock=profile.weight_clock))
    found = sides.held_by_all(whole)
    spans = whole.tables.spans
    for name, op in kept:
        part, transactions = whole, np.ones(len(spans), bool)
        if name is not None:
            part = sides.pruned(named(whole, name, op))
            transactions = spans.is_transaction & part.span_mask
        by_side = sides.views(part)
        tables = sides.function_tables(by_side)
        common = _common(part, Asked(name))
        for frames, view in by_side.items():
            asked = Asked(name, op, frames, profile.weight_clock)
            mine = found.of(sides.shown(whole.tables, frames), transactions)
            yield _told(view, asked, common, tables[frames], mine)


class Numbers:
    """Which function a table's row means, by what identifies it there."""

    def __init__(self, tables: Tables) -> None:
        columns = (tables.function_name, tables.function_module, tables.function_file)
        lines = tables.function_line.tolist()
        self._known: dict[tuple[Any, ...], list[int]] = {}
        for number, key in enumerate(zip(*columns, lines, strict=True)):
            self._known.setdefault(key, []).append(number)

    def of(self, table: pd.DataFrame) -> list[int]:
        """A function for each row; namesakes of one place get different ones."""
        left = {key: list(numbers) for key, numbers in self._known.items()}
        found = []
        for key in table[_IDENTITY].itertuples(index=False, name=None):
            numbers = left[key]
            found.append(numbers.pop(0) if len(numbers) > 1 else numbers[0])
        return found


def columns(table: pd.DataFrame, fn: list[int]) -> dict[str, list[Any]]:
    """A table's columns as plain lists, its functions as numbers; what is unknown is None."""
    kept = table.drop(columns=[*_IDENTITY, "origin"])
    return {"fn": fn} | {str(name): _plain(kept[name]) for name in kept}


def _plain(column: pd.Series[Any]) -> list[Any]:
    values = column.tolist()
    if column.dtype.kind != "f":
        return values
    return [None if value != value else value for value in values]  # noqa: PLR0124


def _functions(table: pd.DataFrame, times: pd.DataFrame) -> dict[str, list[Any]]:
    """Columns of both, which have functions as their index; None where a function has no times."""
    fn = table.index.tolist()
    joined = columns(table, fn)
    if len(times):
        found = times.index.get_indexer(table.index).tolist()
        for name, values in columns(times, fn).items():
            if name != "fn":
                joined[name] = [values[at] if at >= 0 else None for at in found]
    return joined


def _detail(found: Held) -> dict[str, Any]:
    slowest = found.slowest(MOST_SLOWEST)
    return {
        "edges_ns": EDGES_NS.tolist(),
        "histogram": [part.tolist() for part in found.histogram()],
        "slowest": [
            part.tolist() for part in (slowest.function, slowest.transaction, slowest.weight_ns)
        ],
    }


def subtree(tree: CallTree, root: int) -> CallTree:
    """A node with all below it as a tree of its own, the node first below the root."""
    if not root:
        return tree
    after = np.flatnonzero(tree.depth[root + 1 :] <= tree.depth[root])
    part = slice(root, root + 1 + int(after[0]) if len(after) else len(tree))
    parent = tree.parent[part] - root + 1
    parent[0] = 0
    none = tree.function[:0]
    return replace(
        tree,
        parent=np.r_[0, parent].astype(np.int32),
        function=np.r_[-1, tree.function[part]].astype(np.int32),
        depth=np.r_[0, tree.depth[part] - tree.depth[root] + 1].astype(np.int32),
        self_ns=np.r_[0, tree.self_ns[part]],
        total_ns=np.r_[tree.total_ns[root], tree.total_ns[part]],
        samples=np.r_[tree.samples[root], tree.samples[part]],
        place=none,
    )


def drawn(tree: CallTree, root: int, most: int = MOST_BOXES) -> dict[str, Any]:
    """The left-heavy boxes of a tree that begins at node ``root`` of the whole one."""
    boxes = left_heavy(tree, most)
    shift = root - 1 if root else 0
    return {
        **box_columns(boxes, int(tree.total_ns[0])),
        "node": np.where(boxes.node > 0, boxes.node + shift, -1).tolist(),
        "left_out": boxes.left_out,
    }


def box_columns(boxes: Boxes, whole: int) -> dict[str, list[Any]]:
    """Places and times of boxes; ``start_ns`` counts from the left edge of all."""
    return {
        "depth": boxes.depth.tolist(),
        "start_ns": np.round(boxes.x0 * (whole or 1)).astype(np.int64).tolist(),
        "total_ns": boxes.total_ns.tolist(),
        "self_ns": boxes.self_ns.tolist(),
        "fn": boxes.function.tolist(),
        "count": boxes.count.tolist(),
    }


def chosen(given: Iterator[tuple[str, str]]) -> Asked:
    """What an address asks for, by the names of ``Asked``. UsageError else."""
    asked: dict[str, Any] = dict(given)
    unknown = asked.keys() - set(Asked.__slots__)
    if unknown:
        raise UsageError(f"an aggregate has no {', '.join(sorted(unknown))}")
    for name, what in (("root", "a node"), ("focus", "a function")):
        number = asked.get(name, "0")
        if not number.isdecimal() and (name, number) != ("focus", "-1"):
            raise UsageError(f"{name}={number}: write the number of {what}")
        if name in asked:
            asked[name] = int(number)
    return Asked(**asked)
