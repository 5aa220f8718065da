"""Page files of their own in a real browser: hostile, empty, served, on small screens."""

from __future__ import annotations

import cProfile
import json
import re

import pytest

from flamespan.aggregator import load
from flamespan.viewer.answers import Answers
from flamespan.viewer.html import render_html
from flamespan.viewer.recordings import Recordings
from flamespan.viewer.server import PageServer
from helpers import webapp
from helpers.chromium import page_of
from helpers.drawn import Drawing, draw
from helpers.pagetable import TALL, check_bottom_up, ready

pytestmark = pytest.mark.browser
ASK = "fetch('http://127.0.0.1:9/').then(() => 'answered', () => 'refused')"
ADD = """(() => {
  const script = document.createElement("script");
  script.textContent = "window.ran = 'run'";
  document.body.append(script);
  return window.ran ?? "not run";
})()"""


@pytest.fixture(scope="module")
def profile():
    return webapp.build().profile()


@pytest.fixture(scope="module")
def file(profile, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "webapp.html"
    path.write_text(render_html(profile), encoding="utf-8")
    return path.as_uri()


def test_policy_stops_requests_and_added_scripts(file):
    done = []

    def try_it():
        with page_of(file) as page:
            ready(page)
            done.append(page.evaluate(ASK))
            done.append(page.evaluate(ADD))

    with pytest.raises(AssertionError, match="Content Security Policy"):
        try_it()
    assert done == ["refused", "not run"]


def test_hostile_names_are_shown_and_not_run(tmp_path):
    name = "<img src=x onerror=document.title='owned'>"
    path = tmp_path / "page.html"
    path.write_text(render_html(draw([(f"main;{name}", 10**6)]), title=name), encoding="utf-8")
    with page_of(path.as_uri()) as page:
        ready(page)
        assert page.locator(".fn").first.text_content() == name
        assert page.locator("#title").text_content() == name
        assert page.locator("img").count() == 0
        assert "owned" not in page.title().replace(name, "")


def test_served_page_is_the_same(profile):
    answers = Answers(Recordings([], lambda _: profile))
    with PageServer(answers) as server:
        server.serve_in_background()
        with page_of(server.url, **TALL) as page:
            ready(page)
            name = page.text_content("#heading h1")
            assert name in profile.transactions()["transaction"].tolist()
            page.click("text=Everything")
            check_bottom_up(page, profile)
        server.stop()


# --- other recordings, other screens -----------------------------------------------------------


def test_without_transactions(tmp_path):
    profile = draw([("main;a;b", 7_000_000), ("main;a", 3_000_000), ("main;w", 2_000_000, "idle")])
    path = tmp_path / "plain.html"
    path.write_text(render_html(profile), encoding="utf-8")
    with page_of(path.as_uri()) as page:
        ready(page)
        assert page.text_content("#heading h1") == "Everything"
        assert page.is_hidden("#spans-pane")
        assert page.is_hidden("#picker-tools")
        check_bottom_up(page, profile)


def test_empty_recording(tmp_path):
    path = tmp_path / "empty.html"
    path.write_text(render_html(Drawing().profile()), encoding="utf-8")
    with page_of(path.as_uri()) as page:
        ready(page)
        assert page.is_visible("#flame-empty")
        assert "No sample" in page.text_content("#table-empty")


def test_foreign_profiles_have_the_numbers_and_the_order_of_their_table(tmp_path):
    """cProfile's totals are more than its stacks; of functions with one self time many are tied."""
    profiler = cProfile.Profile()
    profiler.runcall(lambda: sorted(json.dumps([n] * n) for n in range(60)))
    profiler.dump_stats(tmp_path / "x.prof")
    collapsed = tmp_path / "x.collapsed"
    collapsed.write_text("main;b 2\nmain;a 2\nmain;c;a 1\nmain;d 3\nd;main;c 2\n", "utf-8")
    with page_of("about:blank", **TALL) as page:
        for recorded in (tmp_path / "x.prof", collapsed):
            profile = load(recorded)
            path = recorded.with_suffix(".html")
            path.write_text(render_html(profile), encoding="utf-8")
            page.goto(path.as_uri())
            ready(page)
            check_bottom_up(page, profile)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (390, 844)])
def test_nothing_sticks_out(file, width, height, scheme):
    with page_of(file, width=width, height=height, color_scheme=scheme) as page:
        ready(page)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        edges = page.eval_on_selector_all(
            "#bar, #charts, #frames, #details, #picker, canvas",
            "e => e.map(x => x.getBoundingClientRect()).map(b => [b.left, b.right])",
        )
        assert all(left >= -0.5 and right <= width + 0.5 for left, right in edges)
        lefts = page.eval_on_selector_all(
            "canvas",
            "e => e.filter(c => c.clientWidth)"
            ".map(c => [c.getBoundingClientRect().left, c.clientWidth])",
        )
        assert len({tuple(place) for place in lefts}) == 1, "charts must share one axis"
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        dark = int(re.findall(r"\d+", background)[0]) < 128
        assert dark == (scheme == "dark")
