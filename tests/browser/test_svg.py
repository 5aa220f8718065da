"""The flame graph picture in a real browser: zoom, search, way back, no complaint."""

import pytest

from flamespan.aggregator.exporting import export
from helpers.chromium import page_of
from helpers.scenes import shop

pytestmark = pytest.mark.browser


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "flame.svg"
    export(shop().profile(), "svg", path)
    with page_of(path.as_uri()) as page:
        yield page


def box(page, name, place=0):
    return page.locator(f'.boxes .b[data-name="{name}"]').nth(place)


def width(page, name, place=0):
    return float(box(page, name, place).locator("rect").get_attribute("width"))


def test_the_picture_fills_the_window_and_keeps_shares(page):
    whole = page.evaluate("document.documentElement.clientWidth") - 20
    assert width(page, "main") == pytest.approx(whole * 280 / 360, abs=0.1)
    page.set_viewport_size({"width": 700, "height": 500})
    page.wait_for_function(f"{width(page, 'main')} > 700 || true")
    assert width(page, "main") == pytest.approx(680 * 280 / 360, abs=0.1)


def test_zoom_in_and_out(page):
    whole = page.evaluate("document.documentElement.clientWidth") - 20
    box(page, "cart").click()
    assert width(page, "cart") == width(page, "main") == pytest.approx(whole, abs=0.1)
    assert not box(page, "slow").is_visible()
    assert width(page, "render") == pytest.approx(whole * 0.2, abs=0.1)
    assert box(page, "load_items").locator("text").text_content() == "load_items"
    assert "past" in box(page, "main").get_attribute("class")
    page.get_by_role("button", name="Zoom out").click()
    assert box(page, "slow").is_visible()
    box(page, "walk", 2).click()
    page.keyboard.press("Escape")
    assert width(page, "main") == pytest.approx(whole * 280 / 360, abs=0.1)
    assert page.get_by_role("button", name="Zoom out").is_disabled()


def test_search_counts_nested_matches_once(page):
    page.keyboard.press("/")
    page.keyboard.type("walk")
    assert page.locator(".found").count() == 3
    assert page.locator(".status").text_content() == (
        "25.0 % of the time is in what was found (3 boxes)"
    )
    page.locator("input").fill("^(sort|render) ")
    assert page.locator(".status").text_content().startswith("52.8 % of the time")
    page.locator("input").fill("([")
    assert page.locator(".status").text_content() == "Nothing found"
    page.get_by_role("button", name="Clear").click()
    assert page.locator(".found").count() == 0


def test_the_legend_picks_an_origin_and_hovering_tells_details(page):
    page.locator(".legend .o2").click()
    found = page.locator(".found").evaluate_all("all => all.map(b => b.dataset.name)")
    assert set(found) == {"run", "execute", "sort"}
    page.locator(".legend .o2").click()
    assert page.locator(".found").count() == 0
    box(page, "execute").hover()
    assert "execute (/lib/code.py:1)" in page.locator(".status").text_content()


def test_without_scripts_the_picture_is_whole(tmp_path):
    path = tmp_path / "flame.svg"
    export(shop().profile(), "svg", path)
    with page_of(path.as_uri(), java_script_enabled=False) as page:
        assert box(page, "main").locator("text").text_content() == "main"
        assert not page.locator(".tools").is_visible()
