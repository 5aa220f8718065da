"""The page for everybody: the keyboard reaches all, fingers pan and pinch, paper has all rows."""

from __future__ import annotations

import re

import pytest

from helpers.chromium import page_of
from helpers.pagestate import walk_to
from helpers.pageviews import VIEWS

pytestmark = pytest.mark.browser


@pytest.fixture
def page(tmp_path):
    with page_of("about:blank", width=1200, height=800, reduced_motion="reduce") as page:
        VIEWS[0].open(page, tmp_path)
        yield page


# --- colours of the canvases, which axe cannot see ---------------------------------------------


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    """Contrast of two colours, as WCAG 2.2 defines it (relative luminance, sRGB)."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def mixed(over, under, opacity):
    pairs = [(int(over[i : i + 2], 16), int(under[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a * opacity + b * (1 - opacity)):02x}" for a, b in pairs)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_labels_and_marks_on_the_charts_can_be_read(page, scheme):
    page.emulate_media(color_scheme=scheme)
    style = "getComputedStyle(document.documentElement).getPropertyValue('--{}').trim()"

    def colour(name):
        return page.evaluate(style.format(name))

    panel, text = colour("panel"), colour("text")
    frames = [f"app-{i}" for i in range(5)] + ["library", "stdlib", "runtime"]
    for name in frames:
        assert contrast(colour("on-frame"), colour(name)) >= 4.5, name
    for i in range(7):
        assert contrast(text, mixed(colour(f"op-{i}"), panel, 0.28)) >= 4.5, f"op-{i}"
        assert contrast(colour(f"op-{i}"), panel) >= 3, f"op-{i}"
    for under in ("panel", "bg", "sunk", "heat", "found", "accent-soft"):
        assert contrast(colour("muted"), colour(under)) >= 4.5, under
        assert contrast(text, colour(under)) >= 4.5, under
    for name in ("edge", "accent", "error", "strong"):
        assert contrast(colour(name), panel) >= 3, name


# --- keyboard ----------------------------------------------------------------------------------


def test_the_list_of_transactions_is_one_tab_stop(page):
    stops = "[...document.querySelectorAll('#picker-list button')].filter(b => b.tabIndex === 0)"
    assert page.evaluate(f"{stops}.length") == 1
    page.focus("#picker-list [tabindex='0']")
    first = page.evaluate("document.activeElement.dataset.pick")
    page.keyboard.press("ArrowDown")
    second = page.evaluate("document.activeElement.dataset.pick")
    assert second != first
    assert page.evaluate(f"{stops}.map(b => b.dataset.pick)") == [second]
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.closest('#picker-list')")


def test_every_tab_stop_shows_that_it_has_the_focus(page):
    page.evaluate("document.activeElement.blur()")
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        name, ring = page.evaluate(
            "(() => { const e = document.activeElement; const s = getComputedStyle(e);"
            " return [e.id || e.dataset.value || e.dataset.sort || e.dataset.pick || e.className"
            " || e.tagName, s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2]; })()"
        )
        if name == "BODY" or name in seen:
            break
        seen.add(name)
        assert ring, name
    assert {"spans", "flame", "search", "details", "collapse"} <= seen


FOCUS_TAKEN_AWAY = [
    ("t=all&tab=sandwich&fn={fn}", "[data-action=f]", "[data-action=f]"),  # made anew
    ("t=all&tab=sandwich&fn={fn}", "[data-action=h]", "button"),  # with nothing to hide any more
    ("t=all&tab=sandwich&fn={fn}&hide={fn}", "#cuts button", "#frames *"),
    ("t=all&tab=sandwich&fn={fn}", "#frame-callers .neighbour-name", "#frame-body button"),
    ("t=all&x=1000000~2000000", "#zoom-reset", "#zoom-in"),  # disabled
    ("t=all&w=1000000~2000000", "#range-clear", "#charts button"),  # hidden
    ("v=aggregate", "[data-sort-by=total]", "[data-sort-by=total]"),
    ("v=aggregate", "#aggregate-back", "#view-transaction"),  # in another view
]


def test_the_focus_is_never_lost(page):
    fn = page.evaluate("document.querySelector('#table-inner .row').dataset.key.slice(1)")
    for place, pressed, focused in FOCUS_TAKEN_AWAY:
        walk_to(page, place.format(fn=fn))
        page.wait_for_selector(pressed)
        page.locator(pressed).first.focus()
        page.keyboard.press("Enter")
        page.wait_for_timeout(60)
        assert page.evaluate("wanted => document.activeElement.matches(wanted)", focused), (
            place,
            pressed,
            page.evaluate("document.activeElement.outerHTML.slice(0, 90)"),
        )


def test_the_table_is_a_treegrid(page):
    grid = page.locator("[role=treegrid]")
    assert int(grid.get_attribute("aria-rowcount")) > 1
    rows = page.locator("[role=treegrid] [role=row][aria-level]")
    assert rows.count() > 0
    for name in ("aria-level", "aria-rowindex", "aria-selected"):
        assert all(row.get_attribute(name) for row in rows.all())
    assert page.locator("[role=treegrid] [role=row] [role=gridcell]").count() == 3 * rows.count()
    assert page.locator("#table-inner [tabindex='0']").count() == 1


def test_a_window_without_dragging(page):
    """Zoom with buttons, then what is shown becomes the window (WCAG 2.5.7)."""
    assert page.is_hidden("#range-shown")
    page.click("#zoom-in")
    page.click("#range-shown")
    page.wait_for_selector("#range-text:visible")
    page.wait_for_timeout(300)
    parts = dict(part.split("=", 1) for part in page.url.partition("#")[2].split("&"))
    assert parts["w"] == parts["x"]


def test_nothing_moves_for_whom_that_is_too_much(page):
    moving = "[...document.querySelectorAll('*')].filter(e => {{ const s = getComputedStyle(e);"
    moving += " return s.transitionDuration !== '0s' || s.animationName !== 'none'; }}).length"
    assert page.evaluate(moving.replace("{{", "{").replace("}}", "}")) == 0


# --- paper -------------------------------------------------------------------------------------


PIXEL = """(() => {
  const copy = document.createElement("canvas").getContext("2d");
  copy.drawImage(document.getElementById("flame"), 300, 30, 1, 1, 0, 0, 1, 1);
  return [...copy.getImageData(0, 0, 1, 1).data];
})()"""


def drawn(page, wanted):
    """Whether the chart comes to show such a pixel: it is drawn anew a moment after a change."""
    for _ in range(100):
        if wanted(page.evaluate(PIXEL)):
            return True
        page.wait_for_timeout(20)
    return False


def test_paper_is_light_and_has_all_rows(tmp_path):
    with page_of("about:blank", width=900, height=600, color_scheme="dark") as page:
        VIEWS[0].open(page, tmp_path)
        dark = page.evaluate(PIXEL)
        page.emulate_media(media="print", color_scheme="dark")
        assert drawn(page, lambda pixel: pixel != dark and pixel[3] == 255)
        assert sum(page.evaluate(PIXEL)[:3]) > sum(dark[:3])
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert min(int(part) for part in re.findall(r"\d+", background)) > 230
        rows = page.locator("#table-inner .row").count()
        assert rows == int(page.get_attribute("#table-grid", "aria-rowcount")) - 1
        assert page.is_visible("#details")
        assert page.is_hidden("#picker")
        (tmp_path / "page.pdf").write_bytes(page.pdf())
        page.emulate_media(media="screen", color_scheme="dark")
        assert drawn(page, lambda pixel: pixel == dark)


# --- touch -------------------------------------------------------------------------------------


def shown(page):
    """(from, to) of what is shown, from the address; None for all."""
    page.wait_for_timeout(400)
    found = re.search(r"[#&]x=(\d+)(?:~|%7E)(\d+)", page.url)
    return found and (int(found[1]), int(found[2]))


class Fingers:
    """Fingers on a canvas, through the browser's own touch input."""

    def __init__(self, page, selector):
        self._send = page.context.new_cdp_session(page).send
        box = page.locator(selector).bounding_box()
        self.left, self.width = box["x"], box["width"]
        self.top = box["y"] + min(box["height"] / 2, 60)

    def do(self, kind, *shares):
        points = [
            {"x": self.left + share * self.width, "y": self.top, "id": i}
            for i, share in enumerate(shares)
        ]
        self._send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def drag(self, begins, ends, steps=8):
        self.do("touchStart", *begins)
        for i in range(1, steps + 1):
            at = [a + (b - a) * i / steps for a, b in zip(begins, ends, strict=True)]
            self.do("touchMove", *at)
        self.do("touchEnd")


@pytest.fixture
def touched(tmp_path):
    with page_of("about:blank", width=390, height=844, has_touch=True, is_mobile=True) as page:
        VIEWS[0].open(page, tmp_path)
        page.locator("#flame").scroll_into_view_if_needed()
        yield page


def test_two_fingers_zoom_and_one_moves(touched):
    page = touched
    assert shown(page) is None
    fingers = Fingers(page, "#flame")
    fingers.drag([0.4, 0.6], [0.2, 0.8])
    first, last = shown(page)
    zoomed = last - first
    whole = page.evaluate("document.querySelector('.took').textContent")
    assert zoomed == pytest.approx(float(whole.split()[0]) * 1e6 / 3, rel=0.1)
    fingers.drag([0.7], [0.3])
    later, end = shown(page)
    assert end - later == pytest.approx(zoomed, abs=3)
    assert later - first == pytest.approx(0.4 * zoomed, rel=0.15)
    fingers.drag([0.2, 0.8], [0.4, 0.6])
    out = shown(page)
    assert out is None or out[1] - out[0] > 2 * zoomed


def test_a_finger_on_the_scale_draws_a_window(touched):
    Fingers(touched, "#scale").drag([0.25], [0.75])
    touched.wait_for_selector("#range-text:visible")
    assert touched.evaluate("scrollX") == 0


def test_a_tap_chooses_the_function(touched):
    fingers = Fingers(touched, "#flame")
    fingers.do("touchStart", 0.5)
    fingers.do("touchEnd")
    touched.wait_for_timeout(400)
    assert re.search(r"[#&]fn=\d+", touched.url)
