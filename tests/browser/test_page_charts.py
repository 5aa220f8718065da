"""The transaction view's charts in a real browser: orders, directions, clocks, threads, heights."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from flamespan.aggregator import load
from flamespan.aggregator.waiting import COLUMNS as WAIT_COLUMNS
from flamespan.viewer import words
from flamespan.viewer.html import render_html
from helpers import waits, webapp
from helpers.chromium import page_of
from helpers.pagestate import hash_of, numbers, origin_ns, said, until
from helpers.pagetable import TALL, check_bottom_up, check_tree, ready

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


def two_processes(folder):
    folder.mkdir()
    for pid in (100, 200):
        told = webapp.header(pid=pid, session_id=f"drawn {pid}")
        webapp.build(seed=pid, requests=3).write(folder / f"{pid}.fspan", told)
    return load(folder)


@pytest.fixture(scope="module")
def profiles(folder):
    return {
        "two": two_processes(folder / "two"),
        "webapp": load(webapp.write(folder / "webapp.fspan")),
        "gil": waits.gil().profile(),
        "tasks": waits.tasks().profile(),
    }


@pytest.fixture(scope="module")
def addresses(profiles, folder):
    for name, profile in profiles.items():
        (folder / f"{name}.html").write_text(render_html(profile), encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in profiles}


@pytest.fixture(scope="module")
def browser_page(addresses):
    with page_of(addresses["webapp"], **TALL) as page:
        yield page


@pytest.fixture
def show(browser_page, addresses):
    """Opens a recording's page, with a state."""

    def show(name, state=""):
        browser_page.goto("about:blank")
        browser_page.goto(f"{addresses[name]}{state}")
        ready(browser_page)
        return browser_page

    return show


@pytest.fixture
def page(show):
    return show("webapp")


@pytest.fixture
def profile(profiles):
    return profiles["webapp"]


def chosen(page, profile):
    return profile.transaction(int(profile.tables.spans.id[int(hash_of(page)["t"])]))


# --- the merged chart --------------------------------------------------------------------------


def walked(page, keys):
    """What is told while keys are pressed on the merged chart."""
    page.focus("#merged")
    told = []
    for key in keys:
        page.keyboard.press(key)
        told.append(said(page))
    return told


def children_of(tree, node):
    return [n for n in range(1, len(tree)) if tree.parent[n] == node and tree.total_ns[n]]


def test_left_heavy_and_alphabetical_order(page, profile):
    """Down to the first node that has several callees, then along them."""
    tree = chosen(page, profile).tree()
    node, depth = 0, 0
    while len(below := children_of(tree, node)) == 1:
        node, depth = below[0], depth + 1
    by_weight = [tree.name(n) for n in sorted(below, key=lambda n: -tree.total_ns[n])]
    assert by_weight != sorted(by_weight)
    for order, names in (("left-heavy", by_weight), ("alphabetical", sorted(by_weight))):
        page.click(f"#choose-order [data-value={order}]")
        assert page.is_hidden("#flame-pane")
        down = ["ArrowDown"] * (depth + 1)
        told = walked(page, down + ["ArrowRight"] * (len(names) - 1))
        assert [text.split(",")[0] for text in told[depth:]] == names
        assert f"depth {depth + 1}" in told[depth]
        assert hash_of(page)["order"] == order
    page.click("#choose-order [data-value=time]")
    assert page.is_visible("#flame-pane")
    assert page.is_hidden("#merged-pane")


def test_a_window_recomputes_the_merged_chart(page, profile):
    page.click("#choose-order [data-value=left-heavy]")
    box = page.locator("#scale").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.3 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], y, steps=4)
    page.mouse.up()
    start, end = (origin_ns(profile) + edge for edge in numbers(hash_of(page)["w"]))
    inside = chosen(page, profile).between(start, end)
    (told,) = walked(page, ["ArrowDown"])
    whole = round(inside.total_ns / 1e6)
    assert f"{whole} ms, 100 % of all" in told
    page.keyboard.press("Enter")
    selected = profile.tables.function_name[int(hash_of(page)["fn"])]
    assert told.startswith(selected)
    check_bottom_up(page, inside)


def test_the_merged_chart_zooms_and_the_address_holds_it(page, show):
    page.keyboard.press("t")
    page.keyboard.press("w")
    page.keyboard.press("ArrowRight")
    state = hash_of(page)
    assert state["order"] == "left-heavy"
    start, end = numbers(state["m"])
    show("webapp", "#" + page.url.partition("#")[2])
    assert numbers(hash_of(page)["m"]) == [start, end]
    page.click("#zoom-reset")
    assert "m" not in hash_of(page)


def test_flame_direction_puts_the_root_at_the_bottom(page):
    page.keyboard.press("i")
    assert hash_of(page)["direction"] == "flame"
    page.focus("#flame")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert "depth 2" in said(page)
    page.keyboard.press("ArrowDown")
    assert "depth 1" in said(page)
    page.keyboard.press("i")
    page.focus("#flame")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert "depth 2" in said(page)


# --- clocks, threads ---------------------------------------------------------------------------


def test_gil_and_wait_clock(show, profiles):
    page, profile = show("gil"), profiles["gil"]
    page.click("text=Everything")
    for clock in ("gil", "wait", "cpu", "wall"):
        page.click(f"#choose-clock [data-value={clock}]")
        check_bottom_up(page, profile.clock(clock))
        assert page.is_disabled("#choose-states [data-value=waiting]") == (clock != "wall")
    assert profile.clock("gil").total_ns > 0


def test_a_recording_that_cannot_tell_the_gil_says_so(page):
    page.click("#choose-clock [data-value=gil]")
    assert "only the native engine can tell" in page.text_content("#table-empty")


def test_an_empty_table_leads_to_what_it_leaves_out(show, profile):
    """A stretch in which a transaction only waited: its first query."""
    spans, origin = profile.tables.spans, origin_ns(profile)
    row = next(r for r in range(len(spans)) if spans.description[r] == "select * from orders")
    root = int(spans.transaction[row])
    first, last = int(spans.start_ns[row]) + 12_000_000, int(spans.start_ns[row]) + 48_000_000
    inside = profile.transaction(int(spans.id[root])).between(first, last)
    assert inside.total_ns == 0 < inside.excluded_ns
    page = show("webapp", f"#t={root}&w={first - origin}~{last - origin}")
    assert "is left out" in page.text_content("#table-empty")
    page.click("#count-all")
    check_bottom_up(page, inside.all_states())


def test_threads_are_switched_off(page, profile):
    page.click("text=Everything")
    page.click("#threads summary")
    names = page.locator(".threads-thread .threads-name").all_text_contents()
    assert names == [thread.name for thread in profile.tables.threads]
    page.locator(".threads-thread input").nth(1).uncheck()

    def without(*threads):
        kept = ~np.isin(profile.rows.thread, threads)
        return dataclasses.replace(profile, rows=profile.rows.pick(kept))

    check_bottom_up(page, without(1))
    assert page.text_content("#threads-summary") == "Threads: 3 of 4"
    assert page.locator(".threads-process input").evaluate("box => box.indeterminate")
    assert hash_of(page)["off"] == "1"
    page.keyboard.press("Escape")
    assert not page.locator("#threads").get_attribute("open")
    page.click("#threads summary")
    page.click("#threads-busiest")
    cpu = np.bincount(profile.rows.thread, profile.rows.cpu_ns)
    assert len(numbers(hash_of(page)["off"])) == 3
    busiest = set(range(4)) - set(numbers(hash_of(page)["off"]))
    assert busiest == {int(cpu.argmax())}
    page.locator(".threads-process input").check()
    check_bottom_up(page, profile)


# --- spans, details ----------------------------------------------------------------------------


def test_each_span_has_a_bar_of_what_its_time_was_spent_on(page, profile):
    """The share of pixels in the colour of CPU time is the share of CPU time."""
    row = int(hash_of(page)["t"])
    table = profile.waiting("transaction", instances=True).set_index("row").loc[row]
    share = table["on_cpu_ns"] / table["recorded_ns"]
    drawn = page.evaluate(
        """() => {
          const canvas = document.getElementById("spans");
          const ratio = devicePixelRatio;
          const y = Math.round((2 + 19 + 3) * ratio);
          const data = canvas.getContext("2d").getImageData(0, y, canvas.width, 1).data;
          const style = getComputedStyle(document.documentElement);
          const want = style.getPropertyValue("--wait-cpu").trim();
          const [r, g, b] = [1, 3, 5].map((i) => parseInt(want.slice(i, i + 2), 16));
          let n = 0;
          for (let i = 0; i < data.length; i += 4) {
            n += data[i] === r && data[i + 1] === g && data[i + 2] === b;
          }
          return n / canvas.width;
        }"""
    )
    assert drawn == pytest.approx(share, abs=0.01)


def test_the_details_tell_of_the_window(page, profile):
    root = int(hash_of(page)["t"])
    spans = profile.tables.spans
    first, last = (int(spans.start_ns[root]), int(spans.end_ns[root]))
    start, end = first + (last - first) // 4, first + 3 * (last - first) // 4
    origin = origin_ns(profile)
    page.goto(f"{page.url.partition('#')[0]}#t={root}&w={start - origin}~{end - origin}")
    page.wait_for_selector(".waiting[data-span=window]")
    inside = chosen(page, profile).between(start, end)
    table = inside.waiting()[list(WAIT_COLUMNS)].sum()
    shown = page.eval_on_selector_all(
        ".waiting[data-span=window] li[data-part]",
        "items => items.map(li => [li.dataset.part, +li.dataset.ns])",
    )
    assert shown == [[name, ns] for name, ns in table.items() if ns and name != "recorded_ns"]
    said_of_window = page.locator("#details section:has(h3:text-is('Window'))").text_content()
    assert str(len(inside.rows)) in said_of_window
    operations = page.eval_on_selector_all(".ops li", "items => items.map(li => +li.dataset.ns)")
    assert sum(operations) == end - start


def test_interleaved_transactions_are_told_apart(show, profiles):
    """In everything's chart the box under the pointer says whose it is at that moment."""
    page, profile = show("tasks"), profiles["tasks"]
    page.click("text=Everything")
    spans, rows = profile.tables.spans, profile.rows
    running = np.flatnonzero((rows.span >= 0) & ~rows.suspended)
    box = page.locator("#flame").bounding_box()
    end = profile.tables.spans.end_ns.max(initial=int(rows.time_ns.max()))
    found = set()
    for row in running:
        middle = int(rows.time_ns[row] - rows.wall_ns[row] // 2)
        share = (middle - origin_ns(profile)) / (int(end) - origin_ns(profile))
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 24 + 9)
        owner = int(spans.transaction[rows.span[row]])
        text = page.text_content("#tip")
        assert f"#{spans.id[owner]}" in text
        found.add(owner)
    assert len(found) > 1


def test_the_list_tells_durations_and_failures(page, profile):
    table = profile.transactions()
    shown = page.locator(".group .pick-about").all_text_contents()
    p50, p95 = (table[name].map(words.duration) for name in ("p50_ns", "p95_ns"))
    assert shown == [f"p50 {a} · p95 {b}" for a, b in zip(p50, p95, strict=True)]
    failed = page.locator(".group .pick-errors").all_text_contents()
    assert failed == [f"{count} failed" for count in table["errors"] if count]


def test_sparklines(page, profile):
    labels = page.eval_on_selector_all(".sparkline", "all => all.map(s => s.ariaLabel)")
    table = profile.transactions()
    assert len(labels) == len(table)
    failed = [int(n[1]) if (n := re.search(r"(\d+) failed", text)) else 0 for text in labels]
    assert failed == table["errors"].tolist()
    assert page.locator(".spark-failed").count() >= 1


def test_shares_have_their_error(page, profile):
    page.click("text=Everything")
    page.wait_for_selector("#table-grid[data-errors=yes]")
    table = profile.functions()
    table = table[table["self_ns"] > 0]
    found = page.eval_on_selector_all(
        ".row",
        "rows => rows.map(r => [...r.querySelectorAll('.error')].map(e => +e.dataset.error))",
    )
    for column, name in enumerate(("self", "total")):
        share, low, high = (table[f"{name}_share{end}"] for end in ("", "_low", "_high"))
        wanted = np.maximum(high - share, share - low)
        assert [row[column] for row in found] == pytest.approx(wanted.tolist(), abs=1e-9)
    page.locator(".instance").first.click()
    page.wait_for_selector("#table-grid[data-errors=no]")
    assert "no ±" in page.text_content("#errors")


# --- heights, keys, address --------------------------------------------------------------------


def test_panes_are_dragged_and_moved_by_keys(page, show):
    before = page.locator("#charts").bounding_box()
    bar = page.locator("#split-main").bounding_box()
    x, y = bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 300, steps=4)
    page.mouse.up()
    after = page.locator("#charts").bounding_box()
    assert after["height"] == pytest.approx(before["height"] - 300, abs=8)
    page.focus("#split-main")
    page.keyboard.press("ArrowDown")
    assert page.locator("#charts").bounding_box()["height"] > after["height"]
    page.focus("#split-spans")
    rows = page.locator("#spans-pane").bounding_box()["height"]
    page.keyboard.press("ArrowDown")
    assert page.locator("#spans-pane").bounding_box()["height"] == pytest.approx(rows + 26, abs=2)
    state = hash_of(page)
    heights = [page.locator(p).bounding_box()["height"] for p in ("#charts", "#spans-pane")]
    show("webapp", "#" + page.url.partition("#")[2])
    again = [page.locator(p).bounding_box()["height"] for p in ("#charts", "#spans-pane")]
    assert again == pytest.approx(heights, abs=1)
    assert {"split", "rows"} <= set(state)
    page.dblclick("#split-main")
    page.focus("#split-spans")
    page.keyboard.press("Enter")
    assert not {"split", "rows"} & set(hash_of(page))


def test_arrows_move_the_time_where_nothing_else_has_them(page):
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowUp")
    start, end = numbers(hash_of(page)["x"])
    page.keyboard.press("ArrowRight")
    later = numbers(hash_of(page)["x"])
    assert later[0] > start
    assert later[1] - later[0] == pytest.approx(end - start, abs=2)
    page.keyboard.press("0")
    assert "x" not in hash_of(page)


def test_an_address_with_nonsense_is_read_as_far_as_it_goes(show, profile):
    page = show("webapp", "#t=all&tab=top-down&off=9~x&hide=-1~99999&focus=1e9&box=7~1~2&split=9e9")
    assert page.text_content("#choose-tab [aria-selected=true]") == "Top Down"
    check_tree(page, profile, "top-down")


def test_tracks_of_all_threads_meanwhile(page, profile):
    """They are drawn below the transaction's own, and the table stays the transaction's."""
    view = chosen(page, profile)
    page.focus("#flame")
    depths = 0
    page.keyboard.press("ArrowDown")
    while said(page) and f"depth {depths + 1}" in said(page):
        depths += 1
        before = said(page)
        page.keyboard.press("ArrowDown")
        if said(page) == before:
            break
    page.click("#threads summary")
    page.check("#threads-others")
    page.keyboard.press("Escape")
    assert hash_of(page)["tracks"] == "all"
    check_bottom_up(page, view)
    page.focus("#flame")
    told = []
    for _ in range(depths + 12):
        page.keyboard.press("ArrowDown")
        told.append(said(page))
    main = "serve_forever"  # what only the main thread runs
    assert any(text.startswith(main) for text in told)
    for _ in range(20):
        page.keyboard.press("ArrowUp")
        if said(page).startswith(main):
            break
    page.keyboard.press("Enter")
    page.keyboard.press("5")
    page.wait_for_selector(f".frame-name:text-is('{main}')")
    assert "of the box" in page.text_content("#stack-count")
    assert main in page.text_content(".trace")
    page.click("text=Everything")
    assert page.is_disabled("#threads-others")


def test_processes_are_switched_off(show, profiles):
    page, profile = show("two", "#t=all"), profiles["two"]
    page.click("#threads summary")
    titles = page.locator(".threads-process .threads-name").all_text_contents()
    assert [title.split()[:2] for title in titles] == [["Process", "100"], ["Process", "200"]]
    assert page.locator(".threads-thread").count() == len(profile.tables.threads)
    page.locator(".threads-process input").first.uncheck()
    check_bottom_up(page, profile.process(200))
    page.click("#threads-all")
    check_bottom_up(page, profile)


# --- where somebody has got to -----------------------------------------------------------------


def places(page):
    return page.evaluate(
        "['flame-scroll', 'table-rows'].map(id => document.getElementById(id).scrollTop)"
    )


@pytest.mark.parametrize("direction", ["icicle", "flame"])
def test_open_rows_and_scrolled_panes_are_in_the_address(show, direction):
    page = show("webapp", f"#t=all&tab=top-down&direction={direction}")
    page.set_viewport_size({"width": 1200, "height": 640})
    try:
        page.locator("#table-inner .row").first.focus()
        for _ in range(7):
            page.keyboard.press("*")
            page.keyboard.press("ArrowDown")
        page.evaluate(
            "document.getElementById('flame-scroll').scrollTop = 30;"
            "document.getElementById('table-rows').scrollTop = 61"
        )
        there = places(page)
        assert there == [30, 61]
        said = hash_of(page)
        opened = page.get_attribute("#table-grid", "aria-rowcount")
        address = page.url
        page.goto("about:blank")
        page.goto(address)
        ready(page)
        until(page, "document.getElementById('table-rows').scrollTop > 0")
        assert page.get_attribute("#table-grid", "aria-rowcount") == opened
        assert places(page) == there
        assert hash_of(page) == said
    finally:
        page.set_viewport_size(TALL)
