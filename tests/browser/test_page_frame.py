"""The frame pane in a real browser, on a recording of a real program with its source."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from flamespan.aggregator import load
from flamespan.viewer.html import render_html
from flamespan.viewer.sources import Links
from helpers.chromium import page_of
from helpers.pagestate import hash_of, numbers
from helpers.pagetable import TALL, check_bottom_up, ready, rows

pytestmark = pytest.mark.browser

PROGRAM = """\
import time
from flamespan import profiler


def spin(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sum(range(500))  # <img src=x onerror=alert(1)>


def price(item):
    spin(0.05 if item % 2 else 0.1)


def cart():
    for item in range(4):
        price(item)


def report():
    spin(0.2)


profiler.start("profiles", release="app@1.2.0+0a1b2c3d", rate_hz=200)
with profiler.transaction("GET /cart", op="http.server"):
    cart()
    report()
profiler.stop()
"""
REPOSITORY = "https://git.example/app/blob/{commit}/{path}#L{line}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("app")
    (folder / "shop").mkdir()
    (folder / "shop" / "serve.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "shop/serve.py"], cwd=folder, check=False, timeout=60, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def profile(folder):
    return load(folder / "profiles")


@pytest.fixture(scope="module")
def browser_page(profile, folder):
    file = folder / "page.html"
    file.write_text(render_html(profile, links=Links(REPOSITORY)), encoding="utf-8")
    allowed = ["clipboard-read", "clipboard-write"]
    with page_of(file.as_uri(), permissions=allowed, **TALL) as page:
        yield page


@pytest.fixture
def page(browser_page):
    address = browser_page.url.partition("#")[0]
    browser_page.goto("about:blank")
    browser_page.goto(address)
    ready(browser_page)
    return browser_page


@pytest.fixture
def view(profile):
    return profile.transaction("GET /cart")


def select(page, name):
    """Select a function by its row; a second click would unselect it."""
    page.keyboard.press("1")
    if page.locator(f".row[aria-level='1'] .fn:text-is('{name}')").count() == 0:
        page.keyboard.press("2")
        while closed := page.locator(".row[aria-expanded=false]").count():
            page.locator(".row[aria-expanded=false]").first.focus()
            page.keyboard.press("*")
            assert closed < 500
    page.locator(f".row .fn:text-is('{name}')").first.click()


def label(profile, name):
    table = profile.functions()
    row = table[table["function"] == name].iloc[0]
    return f"{name} ({row['file']}:{row['line']})"


def neighbours(page, side):
    return page.eval_on_selector_all(
        f"#frame-{side} > ul > li",
        "items => items.map(li => [li.querySelector('.neighbour-name').textContent,"
        " +li.dataset.selfNs, +li.dataset.totalNs])",
    )


def test_sandwich_is_callers_and_callees(page, view):
    select(page, "spin")
    page.keyboard.press("3")
    for side, table in (
        ("callers", view.callers(label(view, "spin"))),
        ("callees", view.callees(label(view, "spin"))),
    ):
        wanted = table[table["total_ns"] > 0][["function", "self_ns", "total_ns"]]
        assert sorted(neighbours(page, side)) == sorted(wanted.to_numpy().tolist())
    names = [row[0] for row in neighbours(page, "callers")]
    assert {"price", "report"} <= set(names)
    first = page.locator("#frame-callers li").first
    first.locator("button").first.focus()
    page.keyboard.press("ArrowRight")
    assert first.locator("ul li").count() >= 1
    above = first.locator("ul .neighbour-name").first.text_content()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.text_content(".frame-name") == above
    assert hash_of(page)["tab"] == "sandwich"


def test_source_has_the_time_of_each_line(page, profile, view, folder):
    select(page, "spin")
    page.keyboard.press("4")
    shown = page.eval_on_selector_all(
        ".source .code", "rows => rows.map(r => r.querySelector('.code-text').textContent)"
    )
    assert shown == [line or " " for line in PROGRAM.split("\n")]
    table = view.lines()
    table = table[table["file"] == str(folder / "shop" / "serve.py")]
    wanted = table.groupby("line")[["self_ns", "total_ns"]].sum()
    found = page.eval_on_selector_all(
        ".source .code[data-total-ns]",
        "rows => rows.map(r => [+r.dataset.line, +r.dataset.selfNs, +r.dataset.totalNs])",
    )
    assert found == wanted.reset_index().to_numpy().tolist()
    hot = int(page.get_attribute(".source .hot", "data-line"))
    assert hot == wanted["self_ns"].idxmax()
    assert page.locator(".source .hot .code-mark").get_attribute("aria-label") == "hottest line"
    # Source is text: nothing in it becomes an element.
    assert page.locator(".source img").count() == 0


def trace(page):
    return page.eval_on_selector_all(
        ".trace > li",
        "items => items.map(li => li.querySelector('.trace-name, .trace-folded').textContent)",
    )


def test_stack_trace_of_a_function(page, view):
    select(page, "spin")
    page.keyboard.press("5")
    relevant = trace(page)
    assert relevant[-1] == "spin"
    assert page.locator(".trace-frame.selected .origin-badge").text_content() == "In App"
    hot = page.locator(".trace-frame.selected .code.hot .code-text").text_content()
    assert hot in PROGRAM
    page.click("#choose-first [data-value=newest]")
    assert trace(page) == relevant[::-1]
    page.click("#choose-trace [data-value=full]")
    assert len(trace(page)) >= len(relevant)
    state = hash_of(page)
    assert (state["trace"], state["first"]) == ("full", "newest")
    table = view.callers(label(view, "spin"))
    wanted = table[["function", "self_ns", "total_ns"]].to_numpy().tolist()
    assert sorted(neighbours(page, "callers")) == sorted(wanted)
    page.locator(".trace-frame:not(.selected) .trace-toggle").first.click()
    assert page.locator(".trace-toggle[aria-expanded=true]").count() == 2


def test_stacks_are_stepped_through_heaviest_first(page, view, profile):
    select(page, "spin")
    page.keyboard.press("5")
    tables, weights = profile.tables, view.stack_weights[0]
    holding = []
    for stack, weight in enumerate(weights.tolist()):
        names, node = [], stack
        while node:
            names.append(tables.function_name[tables.frame_function[tables.tree.key[node]]])
            node = int(tables.tree.parent[node])
        if weight and "spin" in names:
            holding.append(weight)
    holding.sort(reverse=True)
    assert f"stack 1 of {len(holding)} with this function" in page.text_content("#stack-count")
    assert page.is_disabled("#stack-before")
    for _ in holding[1:]:
        page.click("#stack-after")
    assert hash_of(page)["nth"] == str(len(holding) - 1)
    assert page.is_disabled("#stack-after")


def test_stack_of_a_box(page, profile):
    page.focus("#flame")
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("5")
    state = hash_of(page)
    thread, start, end = numbers(state["box"])
    assert thread == 0
    assert end > start
    assert "of the box" in page.text_content("#stack-count")
    name = profile.tables.function_name[int(state["fn"])]
    assert name in trace(page)
    page.keyboard.press("Escape")
    assert "box" not in hash_of(page)


def test_name_and_place_are_copied(page, folder):
    select(page, "spin")
    page.keyboard.press("3")
    page.click("text=Copy name")
    page.wait_for_selector("text=copied")
    assert page.evaluate("navigator.clipboard.readText()") == "spin"
    page.click("text=Copy location")
    page.wait_for_timeout(100)
    place = page.evaluate("navigator.clipboard.readText()")
    assert place == f"{folder / 'shop' / 'serve.py'}:5"


def test_links_to_repository_and_editor(page, folder):
    select(page, "price")
    page.keyboard.press("3")
    repository = page.locator("a:text('Open in repository')")
    assert repository.get_attribute("href") == (
        "https://git.example/app/blob/0a1b2c3d/shop/serve.py#L11"
    )
    assert repository.get_attribute("rel") == "noopener noreferrer"
    editor = page.locator("a:text('Open in editor')").get_attribute("href")
    assert editor == f"vscode://file/{folder / 'shop' / 'serve.py'}:11"


def test_links_to_the_line_that_ran(page, folder):
    select(page, "price")
    page.keyboard.press("5")
    frame = page.locator(".trace-frame.selected")
    line = frame.get_attribute("data-line")
    assert line == "12"
    assert frame.locator("a:text('repository')").get_attribute("href") == (
        f"https://git.example/app/blob/0a1b2c3d/shop/serve.py#L{line}"
    )
    editor = f"vscode://file/{folder / 'shop' / 'serve.py'}:{line}"
    assert frame.locator("a:text('editor')").get_attribute("href") == editor
    page.keyboard.press("4")
    row = page.locator(f".source .code[data-line='{line}']")
    assert row.locator("a:text('editor')").get_attribute("href") == editor


def test_the_next_match_is_found_from_any_tab(page):
    select(page, "price")
    page.keyboard.press("5")
    page.keyboard.press("/")
    page.keyboard.type("spin")
    page.keyboard.press("Enter")
    assert page.is_visible("#table-grid")
    assert page.locator(".row.found .fn").first.text_content() == "spin"


def test_focus_and_hide(page, view, profile):
    focused = view.focus(label(view, "price"))
    select(page, "price")
    page.keyboard.press("1")
    page.keyboard.press("f")
    check_bottom_up(page, focused)
    assert "from price" in page.text_content("#cuts")
    page.keyboard.press("Escape")
    select(page, "spin")
    page.keyboard.press("1")
    page.keyboard.press("h")
    both = focused.hide(label(view, "spin"))
    check_bottom_up(page, both)
    assert "spin" not in [row[0] for row in rows(page)]
    address = page.url
    state = hash_of(page)
    assert {"focus", "hide"} <= set(state)
    page.goto("about:blank")
    page.goto(address)
    ready(page)
    check_bottom_up(page, both)
    page.keyboard.press("Escape")
    check_bottom_up(page, focused)
    page.click("#cuts button")
    check_bottom_up(page, view)
    assert not page.text_content("#cuts").strip()


def test_a_frame_pane_without_a_function_says_so(page):
    page.keyboard.press("3")
    assert "No function is selected" in page.text_content("#frame-head")
    page.keyboard.press("5")
    assert "in the window" in page.text_content("#stack-count")
    assert trace(page)


def test_keys_reach_every_tab(page):
    tabs = {"1": "Bottom Up", "2": "Top Down", "3": "Sandwich", "4": "Source", "5": "Stack trace"}
    for key, tab in tabs.items():
        page.keyboard.press(key)
        assert page.text_content("#choose-tab [aria-selected=true]") == tab
        assert page.is_visible("#table-grid") == (key in "12")
        assert page.is_visible("#frame-pane") == (key in "345")
    assert not re.search("tab=bottom", page.url)
