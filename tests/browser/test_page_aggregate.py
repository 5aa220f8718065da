"""The aggregate view: every number is the DataFrames', every control does what it says."""

from __future__ import annotations

import re

import pytest

from flamespan.aggregator.distribution import held
from flamespan.viewer import aggregatedata
from flamespan.viewer.aggregatedata import Asked, aggregate, embedded, names, subtree
from flamespan.viewer.html import render_html
from flamespan.viewer.layout import left_heavy
from helpers.drawn import draw
from helpers.pagetable import check_bottom_up, ready

pytestmark = pytest.mark.browser

NAME = "GET /cart"


@pytest.fixture
def page(browser_page, file):
    browser_page.goto("about:blank")
    browser_page.goto(f"{file}#v=aggregate")
    ready(browser_page)
    settled(browser_page)
    return browser_page


def settled(page):
    page.wait_for_selector("body[data-view=aggregate] #aggregate:not([aria-busy]) h1")


def choose_name(page, name):
    """All transactions of a name. The address changes first, then the view: its heading tells."""
    page.click(f"#aggregate-names [data-name='{name}']")
    page.locator("#aggregate h1").get_by_text(name, exact=True).wait_for()
    settled(page)


def column(page, key):
    values = page.eval_on_selector_all(
        f"#aggregate tbody [data-key='{key}']", "cells => cells.map(c => c.dataset.value ?? null)"
    )
    return [None if value is None else float(value) for value in values]


def shown_names(page):
    return page.locator("#aggregate tbody .fn").all_text_contents()


def check_table(page, view):
    """The table in its first order against ``functions()`` and ``functions_per_transaction()``."""
    table = view.functions()
    assert shown_names(page) == table["function"].tolist()
    for key, name in (
        ("self", "self_ns"),
        ("total", "total_ns"),
        ("self-share", "self_share"),
        ("total-share", "total_share"),
    ):
        assert column(page, key) == table[name].tolist(), name
    sure = page.locator("#aggregate tbody [data-key='self-share'] .share-sure").all_text_contents()
    limits = zip(table["self_share_low"], table["self_share_high"], strict=True)
    assert sure == [f"{a * 100:.1f} – {b * 100:.1f}" if a == a else "±?" for a, b in limits]
    spread = view.functions_per_transaction().set_index(["function", "file", "line"])
    wanted = {key: [] for key in ("transactions", "p50_ns", "p95_ns")}
    for key in zip(table["function"], table["file"], table["line"], strict=True):
        for name, values in wanted.items():
            values.append(float(spread.loc[key, name]) if key in spread.index else None)
    assert column(page, "transactions") == wanted["transactions"]
    assert column(page, "p50") == wanted["p50_ns"]
    assert column(page, "p95") == wanted["p95_ns"]
    total = page.get_attribute("#aggregate [data-total-ns]", "data-total-ns")
    assert int(total) == view.total_ns


def test_everything_and_each_name_in_each_choice_of_frames(page, profile):
    check_table(page, profile)
    for frames, view in (
        ("application", profile.application_frames()),
        ("system", profile.system_frames()),
    ):
        page.click(f"#aggregate [data-value={frames}]")
        settled(page)
        check_table(page, view)
    for name in profile.transactions()["transaction"]:
        choose_name(page, name)
        assert page.text_content("#aggregate h1") == name
        check_table(page, profile.transaction(name).system_frames())


def test_names_are_those_of_the_table(page, profile):
    table = profile.transactions()
    names = page.locator("#aggregate-names .pick-name").all_text_contents()
    assert names == ["Everything", *table["transaction"]]
    counts = [
        int(re.match(r"×(\d+)", text)[1])
        for text in page.locator("#aggregate-names .pick-about").all_text_contents()[1:]
    ]
    assert counts == table["count"].tolist()


def choose(page, function):
    row = shown_names(page).index(function)
    page.locator("#aggregate .pick-fn").nth(row).click()
    page.wait_for_selector("#aggregate-detail .detail-name")


def test_detail_has_the_percentiles_the_histogram_and_the_slowest(page, profile):
    choose_name(page, NAME)
    view = profile.transaction(NAME)
    choose(page, "discount")
    row = view.functions_per_transaction().set_index("function").loc["discount"]
    told = dict(
        page.eval_on_selector_all(
            "#aggregate-detail dd[data-percentile]",
            "e => e.map(d => [d.dataset.percentile, +d.dataset.ns])",
        )
    )
    assert told == {name: row[f"{name}_ns"] for name in ("p50", "p75", "p95", "p99", "max")}
    found = held(view)
    number = profile.tables.function_name.index("discount")
    mine = found.function == number
    functions, bins, counts = found.histogram()
    wanted = {
        int(b): int(c) for f, b, c in zip(functions, bins, counts, strict=True) if f == number
    }
    drawn = page.eval_on_selector_all(
        ".bins li", "e => e.map(b => [+b.dataset.bin, +b.dataset.count])"
    )
    assert {b: c for b, c in drawn if c} == wanted
    assert sum(wanted.values()) == row["transactions"] == mine.sum()
    slowest = page.eval_on_selector_all(
        ".slowest li", "e => e.map(s => [+s.dataset.transaction, +s.dataset.ns])"
    )
    every = sorted(found.weight_ns[mine].tolist(), reverse=True)
    assert [ns for _, ns in slowest] == every[:10]


def test_a_slow_transaction_opens_in_the_transaction_view_and_back_leads_back(page, profile):
    choose_name(page, NAME)
    choose(page, "discount")
    row, ns = page.eval_on_selector(".slowest li", "s => [+s.dataset.transaction, +s.dataset.ns]")
    page.click(".slowest a")
    page.wait_for_selector("body[data-view=transaction]")
    assert page.text_content("#heading h1") == NAME
    view = profile.transaction(int(profile.tables.spans.id[row]))
    check_bottom_up(page, view)
    table = view.functions()
    assert table[table["function"] == "discount"]["total_ns"].iloc[0] == ns
    assert page.locator("#table-grid [aria-selected=true] .fn").all_text_contents() == ["discount"]
    page.go_back()
    settled(page)
    assert page.text_content("#aggregate-detail .detail-name") == "discount"


def test_sorting_and_searching(page):
    page.click("[data-sort-by=total]")
    totals = column(page, "total")
    assert totals == sorted(totals, reverse=True)
    page.click("[data-sort-by=total]")
    assert column(page, "total") == sorted(totals)
    assert page.locator("#aggregate [aria-sort=ascending]").text_content() == "Total"
    page.click("[data-sort-by=p95]")
    known = [value for value in column(page, "p95") if value is not None]
    assert known == sorted(known, reverse=True)
    assert column(page, "p95")[: len(known)] == known
    page.keyboard.press("/")
    page.keyboard.type("discount")
    assert set(shown_names(page)) == {"discount"}
    page.keyboard.press("Escape")
    assert len(shown_names(page)) > 5


def test_the_flame_graph_speaks_selects_and_zooms(page, profile):
    boxes = left_heavy(profile.tree())
    page.focus("#aggregate-graph")
    page.keyboard.press("ArrowDown")
    name = profile.tables.function_name[boxes.function[0]]
    assert page.text_content("#live").startswith(f"{name}, ")
    page.keyboard.press("ArrowDown")
    assert "depth 2" in page.text_content("#live")
    page.keyboard.press("Enter")
    second = profile.tree().name(2)
    assert page.text_content("#aggregate-detail .detail-name") == second
    shown = "+document.getElementById('aggregate-graph').dataset.shown"
    page.keyboard.press("z")
    assert page.evaluate(shown) == pytest.approx(boxes.x1[1] - boxes.x0[1])
    page.keyboard.press("0")
    assert page.evaluate(shown) == 1
    page.keyboard.press("+")
    assert page.evaluate(shown) == pytest.approx(1 / 1.5)
    page.click("#aggregate-out")
    assert page.evaluate(shown) == 1


def test_a_click_on_a_box_selects_its_function(page, profile):
    boxes = left_heavy(profile.tree())
    at = int((boxes.x1 - boxes.x0)[boxes.depth == 4].argmax())
    box = (boxes.depth == 4).nonzero()[0][at]
    width = page.locator("#aggregate-graph").bounding_box()["width"]
    place = {"x": float(boxes.x0[box] + boxes.x1[box]) / 2 * width, "y": 24 + 4 * 18 + 9}
    page.hover("#aggregate-graph", position=place)
    name = profile.tables.function_name[boxes.function[box]]
    assert page.text_content("#tip strong") == name
    page.click("#aggregate-graph", position=place)
    assert page.text_content("#aggregate-detail .detail-name") == name
    page.click("#aggregate-graph", position=place)
    assert page.locator("#aggregate-detail .detail-name").count() == 0
    page.dblclick("#aggregate-graph", position=place)
    shown = float(page.get_attribute("#aggregate-graph", "data-shown"))
    assert shown == pytest.approx(boxes.x1[box] - boxes.x0[box])


def test_the_address_holds_the_state_and_keys_lead_everywhere(page, profile):
    choose_name(page, NAME)
    page.click("#aggregate [data-value=application]")
    settled(page)
    page.click("[data-sort-by=total]")
    choose(page, "discount")
    address, names = page.url, shown_names(page)
    page.goto("about:blank")
    page.goto(address)
    ready(page)
    settled(page)
    page.wait_for_selector("#aggregate-detail .detail-name")
    assert shown_names(page) == names
    assert page.text_content("#aggregate-detail .detail-name") == "discount"
    page.keyboard.press("1")
    page.wait_for_selector("body[data-view=transaction]")
    page.keyboard.press("6")
    settled(page)
    assert page.url == address
    page.locator("#aggregate .pick-fn").first.focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.closest('tr').rowIndex") == 2
    page.keyboard.press("Enter")
    assert page.text_content("#aggregate-detail .detail-name") == names[1]


def test_what_a_file_does_not_hold_is_said(page, file):
    assert page.locator("#aggregate [data-value=cpu]").is_disabled()
    page.goto("about:blank")
    page.goto(f"{file}#v=aggregate&k=cpu")
    ready(page)
    page.wait_for_selector("#aggregate .view-error")
    assert "flamespan view" in page.text_content("#aggregate .view-error")
    page.click("#aggregate [data-value=wall]")
    settled(page)
    page.wait_for_selector("#aggregate .pick-fn")
    assert page.locator("#aggregate .view-error").count() == 0


def test_an_address_with_nonsense_is_read_as_far_as_it_goes(page, file):
    page.goto("about:blank")
    page.goto(f"{file}#v=aggregate&fo=x&hi=1e9~-1~y&g=99999999&z=-3&f=application")
    ready(page)
    settled(page)
    assert page.locator("#aggregate .chip, #aggregate .view-error").count() == 0
    assert page.get_attribute("#aggregate [data-value=application]", "aria-checked") == "true"


def test_the_heading_leads_to_the_slowest_one(page, profile):
    choose_name(page, NAME)
    spans = profile.tables.spans
    rows = [
        row for row in range(len(spans)) if spans.is_transaction[row] and spans.name[row] == NAME
    ]
    slowest = max(rows, key=lambda row: spans.duration_ns[row])
    page.click("#aggregate-back")
    page.wait_for_selector("body[data-view=transaction]")
    assert f"t={slowest}" in page.url


def test_the_part_of_the_graph_that_is_shown_is_in_the_address(page):
    page.focus("#aggregate-graph")
    page.keyboard.press("+")
    page.keyboard.press("d")
    page.wait_for_timeout(300)  # it is written when it has come to rest
    assert "x=" in page.url
    shown = page.get_attribute("#aggregate-graph", "data-shown")
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    ready(page)
    page.wait_for_selector("#aggregate .pick-fn")
    assert float(page.get_attribute("#aggregate-graph", "data-shown")) == pytest.approx(
        float(shown), abs=1e-6
    )


def test_hostile_names_are_text(browser_page, tmp_path):
    name = "<img src=x onerror=alert(1)>"
    path = tmp_path / "hostile.html"
    path.write_text(render_html(draw([(f"main;{name}", 10)])), encoding="utf-8")
    page = browser_page
    page.goto(f"{path.as_uri()}#v=aggregate")
    ready(page)
    settled(page)
    assert name in shown_names(page)
    choose(page, name)
    assert page.text_content("#aggregate-detail .detail-name") == name
    assert "no transaction" in page.text_content("#aggregate-detail")
    assert page.locator("img").count() == 0


def test_a_part_of_the_tree_is_laid_out_as_in_the_whole(profile):
    tree = profile.tree()
    for root in (1, len(tree) // 2, len(tree) - 1):
        part = subtree(tree, root)
        size = len(part) - 1
        assert part.total_ns[0] == tree.total_ns[root]
        assert part.function[1:].tolist() == tree.function[root : root + size].tolist()
        told = aggregate(profile, Asked(root=root))["boxes"]
        assert told["node"] == [n for n in range(root, root + size) if tree.total_ns[n]]
        assert told["total_ns"] == [tree.total_ns[n] for n in told["node"]]


def test_a_large_file_holds_fewer_names(profile, monkeypatch):
    listed = names(profile)
    assert len(list(embedded(profile)[0])) == 3 * (1 + len(listed))
    monkeypatch.setattr(aggregatedata, "FEWEST_EMBEDDED", 1)
    monkeypatch.setattr(aggregatedata, "EMBEDDED_SAMPLES", 2 * len(profile.rows))
    made, left_out = embedded(profile)
    assert {(one["name"], one["op"]) for one in made} == {(None, ""), *listed[:2]}
    assert left_out == len(listed) - 2
