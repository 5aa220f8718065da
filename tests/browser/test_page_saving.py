"""The Save menu: each file holds what is shown, by the rules of its format."""

from __future__ import annotations

import json
import struct
import xml.etree.ElementTree as ET
from io import StringIO
from pathlib import Path

import pytest

from flamespan.aggregator import compare
from flamespan.aggregator.exporting import collapsed
from flamespan.viewer.html import render_comparison
from flamespan.viewer.layout import left_heavy
from helpers import speedscope_rules
from helpers.chromium import page_of
from helpers.pagetable import ready

pytestmark = pytest.mark.browser

NAME = "GET /cart"


@pytest.fixture(scope="module")
def browser_page(file):
    with page_of(file, width=1440, height=900) as page:
        yield page


@pytest.fixture
def page(browser_page, file):
    browser_page.goto("about:blank")
    browser_page.goto(file)
    ready(browser_page)
    return browser_page


def saved(page, kind):
    page.click("#save-open")
    with page.expect_download() as download:
        page.click(f"[data-save={kind}]")
    assert not page.locator("#save-list").is_visible()
    data = Path(download.value.path()).read_bytes()
    return download.value.suggested_filename, data


def folded(view):
    out = StringIO()
    collapsed.write(view, out)
    return out.getvalue()


def in_speedscope(text):
    """Nanoseconds of all stacks that are not empty."""
    data = speedscope_rules.check(text)
    return sum(
        weight
        for line in data["profiles"]
        for stack, weight in zip(line["samples"], line["weights"], strict=True)
        if stack
    )


def shown(page, profile):
    row = int(page.url.partition("t=")[2].partition("&")[0])
    return profile.transaction(int(profile.tables.spans.id[row]))


def test_collapsed_stacks_of_a_transaction(page, profile):
    page.click("#frames [data-value=application]")
    name, data = saved(page, "collapsed")
    assert name.endswith("-transaction.collapsed.txt")
    assert data.decode() == folded(shown(page, profile).application_frames())


def test_speedscope_of_a_transaction_and_of_everything(page, profile):
    assert in_speedscope(saved(page, "speedscope")[1].decode()) == shown(page, profile).total_ns
    page.click("#choose-clock [data-value=cpu]")
    view = shown(page, profile).clock("cpu")
    assert in_speedscope(saved(page, "speedscope")[1].decode()) == view.total_ns
    page.click("#choose-clock [data-value=wall]")
    page.click("text=Everything")
    assert in_speedscope(saved(page, "speedscope")[1].decode()) == profile.total_ns


def test_json_of_a_transaction(page, profile):
    view = shown(page, profile)
    told = json.loads(saved(page, "json")[1])
    table = view.functions().set_index(["function", "file", "line"])
    assert told["total_ns"] == view.total_ns
    assert len(told["functions"]) == len(table)
    for row in told["functions"]:
        wanted = table.loc[(row["function"], row["file"], row["line"])]
        assert (row["self_ns"], row["total_ns"]) == (wanted["self_ns"], wanted["total_ns"])
    tree = told["tree"]
    assert tree["total_ns"][0] == sum(tree["self_ns"]) == view.total_ns
    assert len(tree["parent"]) == (view.tree().total_ns > 0).sum()


def test_pictures_of_a_transaction(page):
    name, data = saved(page, "png")
    assert name.endswith(".png")
    width, height = struct.unpack(">II", data[16:24])
    assert data.startswith(b"\x89PNG")
    assert width > 700
    assert height > 200
    picture = ET.fromstring(saved(page, "svg")[1])
    texts = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert page.text_content("#heading h1") in texts
    assert len(texts) > 10


def test_an_aggregate(page, profile, file):
    page.goto(f"{file}#v=aggregate&n=GET+%2Fcart&op=http.server&f=application")
    page.wait_for_selector("body[data-view=aggregate] #aggregate:not([aria-busy]) tbody tr")
    view = profile.transaction(NAME).application_frames()
    assert saved(page, "collapsed")[1].decode() == folded(view)
    assert in_speedscope(saved(page, "speedscope")[1].decode()) == view.total_ns
    told = json.loads(saved(page, "json")[1])
    table = view.functions()
    assert told["functions"]["function"] == table["function"].tolist()
    assert told["functions"]["self_share_low"] == [
        None if value != value else value for value in table["self_share_low"]
    ]
    assert saved(page, "png")[1].startswith(b"\x89PNG")
    picture = ET.fromstring(saved(page, "svg")[1])
    boxes = list(picture.iter("{http://www.w3.org/2000/svg}title"))
    assert len(boxes) == 1 + len(left_heavy(view.tree()))  # the first is the title of all


def test_everything_together(page, profile, file):
    page.goto(f"{file}#v=aggregate")
    page.wait_for_selector("body[data-view=aggregate] #aggregate:not([aria-busy]) tbody tr")
    assert saved(page, "collapsed")[1].decode() == folded(profile)


def test_a_comparison(browser_page, profile, tmp_path):
    found = compare(profile.transaction("GET /cart"), profile.transaction("GET /report"))
    path = tmp_path / "diff.html"
    path.write_text(render_comparison(found), encoding="utf-8")
    page = browser_page
    page.goto(path.as_uri())
    ready(page)
    page.wait_for_selector("#compare-summary")
    told = json.loads(saved(page, "json")[1])
    assert told["table"]["new_self_ns"] == found.table["new_self_ns"].tolist()
    assert "gone: " in saved(page, "svg")[1].decode()
    assert saved(page, "png")[1].startswith(b"\x89PNG")
    page.click("#save-open")
    assert page.is_disabled("[data-save=collapsed]")
    assert "--folded" in page.get_attribute("[data-save=collapsed]", "title")
    page.keyboard.press("Escape")
    assert not page.locator("#save-list").is_visible()


def test_the_menu_by_keyboard(page):
    page.focus("#save-open")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.save") == "png"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "save-open"
