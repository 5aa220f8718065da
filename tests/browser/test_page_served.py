"""``flamespan view``: many recordings, large ones piece by piece, ones that are being written."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from flamespan.aggregator import compare, load
from flamespan.viewer.aggregatedata import Asked, select
from flamespan.viewer.answers import Answers
from flamespan.viewer.pagedata import origin_ns
from flamespan.viewer.recordings import Recordings
from flamespan.viewer.server import PageServer
from helpers import webapp
from helpers.chromium import page_of
from helpers.pagetable import TALL, check_bottom_up, ready
from helpers.scenes import shop

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    webapp.write(folder / "a-webapp.fspan")
    shop().write(folder / "b-shop.fspan")
    return folder


def read(paths):
    return load(*paths, keep_samples=True)


@pytest.fixture(scope="module")
def server(folder):
    """Everything but the smallest recordings is sent piece by piece."""
    with PageServer(Answers(Recordings([str(folder)], read), whole_samples=100)) as server:
        server.serve_in_background()
        yield server
        server._server.shutdown()


@pytest.fixture(scope="module")
def browser_page(server):
    with page_of(server.url, **TALL) as page:
        yield page


def opened(page, address):
    page.goto("about:blank")
    page.goto(address)
    ready(page)
    return page


@pytest.fixture(scope="module")
def ids(server):
    listed = server._answers.recordings.listed()
    assert len(listed) == 2
    return [recording.id for recording in listed]


def loaded_anew(page, act):
    page.evaluate("document.body.dataset.old = 'yes'")
    act()
    page.wait_for_selector("body[data-ready]:not([data-old])")


def test_recordings_are_listed_and_chosen(browser_page, server, folder, ids):
    page = opened(browser_page, server.url)
    values = page.eval_on_selector_all("#recordings-choose option", "e => e.map(o => o.value)")
    assert values == ["all", *ids]
    loaded_anew(page, lambda: page.select_option("#recordings-choose", ids[1]))
    profile = load(folder / "b-shop.fspan")
    names = page.locator(".group .pick-name").all_text_contents()
    assert names == profile.transactions()["transaction"].tolist()
    assert f"r={ids[1]}" in page.url
    page.reload()
    ready(page)
    assert page.input_value("#recordings-choose") == ids[1]
    loaded_anew(page, page.go_back)
    assert page.input_value("#recordings-choose") == "all"
    loaded_anew(page, lambda: page.evaluate("r => { location.hash = `t=all&r=${r}`; }", ids[0]))
    assert page.input_value("#recordings-choose") == ids[0]
    assert page.text_content("#heading h1") == "Everything"


def test_a_large_recording_comes_transaction_by_transaction(browser_page, server, folder, ids):
    profile = load(folder / "a-webapp.fspan")
    asked = []
    browser_page.on("request", lambda request: asked.append(request.url))
    page = opened(browser_page, f"{server.url}#r={ids[0]}")
    first = int(page.url.partition("#t=")[2].partition("&")[0])
    spans = profile.tables.spans
    check_bottom_up(page, profile.transaction(int(spans.id[first])))
    pieces = [url for url in asked if "/samples?" in url]
    assert [url.partition("t=")[2] for url in pieces] == [str(first)]
    page.locator(".instance").nth(2).click()
    page.wait_for_selector(".instance:nth-child(3)[aria-current]")
    row = int(page.locator(".instance").nth(2).get_attribute("data-pick"))
    check_bottom_up(page, profile.transaction(int(spans.id[row])))
    page.click("text=Outside transactions")
    page.wait_for_selector("#spans-pane", state="hidden")
    check_bottom_up(page, profile.outside_transactions())
    page.click("text=Everything")
    page.wait_for_selector("#heading h1:text-is('Everything')")
    check_bottom_up(page, profile)


def test_the_last_question_is_answered_whatever_comes_first(browser_page, server, ids):
    page = opened(browser_page, f"{server.url}#r={ids[0]}&t=all")
    page.evaluate("""() => {
      const { fetch } = window;
      let slow = 400;
      window.fetch = async (...asked) => {
        const wait = slow;
        slow = 0;
        await new Promise((done) => setTimeout(done, wait));
        return fetch(...asked);
      };
    }""")
    page.click("#picker-list .group")
    first, second = page.locator("#picker-list .instance").all()[:2]
    wanted = second.get_attribute("data-pick")
    first.click()
    second.click()
    page.wait_for_timeout(700)
    assert f"t={wanted}&" in f"{page.url}&"
    assert page.get_attribute("#main", "aria-busy") is None


def test_served_aggregates_have_every_clock_and_fold(browser_page, server, folder, ids):
    profile = load(folder / "a-webapp.fspan")
    page = opened(browser_page, f"{server.url}#v=aggregate&r={ids[0]}")
    for clicks, asked in (
        (["cpu"], Asked(clock="cpu")),
        (["gil"], Asked(clock="gil")),
        (["wait", "application"], Asked(clock="wait", frames="application")),
        (["wall", "all", "direct"], Asked(recursion="direct")),
        (["cycles"], Asked(recursion="cycles")),
    ):
        for value in clicks:
            page.click(f"#aggregate [data-value={value}]")
        view = select(profile, asked)
        total = f"#aggregate [data-total-ns='{view.total_ns}']"
        page.wait_for_selector(f"#aggregate:not([aria-busy]) {total.partition(' ')[2]}")
        names = page.locator("#aggregate tbody .fn").all_text_contents()
        assert names == view.functions()["function"].tolist()


def test_keys_of_the_aggregate_focus_hide_and_find(browser_page, server, folder, ids):
    profile = load(folder / "a-webapp.fspan")
    page = opened(browser_page, f"{server.url}#v=aggregate&r={ids[0]}")

    def shows(view):
        total = f"[data-total-ns='{view.total_ns}']"
        page.wait_for_selector(f"#aggregate:not([aria-busy]) {total}")
        names = page.locator("#aggregate tbody .fn").all_text_contents()
        assert names == view.functions()["function"].tolist()

    page.wait_for_selector("#aggregate:not([aria-busy]) tbody tr")
    page.keyboard.press("/")
    page.keyboard.type("discount")
    page.keyboard.press("Enter")
    page.wait_for_selector("#aggregate-detail .detail-name:text-is('discount')")
    assert page.text_content("#live").startswith("discount, ")
    page.keyboard.press("Escape")
    page.locator("#aggregate-graph").focus()
    page.keyboard.press("f")
    page.wait_for_selector("#aggregate [data-cut=focus]")
    shows(profile.focus("discount"))
    page.keyboard.press("f")
    page.wait_for_selector("#aggregate [data-cut=focus]", state="detached")
    shows(profile)
    page.keyboard.press("h")
    page.wait_for_selector("#aggregate [data-cut=hidden]")
    shows(profile.hide("discount"))
    page.keyboard.press("Escape")
    page.wait_for_selector("#aggregate [data-cut=hidden]", state="detached")
    shows(profile)
    page.keyboard.press("r")
    page.wait_for_selector("#aggregate [data-value=direct][aria-checked=true]")
    shows(profile.collapse_recursion("direct"))


def test_two_recordings_are_compared(browser_page, server, folder, ids):
    page = opened(browser_page, f"{server.url}#v=compare")
    assert "Choose two recordings" in page.text_content("#compare .view-error")
    page.select_option("#compare-base", ids[0])
    page.select_option("#compare-new", ids[1])
    page.wait_for_selector("#compare-summary")
    found = compare(load(folder / "a-webapp.fspan"), load(folder / "b-shop.fspan"))
    names = page.locator("#compare tbody .fn").all_text_contents()
    assert names == found.table["function"].tolist()


def changes(page):
    return page.eval_on_selector_all(
        "#compare tbody [data-key='share']", "cells => cells.map(c => +c.dataset.value)"
    )


def test_two_stretches_of_one_recording_are_compared(browser_page, server, folder, ids):
    profile = load(folder / "a-webapp.fspan")
    page = opened(browser_page, f"{server.url}#v=compare&r={ids[0]}")
    page.click("#compare-halves")
    page.wait_for_selector("#compare-summary")
    origin = origin_ns(profile)
    between = dict(part.split("=") for part in page.url.partition("#")[2].split("&"))
    edges = [[int(n) for n in between[key].replace("%7E", "~").split("~")] for key in ("bb", "nb")]
    sides = [profile.between(origin + a, origin + b) for a, b in edges]
    assert changes(page) == compare(*sides).table["std_share_change"].tolist()
    assert "0 ms to 1.28 s" in page.text_content("#compare h1")
    page.click("#compare-sides [data-value=total]")
    total = compare(*sides, measure="total").table["std_share_change"].tolist()
    page.wait_for_selector("#compare-sides [data-value=total][aria-checked=true]")
    page.wait_for_selector("#compare:not([aria-busy]) .view-about:has-text('total wall time')")
    assert changes(page) == total
    page.fill("#compare-bb-to", "0.2")
    page.keyboard.press("Tab")
    assert "bb=0%7E200000000" in page.url
    page.wait_for_selector("#compare:not([aria-busy])")
    page.select_option("#compare-name", "0")
    assert "n=" in page.url
    page.wait_for_selector("#compare:not([aria-busy])")


def test_a_wrong_address_says_what_to_do(server):
    wrong = server.url[:-6] + "xxxxx/"
    code, text = refusal(wrong)
    assert code == 404
    assert "This address is not valid" in text
    assert server.url.split("/")[3] not in text
    assert "flamespan-data" not in text


def refusal(address):
    """Status and words of an answer that is none."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(address, timeout=30)
    with refused.value as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.code, answer.read().decode()


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("recording?r=nope", "no recording 'nope' here"),
        ("samples?t=99999", "no transaction in row '99999'"),
        ("aggregate?name=GET+/nope", "no transaction 'GET /nope'"),
        ("aggregate?frames=x", "no frames 'x'; there are all, application, system"),
        ("aggregate?root=999999", "no node 999999"),
        ("aggregate?root=-1", "root=-1: write the number of a node"),
        ("aggregate?nonsense=1", "an aggregate has no nonsense"),
        ("comparison?measure=x", "no measure 'x'"),
        ("comparison?base_between=a~b", "write FROM~TO in nanoseconds"),
    ],
)
def test_what_cannot_be_answered_is_said(server, what, said):
    code, text = refusal(server.url + what)
    assert code == 422
    assert said in text


def test_there_is_nothing_else(server):
    for what in ("..%2fsecret", "page", "recordings/../x", "token"):
        assert refusal(server.url + what)[0] == 404


def test_a_recording_that_grows_is_read_again(tmp_path):
    source = tmp_path / "source.fspan"
    webapp.write(source)
    growing = tmp_path / "growing" / "app.fspan"
    growing.parent.mkdir()
    growing.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    recordings = Recordings([str(growing.parent)], read)
    (only,) = recordings.listed()
    before, state = recordings.profile(only.id), recordings.state(only.id)
    assert recordings.profile(only.id) is before
    assert len(before.rows) < len(load(source).rows)
    shutil.copy(source, growing)
    assert recordings.state(only.id) != state
    assert len(recordings.profile(only.id).rows) == len(load(source).rows)


PROGRAM = """
import sys, time
from flamespan import profiler
profiler.start(sys.argv[1])
print("on", flush=True)
while True:
    with profiler.transaction("work"):
        sum(range(100_000))
"""


def test_a_program_that_still_records_is_looked_at(browser_page, tmp_path):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "on\n"
        recordings = Recordings([str(tmp_path)], read)
        until = time.monotonic() + 30
        while not (recordings.listed() and len(recordings.profile("all").rows)):
            assert time.monotonic() < until
            time.sleep(0.2)
        with PageServer(Answers(recordings)) as server:
            server.serve_in_background()
            page = opened(browser_page, server.url)
            before = number(page)
            assert "no clean end" in page.text_content("#details-body")
            page.wait_for_selector("#recordings-reload.grown")
            with page.expect_navigation():
                page.click("#recordings-reload")
            ready(page)
            assert number(page) > before > 0
            page.goto("about:blank")
            server._server.shutdown()
    finally:
        child.kill()
        child.communicate()


def number(page):
    """How many samples the page says it has."""
    said = page.text_content("#about").rpartition(" · ")[2]
    return int(re.sub(r"\D", "", said))
