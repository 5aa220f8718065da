"""The page in a real browser: every control does what it says, numbers equal the DataFrames'."""

from __future__ import annotations

import re

import pytest

from helpers.pagestate import until
from helpers.pagetable import check_bottom_up, check_tree, ready, rows

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser_page, file):
    browser_page.goto("about:blank")
    browser_page.goto(file)
    ready(browser_page)
    return browser_page


def pick(page, name):
    """Choose a tab or which frames are shown."""
    page.click(f"#frames [data-value='{name}']")


def hash_of(page):
    page.wait_for_timeout(250)
    return dict(part.split("=", 1) for part in page.url.partition("#")[2].split("&"))


def chosen_transaction(page, profile):
    return profile.transaction(int(profile.tables.spans.id[int(hash_of(page)["t"])]))


# --- one file --------------------------------------------------------------------------------


def test_one_request_and_nothing_more_is_allowed(page, file):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    ready(page)
    page.wait_for_timeout(300)
    assert asked == [file]
    assert page.evaluate("[...document.scripts].filter(s => s.src).length") == 0


# --- the numbers -----------------------------------------------------------------------------


def test_the_first_sight_is_the_slowest_of_the_largest_transaction(page, profile):
    name = profile.transactions()["transaction"].iloc[0]
    table = profile.transactions(instances=True)
    slowest = table[table["transaction"] == name].sort_values("duration_ns").iloc[-1]
    assert hash_of(page)["t"] == str(slowest["row"])
    assert page.text_content("#heading h1") == name
    check_bottom_up(page, profile.transaction(int(slowest["id"])))


@pytest.mark.parametrize("collapse", ["none", "direct", "cycles"])
@pytest.mark.parametrize("frames", ["all", "application", "system"])
def test_frames_and_recursion_in_both_trees(page, profile, frames, collapse):
    view = chosen_transaction(page, profile)
    pick(page, frames)
    if frames != "all":
        view = view.application_frames() if frames == "application" else view.system_frames()
    if collapse != "none":
        page.check("#collapse")
        page.select_option("#collapse-kind", collapse)
        view = view.collapse_recursion(collapse)
    check_bottom_up(page, view)
    check_tree(page, view, "bottom-up")
    pick(page, "top-down")
    check_tree(page, view, "top-down")


def test_states_and_clock(page, profile):
    view = chosen_transaction(page, profile)
    waiting = page.locator("#choose-states [data-value=waiting]")
    waiting.click()
    check_bottom_up(page, view.states("idle", "awaiting"))
    page.click("#choose-states [data-value=all]")
    check_bottom_up(page, view.all_states())
    page.click("#choose-states [data-value=running]")
    check_bottom_up(page, view)
    assert "waiting not counted" in page.text_content("#sums")
    page.click("#choose-clock [data-value=cpu]")
    check_bottom_up(page, view.clock("cpu"))
    assert waiting.is_disabled()
    page.click("#choose-clock [data-value=wall]")
    check_bottom_up(page, view)


def test_everything_and_outside(page, profile):
    page.click("text=Everything")
    check_bottom_up(page, profile)
    assert "thread time" in page.text_content("#sums")
    page.click("text=Outside transactions")
    check_bottom_up(page, profile.outside_transactions())
    assert page.is_hidden("#spans-pane")


def test_sorting(page):
    page.click("[data-sort=total]")
    totals = [row[2] for row in rows(page)]
    assert totals == sorted(totals, reverse=True)
    page.click("[data-sort=total]")
    assert [row[2] for row in rows(page)] == sorted(totals)
    assert page.locator("[aria-sort=ascending]").text_content() == "Total"
    page.click("[data-sort=name]")
    names = [row[0] for row in rows(page)]
    assert names == sorted(names)


# --- the time --------------------------------------------------------------------------------


def middle(page, selector):
    box = page.locator(selector).bounding_box()
    return box["x"], box["y"] + box["height"] / 2, box["width"]


def shown_part(page):
    """Share of the time axis that is shown."""
    text = page.text_content("#zoom-text")
    if not text:
        return 1.0
    units = {"ms": 1.0, "s": 1000.0, "µs": 0.001}
    part, whole = (float(n) * units[u] for n, u in re.findall(r"([\d.]+) (ms|s|µs)", text))
    return part / whole


def test_zoom_by_wheel_keys_and_buttons(page):
    x, y, width = middle(page, "#flame")
    before = page.locator("#flame").screenshot()
    page.mouse.move(x + width / 4, y)
    page.mouse.wheel(0, -240)
    until(page, "document.getElementById('zoom-text').textContent")
    assert shown_part(page) == pytest.approx(0.59, abs=0.02)
    assert page.locator("#flame").screenshot() != before
    start, end = map(int, hash_of(page)["x"].split("%7E" if "%7E" in page.url else "~"))
    page.keyboard.press("d")
    later = [int(n) for n in re.split("%7E|~", hash_of(page)["x"])]
    assert later[0] > start
    assert later[1] - later[0] == pytest.approx(end - start, abs=2)
    page.keyboard.press("w")
    assert shown_part(page) == pytest.approx(0.39, abs=0.02)
    page.click("#zoom-out")
    page.click("#zoom-in")
    assert shown_part(page) == pytest.approx(0.39, abs=0.02)
    page.keyboard.press("0")
    assert shown_part(page) == 1
    assert page.is_disabled("#zoom-reset")
    page.wait_for_timeout(100)
    page.mouse.move(0, 0)
    page.wait_for_timeout(100)
    assert page.locator("#flame").screenshot() == before


def test_dragging_the_flame_chart_moves_it(page):
    page.keyboard.press("w")
    page.keyboard.press("w")
    before = re.split("%7E|~", hash_of(page)["x"])
    x, y, width = middle(page, "#flame")
    page.mouse.move(x + width / 2, y)
    page.mouse.down()
    page.mouse.move(x + width / 4, y, steps=4)
    page.mouse.up()
    after = re.split("%7E|~", hash_of(page)["x"])
    moved = (int(after[0]) - int(before[0])) / (int(before[1]) - int(before[0]))
    assert moved == pytest.approx(0.25, abs=0.01)
    assert "w" not in hash_of(page)


def test_a_dragged_window_recomputes_the_table(page, profile):
    view = chosen_transaction(page, profile)
    x, y, width = middle(page, "#scale")
    page.mouse.move(x + 0.2 * width, y)
    page.mouse.down()
    page.mouse.move(x + 0.6 * width, y, steps=5)
    page.mouse.up()
    window = [int(n) for n in re.split("%7E|~", hash_of(page)["w"])]
    origin = min(int(profile.tables.spans.start_ns.min()), first_moment(profile))
    inside = view.between(origin + window[0], origin + window[1])
    assert 0 < inside.total_ns < view.total_ns
    check_bottom_up(page, inside)
    pick(page, "top-down")
    check_tree(page, inside, "top-down")
    page.click("#range-zoom")
    assert shown_part(page) == pytest.approx(0.4, abs=0.01)
    page.click("#range-clear")
    pick(page, "bottom-up")
    check_bottom_up(page, view)


def first_moment(profile):
    return int((profile.rows.time_ns - profile.rows.wall_ns).min())


def test_a_span_becomes_the_window(page, profile):
    view = chosen_transaction(page, profile)
    spans = profile.tables.spans
    root = int(hash_of(page)["t"])
    last = max(
        (row for row in range(len(spans)) if spans.parent[row] == root),
        key=lambda row: spans.start_ns[row],
    )
    share = (spans.start_ns[last] + spans.end_ns[last]) / 2 - spans.start_ns[root]
    width = middle(page, "#spans")[2]
    place = {"x": float(share / spans.duration_ns[root]) * width, "y": 34.0}
    page.click("#spans", position=place)
    check_bottom_up(page, view.between(int(spans.start_ns[last]), int(spans.end_ns[last])))
    assert hash_of(page)["span"] == str(last)
    assert spans.description[last] in page.text_content("#details-body section:first-child")
    page.keyboard.press("Escape")
    check_bottom_up(page, view)


def test_missing_instrumentation_is_named(page, profile):
    root = int(hash_of(page)["t"])
    gaps = profile.gaps()
    gap = gaps[gaps["row"] == root].iloc[0]
    spans = profile.tables.spans
    share = ((gap["start_ns"] + gap["end_ns"]) / 2 - spans.start_ns[root]) / spans.duration_ns[root]
    x, _, width = middle(page, "#spans")
    top = page.locator("#spans").bounding_box()["y"]
    page.mouse.move(x + share * width, top + 34)
    tip = page.text_content("#tip")
    assert "missing instrumentation" in tip
    assert gap["function"] in tip
    page.click("#spans", position={"x": share * width, "y": 34})
    inside = chosen_transaction(page, profile).between(int(gap["start_ns"]), int(gap["end_ns"]))
    check_bottom_up(page, inside)


# --- the rest of the controls ------------------------------------------------------------------


def test_picker(page, profile):
    names = page.locator(".group .pick-name").all_text_contents()
    table = profile.transactions()
    assert names == table["transaction"].tolist()
    counts = page.locator(".pick-count").all_text_contents()
    assert counts == [f"×{count}" for count in table["count"]]
    page.fill("#picker-search", "REPORT")
    assert page.locator(".group .pick-name").all_text_contents() == ["GET /report"]
    page.click(".group")
    each = profile.transactions(instances=True)
    each = each[each["transaction"] == "GET /report"]
    shown = [
        int(row)
        for row in page.eval_on_selector_all(".instance", "e => e.map(b => b.dataset.pick)")
    ]
    assert shown == each.sort_values("duration_ns", ascending=False)["row"].tolist()
    page.select_option("#picker-order", "time")
    shown = page.eval_on_selector_all(".instance", "e => e.map(b => +b.dataset.pick)")
    assert shown == each["row"].tolist()
    page.locator(".instance").nth(2).click()
    assert page.text_content("#heading h1") == "GET /report"
    check_bottom_up(page, profile.transaction(int(each["id"].iloc[2])))
    page.fill("#picker-search", "nothing like it")
    assert page.locator("#picker .none").is_visible()


def test_tree_by_keyboard(page):
    page.locator("#table-inner [tabindex='0']").focus()
    focused = "document.activeElement.dataset.key ?? ''"
    first = page.evaluate(focused)
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused).startswith(f"{first}/")
    assert page.evaluate("document.activeElement.getAttribute('aria-level')") == "2"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(focused) == first
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "false"
    page.keyboard.press("End")
    assert page.evaluate(focused) == page.evaluate(
        "document.querySelector('.row:last-child').dataset.key"
    )
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-selected')") == "true"
    assert "fn" in hash_of(page)
    assert page.locator("#table-inner [tabindex='0']").count() == 1


def test_charts_by_keyboard_speak(page):
    page.focus("#flame")
    page.keyboard.press("ArrowDown")
    assert "depth 1" in page.text_content("#live")
    page.keyboard.press("ArrowDown")
    assert "depth 2" in page.text_content("#live")
    page.keyboard.press("Enter")
    assert page.locator("#table-grid [aria-selected=true]").count() <= 1
    assert "fn" in hash_of(page)
    page.focus("#spans")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert "exclusive" in page.text_content("#live")
    page.keyboard.press("Enter")
    assert "span" in hash_of(page)


def test_search_marks_and_counts(page, profile):
    pick(page, "top-down")
    page.keyboard.press("/")
    page.keyboard.type("discount")
    view = chosen_transaction(page, profile)
    table = view.functions()
    total = table[table["function"] == "discount"]["total_ns"].iloc[0]
    assert page.text_content("#found") == f"found 1 function · {round(total / 1e6)} ms"
    assert page.locator(".row.found").count() == 0
    page.keyboard.press("Enter")
    assert page.locator(".row.found .fn").first.text_content() == "discount"
    page.fill("#search", "no such thing")
    assert page.text_content("#found") == "nothing found"


def test_details(page, profile):
    text = page.text_content("#details-body")
    for word in (
        "GET /cart",
        "guest",
        "response.size",
        "18.0 KiB",
        "shop@2.4.1",
        "staging",
        "web-1.example",
        "Linux",
        "Box 3",
        "CPython",
        "missed",
        "dropped samples",
    ):
        assert word in text, word
    table = chosen_transaction(page, profile).op_breakdown()
    shown = page.eval_on_selector_all(
        ".ops li", "e => e.map(li => [li.dataset.op, +li.dataset.ns])"
    )
    assert shown == table[["op", "exclusive_ns"]].to_numpy().tolist()


def test_the_address_holds_the_state(page, profile, file):
    page.click("text=Everything")
    pick(page, "top-down")
    pick(page, "application")
    page.check("#collapse")
    page.click("#choose-states [data-value=all]")
    page.fill("#search", "cart")
    page.keyboard.press("Escape")
    page.fill("#search", "view")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("w")
    hash_of(page)
    address, before, part = page.url, rows(page), shown_part(page)
    page.goto("about:blank")
    page.goto(address)
    ready(page)
    assert rows(page) == before
    assert shown_part(page) == part < 1
    assert page.input_value("#search") == "view"
    check_tree(page, profile.all_states().application_frames().collapse_recursion(), "top-down")


def test_an_address_that_the_page_was_not_told_of_yet_stands(page):
    page.evaluate("""() => {
      document.getElementById("zoom-in").click();  // written a tenth of a second later
      history.replaceState(null, "", "#t=none");  // of which no event tells
    }""")
    page.wait_for_timeout(300)
    assert page.url.endswith("#t=none")


def test_help(page):
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
