"""An interactive flame graph as one SVG file: callers above callees, widest leftmost.

The picture is whole without its script (labels, tooltips, legend); with it boxes zoom on click,
a search says how much time it found, Escape goes back. Nothing is loaded from anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, TextIO
from xml.sax.saxutils import escape, quoteattr

from flamespan.aggregator import exporting
from flamespan.aggregator.data import Origin
from flamespan.viewer import words
from flamespan.viewer.layout import FOLDED, Boxes, left_heavy
from flamespan.viewer.palette import shade

if TYPE_CHECKING:
    from flamespan.aggregator.calltree import CallTree
    from flamespan.aggregator.profile import Profile

MOST_BOXES = 5000
"""A browser needs seconds for more; the smallest are folded."""

_WIDTH = 1200
_MARGIN = 10
_ROW = 18
_TOP = 96
_BOTTOM = 12
_STATUS = 430
_LETTER = 7.25

# What XML cannot hold at all, escaped or not.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(profile: Profile, file: TextIO) -> None:
    """Write the merged call tree of ``profile`` as a picture."""
    tree = profile.tree()
    boxes = left_heavy(tree, MOST_BOXES)
    title = exporting.title(profile)
    said = Said(title, f"Flame graph of {title}", words.about(profile), left_out(boxes))
    draw(file, said, boxes, _LEGEND, _boxes(tree, boxes))


@dataclass(frozen=True, slots=True)
class Said:
    """The words on a picture: title, what it is (for screen readers), a line, the status line."""

    title: str
    label: str
    about: str
    rest: str


def draw(
    file: TextIO,
    said: Said,
    boxes: Boxes,
    legend: str,
    drawn: Iterator[tuple[str, str, str]],
    style: str = "",
) -> None:
    """Write a flame graph: ``drawn`` are name, classes and tooltip of each of the ``boxes``."""
    rows = int(boxes.depth.max(initial=0)) + 1
    height = _TOP + rows * _ROW + _BOTTOM
    file.write(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" role="img" aria-label={_quoted(said.label)}>\n'
        f"<style>{_asset('svg.css')}{style}</style>\n"
        '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse">'
        '<path d="M-1 7 7 -1M-1 1 1 -1M5 7 7 5"/></pattern></defs>\n'
        f'<rect class="ground" width="100%" height="100%"/>\n'
        f'<text class="title" x="{_MARGIN}" y="27">{_text(said.title)}</text>\n'
        f'<text class="says" x="{_MARGIN}" y="47">{_text(said.about)}</text>\n'
    )
    file.write(legend)
    file.write(_TOOLS)
    file.write(
        f'<text class="status" x="{_STATUS}" y="75" data-rest={_quoted(said.rest)}>'
        f"{_text(said.rest)}</text>\n"
    )
    file.write('<g class="boxes">\n')
    for place, words_of in enumerate(drawn):
        file.write(_box(boxes, place, *words_of))
    file.write(f"</g>\n<script><![CDATA[\n{_asset('svg.js')}]]></script>\n</svg>\n")


def _box(boxes: Boxes, place: int, name: str, kind: str, about: str) -> str:
    scale = _WIDTH - 2 * _MARGIN
    x0, x1 = float(boxes.x0[place]), float(boxes.x1[place])
    x, y, width = _MARGIN + x0 * scale, _TOP + int(boxes.depth[place]) * _ROW, (x1 - x0) * scale
    label = words.shortened(name, int((width - 7) / _LETTER)) if width > 24 else ""
    return (
        f'<g class="b {kind}" data-x="{x0:.9g} {x1:.9g}" data-name={_quoted(name)}>'
        f"<title>{_text(about)}</title>"
        f'<rect x="{x:.2f}" y="{y}" width="{width:.2f}" height="{_ROW - 1}" rx="1.5"/>'
        f'<text x="{x + 4:.2f}" y="{y + 13}">{_text(label)}</text></g>\n'
    )


def _boxes(tree: CallTree, boxes: Boxes) -> Iterator[tuple[str, str, str]]:
    rows = zip(boxes.function.tolist(), boxes.node.tolist(), strict=True)
    for place, (function, node) in enumerate(rows):
        if function == FOLDED:
            yield folded(tree, boxes, place)
        else:
            yield _described(tree, function, node)


def _described(tree: CallTree, function: int, node: int) -> tuple[str, str, str]:
    """Name, classes and tooltip of a function's box."""
    t = tree.tables
    origin = Origin(t.function_origin[function])
    whole = int(tree.total_ns[0]) or 1
    total, own = int(tree.total_ns[node]), int(tree.self_ns[node])
    took = f"{words.duration(total)} ({words.percent(total / whole)})"
    took += f", itself {words.duration(own)} ({words.percent(own / whole)})"
    seen = f"{words.counted(int(tree.samples[node]), 'sample')}, {origin.label}"
    about = [t.label(function), took, seen]
    kind = f"s{shade(t, function)} o{origin.value}"
    return t.function_name[function], kind, "\n".join(about)


def folded(tree: CallTree, boxes: Boxes, place: int) -> tuple[str, str, str]:
    """Name, classes and tooltip of a box that stands for several nodes."""
    whole, total = int(tree.total_ns[0]) or 1, int(boxes.total_ns[place])
    name = f"({words.grouped(int(boxes.count[place]))} folded)"
    about = f"{words.counted(int(boxes.count[place]), 'call')} too small to draw\n"
    return name, "fold", about + f"{words.duration(total)} ({words.percent(total / whole)})"


def left_out(boxes: Boxes) -> str:
    """How to use the picture, or what was too small to be drawn."""
    folds = boxes.function == FOLDED
    folded = int(boxes.count[folds].sum()) + boxes.left_out
    if not folded:
        return "Click a box to zoom, Escape to go back."
    return (
        f"The {words.grouped(int((~folds).sum()))} largest boxes are drawn; "
        f"{words.grouped(folded)} smaller ones are folded into hatched ones or left out."
    )


def legend(entries: Iterable[tuple[str, str, str]]) -> str:
    """A row of coloured squares: classes, the class that a click picks, and a word for each."""
    parts, x = [], _MARGIN
    for kind, pick, word in entries:
        parts.append(
            f'<g class="b {kind}" data-pick="{pick}">'
            f'<rect x="{x}" y="64" width="14" height="14" rx="3"/>'
            f'<text x="{x + 20}" y="75">{_text(word)}</text></g>'
        )
        x += 42 + len(word) * 7
    return f'<g class="legend">{"".join(parts)}</g>\n'


def _origins() -> Iterator[tuple[str, str, str]]:
    for origin in Origin:
        at = 0 if origin == Origin.APPLICATION else 4 + origin.value
        yield f"s{at} o{origin.value}", f"o{origin.value}", origin.label


def _asset(name: str) -> str:
    return (resources.files("flamespan.viewer") / name).read_text(encoding="utf-8")


def _text(text: str) -> str:
    return escape(_NO_XML.sub("�", text))


def _quoted(text: str) -> str:
    return quoteattr(_NO_XML.sub("�", text))


_LEGEND = legend(_origins())

_TOOLS = (
    f'<foreignObject class="tools" x="{_WIDTH - _MARGIN - 460}" y="14" width="460" height="30">'
    '<div xmlns="http://www.w3.org/1999/xhtml">'
    '<input type="search" placeholder="Search name or file  ( / )" aria-label="Search"/>'
    '<button type="button" id="clear" disabled="disabled">Clear</button>'
    '<button type="button" id="out" disabled="disabled">Zoom out</button>'
    "</div></foreignObject>\n"
)
