"""The page under fingers: they pan, pinch, draw a window and choose."""

from __future__ import annotations

import re

import pytest

from helpers.chromium import page_of
from helpers.pageviews import VIEWS

pytestmark = pytest.mark.browser


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


@pytest.fixture(scope="module")
def phone():
    with page_of("about:blank", width=390, height=844, has_touch=True, is_mobile=True) as page:
        yield page


@pytest.fixture
def touched(phone, tmp_path):
    VIEWS[0].open(phone, tmp_path)
    phone.locator("#flame").scroll_into_view_if_needed()
    return phone


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
