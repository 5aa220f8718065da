"""The flame graph picture: well-formed, self-contained, whole sums, readable without its script."""

import io
import re
from xml.etree import ElementTree

import pytest

from flamespan.aggregator import exporting
from flamespan.viewer import palette, svg
from helpers import golden
from helpers.drawn import draw
from helpers.scenes import shop

NS = "{http://www.w3.org/2000/svg}"


def picture(profile):
    file = io.StringIO()
    svg.write(profile, file)
    return ElementTree.fromstring(file.getvalue()), file.getvalue()


def boxes(root):
    """(name, x, y, width, tooltip) of every box."""
    (group,) = [g for g in root.iter(f"{NS}g") if g.get("class") == "boxes"]
    found = []
    for box in group:
        rect = box.find(f"{NS}rect")
        x, y, width = (float(rect.get(key)) for key in ("x", "y", "width"))
        found.append((box.get("data-name"), x, y, width, box.find(f"{NS}title").text))
    return found


def test_boxes_are_as_wide_as_their_share():
    root, text = picture(draw([("main;a", 30), ("main;b", 10)]))
    assert [(n, x, w) for n, x, _, w, _ in boxes(root)] == [
        ("main", 10, 1180),
        ("a", 10, 885),
        ("b", 895, 295),
    ]
    about = next(about for name, *_, about in boxes(root) if name == "a")
    assert (
        about == "a (/app/code.py:1)\n30 ns (75.0 %), itself 30 ns (75.0 %)\n1 sample, application"
    )
    assert "40 ns of wall time" in text


def test_every_name_is_escaped_and_every_origin_is_in_the_legend():
    names = ["<script>alert(1)</script>", "<a&b\"'>", "<]]>", "<nul\x00bell\x07>", "<\ud800>"]
    root, text = picture(draw([(name, 1) for name in names]))
    said = {name for name, *_ in boxes(root)}
    assert said == {
        n.replace("\x00", "�").replace("\x07", "�").replace("\ud800", "�") for n in names
    }
    assert text.count("<script>") == 1
    legend = [t.text for t in root.iter(f"{NS}text")][2:6]
    assert legend == ["application", "library", "stdlib", "runtime"]


def test_nothing_is_loaded_from_anywhere():
    _, text = picture(shop().profile())
    links = set(re.findall(r"""(?:https?:)?//[\w.]+[^\s"'<]*""", text))
    assert links == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}
    assert not re.search(r"@import|\bfetch\b|XMLHttp|\bimport\(|url\((?!#)", text)


def test_a_large_tree_is_folded_and_says_so(monkeypatch):
    monkeypatch.setattr(svg, "MOST_BOXES", 20)
    profile = draw([(f"main;f{i};g{i}", 100 - i) for i in range(60)])
    root, text = picture(profile)
    drawn = boxes(root)
    assert len(drawn) <= 20
    folded = [name for name, *_ in drawn if "folded" in name]
    assert folded
    assert "smaller ones are folded" in text
    row = [box for box in drawn if box[2] == drawn[0][2] + 18]
    assert sum(width for *_, width, _ in row) == pytest.approx(1180, abs=0.1)


def test_labels_only_where_they_fit():
    root, _ = picture(draw([("main_function_with_a_long_name", 990), ("other", 10)]))
    texts = [g.find(f"{NS}text").text for g in root.iter(f"{NS}g") if g.get("data-name")]
    assert texts == ["main_function_with_a_long_name", None]


def test_nothing_in_view_is_still_a_picture():
    root, _ = picture(draw([("a", 5)]).states("gc"))
    assert boxes(root) == []


def test_the_style_has_the_palettes_colours():
    css = svg._asset("svg.css")
    found = re.findall(r"--s(\d): (#[0-9a-f]{6})", css)
    assert [colour for _, colour in found] == [*palette.LIGHT, *palette.DARK]


def test_golden(monkeypatch):
    monkeypatch.setattr(exporting, "title", lambda _: "shop")
    golden.check("shop.svg", picture(shop().profile())[1])
