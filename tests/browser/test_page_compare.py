"""The compare view in a file: the numbers of ``compare``, marks that do not need colours."""

from __future__ import annotations

import json
import random
import re

import pytest

from flamespan.aggregator import compare, load
from flamespan.aggregator.difftree import diff_tree
from flamespan.profiler.__main__ import main
from flamespan.profiler.model import SpanEnd, SpanStart
from flamespan.viewer.html import render_comparison
from flamespan.viewer.layout import left_heavy
from helpers.drawn import Drawing
from helpers.pagetable import ready

pytestmark = pytest.mark.browser


def side(factor, only, seed):
    """Forty requests: ``price`` takes ``factor`` times as long; ``only`` is on this side alone."""
    rng, made = random.Random(seed), Drawing()
    for number in range(1, 41):
        made.spans.started.append(SpanStart(number, 0, 100, "GET /cart", "task", "", made.now))
        for name, weight in (("price", 60 * factor), ("render", 50), (only, 12)):
            count = max(round(rng.gauss(weight, 6)), 1)
            made.add_pass(count, [(0, f"main;cart;{name}")], span=number)
        made.spans.ended.append(SpanEnd(number, made.now, "ok"))
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sides")
    return [
        side(*how).write(folder / f"{name}.fspan")
        for name, how in (("base", (1, "old_way", 1)), ("new", (2, "new_way", 2)))
    ]


@pytest.fixture(scope="module")
def found():
    return compare(side(1, "old_way", 1).profile(), side(2, "new_way", 2).profile())


@pytest.fixture(scope="module")
def file(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "diff.html"
    path.write_text(render_comparison(found), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser_page, file):
    browser_page.goto("about:blank")
    browser_page.goto(file)
    ready(browser_page)
    browser_page.wait_for_selector("#compare-summary")
    return browser_page


def names(page):
    return page.locator("#compare tbody .fn").all_text_contents()


def column(page, key):
    return page.eval_on_selector_all(
        f"#compare tbody [data-key='{key}']", "cells => cells.map(c => c.dataset.value)"
    )


def test_the_table_is_that_of_compare(page, found):
    table = found.table
    assert names(page) == table["function"].tolist()
    assert column(page, "verdict") == table["verdict"].tolist()
    for key, name in (
        ("before", "std_base_per_transaction_ns"),
        ("after", "std_new_per_transaction_ns"),
        ("change", "std_per_transaction_change_ns"),
        ("share", "std_share_change"),
    ):
        assert [float(v) for v in column(page, key)] == table[name].tolist(), key
    row = table[table["function"] == "price"].iloc[0]
    assert row["verdict"] == "slower"
    texts = page.locator("#compare tbody [data-key='change']").all_text_contents()
    said = texts[names(page).index("price")]
    low, high = (row[f"std_per_transaction_change_{end}_ns"] for end in ("low", "high"))
    units = {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9}
    shown = [float(n) * units[u] for n, u in re.findall(r"\+([\d.]+) (ns|µs|ms|s)", said)]
    wanted = [row["std_per_transaction_change_ns"], low, high]
    assert shown == pytest.approx(wanted, rel=0.006)


def test_the_summary_says_what_the_terminal_says(page, found):
    summary = page.locator("#compare-summary span").all_text_contents()
    assert any("slower" in line for line in summary)
    assert f"of {found.tested} functions compared" in " ".join(summary)


def test_new_and_gone_paths_are_marked_by_words(page, found):
    made = diff_tree(found)
    boxes = left_heavy(made.tree)
    places = {made.tree.name(int(n)): i for i, n in enumerate(boxes.node)}
    width = page.locator("#compare-graph").bounding_box()["width"]
    for name, said in (("new_way", "new path"), ("old_way", "vanished path"), ("price", "slower")):
        box = places[name]
        place = {
            "x": float(boxes.x0[box] + boxes.x1[box]) / 2 * width,
            "y": 24 + int(boxes.depth[box]) * 18 + 9,
        }
        page.hover("#compare-graph", position=place)
        assert page.text_content("#tip strong") == name
        assert said in page.text_content("#tip")
        page.click("#compare-graph", position=place)
        assert page.text_content("#compare-detail .detail-name") == name
    presence = dict(
        zip(
            names(page),
            page.locator("#compare tbody [data-key=verdict]").all_text_contents(),
            strict=True,
        )
    )
    assert presence["new_way"].endswith("(new)")
    assert presence["old_way"].endswith("(vanished)")
    assert presence["price"].startswith("▲ ")


def test_sorting_search_keys_and_address(page, file):
    page.click("#compare [data-sort-by=after]")
    values = [float(v) for v in column(page, "after")]
    assert values == sorted(values, reverse=True)
    page.keyboard.press("/")
    page.keyboard.type("render")
    assert names(page) == ["render"]
    page.locator("#compare .pick-fn").click()
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    ready(page)
    page.wait_for_selector("#compare-detail .detail-name")
    assert names(page) == ["render"]
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert len(names(page)) > 3
    page.focus("#compare-graph")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.text_content("#live").startswith("cart, ")
    page.keyboard.press("z")
    assert page.get_attribute("#compare-graph", "data-shown") == "1"
    page.keyboard.press("+")
    page.click("#compare-out")
    assert page.get_attribute("#compare-graph", "data-shown") == "1"


def test_one_request(page, file):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    ready(page)
    page.wait_for_timeout(200)
    assert [address.partition("#")[0] for address in asked] == [file]


def test_the_command_writes_it(files, tmp_path, capsys):
    path = tmp_path / "out.html"
    assert main(["diff", *map(str, files), "--html", str(path), "--limit", "1"]) == 0
    assert f"wrote {path}" in capsys.readouterr().err
    assert "flamespan-comparison" in path.read_text()


def test_two_stretches_of_one_recording_on_the_command_line(files, capsys):
    path = str(files[0])
    command = ["diff", path, path, "--format", "json", "--limit", "0"]
    assert main([*command, "--base-between", "..2us", "--new-between", "2us.."]) == 0
    told = json.loads(capsys.readouterr().out)
    profile = load(path)
    start = min(process.first_ns for process in profile.processes)
    sides = profile.between(start, start + 2000), profile.between(start + 2000, start + 10**9)
    table = compare(*sides).table
    assert [row["function"] for row in told] == table["function"].tolist()
    assert [row["base_self_ns"] for row in told] == table["base_self_ns"].tolist()
    assert [row["new_self_ns"] for row in told] == table["new_self_ns"].tolist()
