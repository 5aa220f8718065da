"""The page of a made-up web app in a file, open in Chromium, for the modules that look at it."""

from __future__ import annotations

import pytest

from flamespan.aggregator import load
from flamespan.viewer.html import render_html
from helpers import webapp
from helpers.chromium import page_of
from helpers.pagetable import TALL


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return load(webapp.write(tmp_path_factory.mktemp("recording") / "webapp.fspan"))


@pytest.fixture(scope="module")
def file(profile, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "webapp.html"
    path.write_text(render_html(profile), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser_page(file):
    with page_of(file, **TALL) as page:
        yield page
