"""What a page in a browser shows besides its table: its address, its live region."""

from __future__ import annotations

import re
import time
from urllib.parse import parse_qsl


def hash_of(page):
    """The state in the address, once it is written."""
    page.wait_for_timeout(260)
    return dict(parse_qsl(page.url.partition("#")[2]))


def until(page, condition):
    """Wait until a script's value holds. ``wait_for_function`` would have the page evaluate text,
    which its policy forbids.
    """
    deadline = time.monotonic() + 30
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"{condition} does not hold"
        page.wait_for_timeout(50)


def walk_to(page, place):
    """Gives an open page another address; what it says is shown afterwards."""
    page.evaluate(
        "place => new Promise(done => { if (location.hash === `#${place}`) return done();"
        " addEventListener('hashchange', () => done(), { once: true }); location.hash = place; })",
        place,
    )


def numbers(text):
    """The whole numbers in a part of the address."""
    return [int(part) for part in re.split("~", text)]


def said(page):
    """What was told to a screen reader last."""
    return page.text_content("#live")


def origin_ns(profile):
    """The page's time 0."""
    first = int((profile.rows.time_ns - profile.rows.wall_ns).min())
    return min(int(profile.tables.spans.start_ns.min(initial=first)), first)
