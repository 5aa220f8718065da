"""A headless Chromium from the system; any error or network request in it fails the test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def executable() -> str:
    """Path of the system's Chromium; skips the test where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("no chromium on PATH (Debian: apt install chromium)")
    return found


@contextmanager
def page_of(url: str, *, width: int = 1200, height: int = 800, **context: object) -> Iterator:
    """A page at ``url``; afterwards there must have been no error and no outside request."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGS)
        page = browser.new_page(viewport={"width": width, "height": height}, **context)
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        page.on(
            "console",
            lambda said: said.type in ("error", "warning") and troubles.append(said.text),
        )
        page.on("request", lambda request: _check_request(request.url, troubles))
        try:
            page.goto(url)
            yield page
        finally:
            browser.close()
        # WebGL in software is slow, and Chromium says so; that is the machine's, not ours.
        troubles = [
            said for said in troubles if "GPU stall" not in said and "GL Driver" not in said
        ]
        assert not troubles, troubles


def _check_request(url: str, troubles: list[str]) -> None:
    local = ("file:", "data:", "blob:", "http://127.0.0.1:")
    if not url.startswith(local):
        troubles.append(f"request to {url}")
