"""Waiting on the page: the bar's numbers are the DataFrame's, suspended tasks have their lane."""

from __future__ import annotations

import pytest

from flamespan.aggregator.waiting import COLUMNS
from flamespan.viewer.html import render_html
from helpers import waits, webapp
from helpers.chromium import page_of
from helpers.pagestate import walk_to
from helpers.pagetable import ready

pytestmark = pytest.mark.browser

SCENES = {"tasks": waits.tasks, "gil": waits.gil, "webapp": webapp.build}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """{scene: (profile, address of its page)}"""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, scene in SCENES.items():
        profile = scene().profile()
        path = folder / f"{name}.html"
        path.write_text(render_html(profile), encoding="utf-8")
        found[name] = profile, path.as_uri()
    return found


def goto(page, address, place):
    page.goto("about:blank")
    page.goto(f"{address}#{place}")
    ready(page)


def shown(page):
    """{span row: {column: ns}} of the bars in the panel; what a bar says is what it is."""
    bars = page.eval_on_selector_all(
        "#details .waiting",
        "sections => sections.map(s => [+s.dataset.span, Object.fromEntries([..."
        "s.querySelectorAll('[data-part]')].map(e => [e.dataset.part, +e.dataset.ns]))])",
    )
    return dict(bars)


def expected(profile):
    tables = [profile.waiting(by, instances=True) for by in ("transaction", "span")]
    return {
        row["row"]: {name: row[name] for name in COLUMNS if row[name]}
        for table in tables
        for row in table.to_dict("records")
    }


@pytest.mark.parametrize("scene", SCENES)
def test_every_bar_has_the_numbers_of_the_data_frame(pages, scene):
    profile, address = pages[scene]
    wanted, spans = expected(profile), profile.tables.spans
    assert len(wanted) == len(spans)
    with page_of(f"{address}#t=none") as page:
        ready(page)
        for row, parts in wanted.items():
            root = int(spans.transaction[row])
            walk_to(page, f"t={root}" + ("" if row == root else f"&span={row}"))
            found = shown(page)
            rows = {root, row}
            assert found == {at: wanted[at] for at in rows if wanted[at]}
            widths = page.eval_on_selector_all(
                f"#details [data-span='{row}'] .wait-bar .wait",
                "parts => parts.map(p => +p.style.flexGrow)",
            )
            whole = sum(parts.values()) or 1
            assert widths == pytest.approx([ns / whole for ns in parts.values()], abs=1e-5)


def test_who_held_the_gil_is_named_even_from_outside_of_the_view(pages, tmp_path):
    profile, _ = pages["gil"]
    view = profile.transaction("GET /victim")
    table = view.gil_holders("transaction", instances=True)
    path = tmp_path / "one.html"
    path.write_text(render_html(view), encoding="utf-8")
    with page_of(path.as_uri()) as page:
        ready(page)
        shown = page.eval_on_selector_all(
            "#details .holders li", "items => items.map(i => [i.dataset.holder, +i.dataset.ns])"
        )
        assert shown == table[["holder", "wait_ns"]].to_numpy().tolist()
        assert shown[0] == ["sorted", 20 * waits.MS]


def test_parts_are_told_by_words_and_patterns_too(pages):
    _, address = pages["tasks"]
    with page_of(address) as page:
        ready(page)
        said = page.get_attribute("#details .wait-bar", "aria-label")
        assert "awaiting: 40.0 ms, 50.0 %" in said
        assert "waits for loop: 10.0 ms, 12.5 %" in said
        kinds = "cpu other gil blocked awaiting loop"
        patterns = page.evaluate(
            "kinds => kinds.split(' ').map(kind => {"
            " const made = document.createElement('span'); made.className = 'wait ' + kind;"
            " document.body.append(made); return getComputedStyle(made).backgroundImage; })",
            kinds,
        )
        # Patterns without their colours, which are one ink.
        assert len(set(patterns)) == len(kinds.split()), patterns


def lane_tip(page, x_share, text):
    """Looks down the flame chart at one time for a box whose tip says ``text``."""
    box = page.locator("#flame").bounding_box()
    for y in range(30, int(box["height"]), 9):
        page.mouse.move(box["x"] + x_share * box["width"], box["y"] + y)
        page.wait_for_timeout(20)
        said = page.text_content("#tip") if page.is_visible("#tip") else ""
        if text in said:
            return said
    return ""


def test_a_transaction_shows_what_it_awaits_and_only_that(pages):
    profile, address = pages["tasks"]
    roots = [row for row, parent in enumerate(profile.tables.spans.parent) if parent < 0]
    with page_of(address) as page:
        goto(page, address, f"t={roots[0]}")
        tip = lane_tip(page, 0.3, "query")
        assert "awaiting 40.0 ms, waiting for its event loop 10.0 ms" in tip
        assert not lane_tip(page, 0.3, "handle_b")
        goto(page, address, f"t={roots[1]}")
        assert "awaiting 60.0 ms" in lane_tip(page, 0.3, "read")
        assert not lane_tip(page, 0.3, "handle_a")


def test_everything_shows_what_the_thread_did(pages):
    """Both requests await at 35 ms, while the thread waits in select."""
    _, address = pages["tasks"]
    with page_of(address) as page:
        goto(page, address, "t=all")
        assert lane_tip(page, 0.35, "select")
        assert not lane_tip(page, 0.35, "awaiting")
        chart = page.locator("#flame").screenshot()
        goto(page, address, "t=all&states=all")
        assert "220 ms" in page.text_content("#sums")
        assert page.locator("#flame").screenshot() != chart


def test_a_span_says_what_it_waited_for(pages):
    _, address = pages["tasks"]
    with page_of(address) as page:
        ready(page)
        box = page.locator("#spans").bounding_box()
        page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 34)
        page.wait_for_selector("#tip:visible")
        assert "awaiting 40.0 ms · waits for loop 10.0 ms" in page.text_content("#tip")
