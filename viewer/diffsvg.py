"""A differential flame graph as one SVG file: what takes more is red, what takes less is blue.

Both sides' call paths are drawn, new and vanished ones too; a box is as wide as the mean of its
two shares, so neither side hides what only the other has. The colour is the change of its share
of the time; functions whose change is more than chance are marked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from flamespan.aggregator import exporting
from flamespan.aggregator.difftree import DiffTree, diff_tree
from flamespan.viewer import words
from flamespan.viewer.layout import FOLDED, Boxes, left_heavy
from flamespan.viewer.svg import MOST_BOXES, Said, draw, folded, left_out, legend

if TYPE_CHECKING:
    from flamespan.aggregator.comparison import Comparison

_STEPS = (0.002, 0.01, 0.03, 0.1)
"""Changes of share (of the whole) from which on the colour is one shade stronger."""

_PARTS = 10**12
_WHOSE = {"line": "of its lines the surest"}

_STYLE = """
.d0 rect { fill: var(--d0); } .r1 rect { fill: var(--r1); } .r2 rect { fill: var(--r2); }
.r3 rect { fill: var(--r3); } .r4 rect { fill: var(--r4); } .u1 rect { fill: var(--u1); }
.u2 rect { fill: var(--u2); } .u3 rect { fill: var(--u3); } .u4 rect { fill: var(--u4); }
.sure rect { stroke: var(--text); stroke-width: 1.4; } .sure text { font-weight: 650; }
.gone rect { stroke-dasharray: 3 2; stroke: var(--muted); }
svg { --d0: #dcdad4; --r1: #f6cdbf; --r2: #f1a58f; --r3: #e87a61; --r4: #d8503c;
  --u1: #cbd9ee; --u2: #a3bfe3; --u3: #79a2d6; --u4: #4f84c6; }
@media (prefers-color-scheme: dark) { svg { --d0: #42454c; --r1: #6b443b; --r2: #85493b;
  --r3: #a14e3b; --r4: #c0533b; --u1: #3a4a63; --u2: #3d5a86; --u3: #406bab; --u4: #447dd0; } }
"""

_LEGEND = legend(
    (
        ("r3", "up", "more"),
        ("u3", "down", "less"),
        ("d0 sure", "sure", "sure"),
        ("d0 gone", "gone", "new or gone"),
    )
)


def write(found: Comparison, file: TextIO) -> None:
    """Write both sides' call trees as one picture."""
    made = diff_tree(found)
    boxes = left_heavy(made.tree, MOST_BOXES)
    names = [exporting.title(side) for side in (found.base, found.new)]
    title = names[1] if names[0] == names[1] else f"{names[0]} → {names[1]}"
    about = (
        f"{words.duration(found.base.total_ns)} of {found.base.weight_clock} time before, "
        f"{words.duration(found.new.total_ns)} after; a box is as wide as the mean of both shares; "
        f"sure: its {found.by} changed by more than chance"
    )
    said = Said(title, f"Differential flame graph of {title}", about, left_out(boxes))
    draw(file, said, boxes, _LEGEND, _boxes(found, made, boxes), _STYLE)


def _boxes(found: Comparison, made: DiffTree, boxes: Boxes) -> Iterator[tuple[str, str, str]]:
    """Name, classes and tooltip of each box."""
    t = found.matched.tables
    change = made.share_change() / _PARTS
    verdicts = found.function_verdicts()
    rows = zip(boxes.function.tolist(), boxes.node.tolist(), strict=True)
    for place, (function, node) in enumerate(rows):
        if function == FOLDED:
            yield folded(made.tree, boxes, place)
            continue
        verdict = verdicts[function]
        kind = _kind(made, node, float(change[node]), verdict)
        yield t.function_name[function], kind, _about(found, made, node, verdict)


def _kind(made: DiffTree, node: int, change: float, verdict: str) -> str:
    strength = sum(abs(change) >= step for step in _STEPS)
    colour = "d0" if not strength else f"r{strength} up" if change > 0 else f"u{strength} down"
    sure = " sure" if verdict in ("slower", "faster") else ""
    gone = not made.base_total_ns[node] or not made.new_total_ns[node]
    return colour + sure + (" gone" if gone else "")


def _about(found: Comparison, made: DiffTree, node: int, verdict: str) -> str:
    wholes = int(made.base_total_ns[0]) or 1, int(made.new_total_ns[0]) or 1
    lines = [found.matched.tables.label(int(made.tree.function[node]))]
    for what, base, new in (
        ("in all", made.base_total_ns, made.new_total_ns),
        ("itself", made.base_self_ns, made.new_self_ns),
    ):
        shares = int(base[node]) / wholes[0], int(new[node]) / wholes[1]
        points = (shares[1] - shares[0]) * 100
        lines.append(
            f"{what} {words.percent(shares[0])} → {words.percent(shares[1])} "
            f"({points:+.2f} points; "
            f"{words.duration(int(base[node]))} → {words.duration(int(new[node]))})"
        )
    if not made.base_total_ns[node] or not made.new_total_ns[node]:
        lines.append("new path" if made.new_total_ns[node] else "vanished path")
    return "\n".join(
        [*lines, f"{_WHOSE.get(found.by, f'the {found.by}')} ({found.measure} time): {verdict}"]
    )
