"""Every view of the page, wide, narrow and on paper: axe finds nothing, no text lies on another.

A view is opened once and looked at in each way; what a narrower window or other colours cannot
change is asked once.
"""

from __future__ import annotations

import pytest

from helpers.chromium import page_of
from helpers.npmpackage import fetched
from helpers.pagelooks import check_looks
from helpers.pageviews import VIEWS

pytestmark = pytest.mark.browser

AXE = "axe-core@4.11.4"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async (only) => {
  const found = await axe.run(document, { runOnly: only, resultTypes: ["violations"] });
  return found.violations.flatMap((v) => v.nodes.map((n) =>
    `${v.id}: ${n.target.join(" ")}: ${n.failureSummary}`));
}"""
EVERYTHING = {"type": "tag", "values": TAGS}
COLOURS = {"type": "rule", "values": ["color-contrast"]}
NARROW = {
    "type": "rule",
    "values": ["color-contrast", "target-size", "scrollable-region-focusable"],
}
"""What a narrow window has another answer to: it moves, hides and cuts, and renames nothing."""

WIDE_PX, NARROW_PX = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def axe(request):
    return (fetched(request.config, AXE) / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tab():
    with page_of("about:blank", reduced_motion="reduce") as page:
        yield page


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module", params=VIEWS, ids=[view.name for view in VIEWS])
def shown(request, tab, pages):
    """A view, opened in a wide window, and what it asked for."""
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    screen(tab)
    request.param.open(tab, pages)
    return tab, asked


def screen(page, size=WIDE_PX, scheme="light", media="screen"):
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme, media=media)


def test_nothing_overlaps_and_long_texts_end_in_dots(shown):
    page, asked = shown
    check_looks(page)
    screen(page, NARROW_PX)
    check_looks(page)
    screen(page, media="print")
    check_looks(page)
    files = [url for url in asked if url != "about:blank" and not url.startswith("data:")]
    assert len(files) == 1, "one request for each self-contained file"


@pytest.mark.npm
def test_axe_finds_nothing(shown, axe):
    page, _ = shown
    screen(page)
    page.evaluate(axe)
    assert page.evaluate(RUN, EVERYTHING) == []
    screen(page, scheme="dark")
    assert page.evaluate(RUN, COLOURS) == []
    screen(page, NARROW_PX)
    assert page.evaluate(RUN, NARROW) == []
