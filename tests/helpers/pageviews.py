"""What the page can show, as one table: checked for accessibility, and pictured for the docs.

A view is a recording of ``pagestates``, the address's hash, and what is done on the page then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flamespan.aggregator import compare
from flamespan.viewer.html import read_page_file, render_comparison, render_html
from helpers import pagestates
from helpers.pagetable import ready

REFUSED = "refused"
"""In the place of a recording: what the server says to whom does not know its address."""


def nothing(page: Any) -> None:
    """The page as it opens."""


def press(*keys: str) -> Callable[[Any], None]:
    def do(page: Any) -> None:
        for key in keys:
            page.keyboard.press(key)

    return do


def click(selector: str) -> Callable[[Any], None]:
    return lambda page: page.click(selector)


def choose(function: str, then: Callable[[Any], None] = nothing) -> Callable[[Any], None]:
    """A function chosen in the table, then what comes after it."""

    def do(page: Any) -> None:
        page.locator("#table-inner .row", has_text=function).first.locator(".fn").click()
        then(page)

    return do


def choose_listed(view: str, function: str) -> Callable[[Any], None]:
    """A function chosen in the table of the aggregate or the compare view."""

    def do(page: Any) -> None:
        page.wait_for_selector(f"#{view}:not([aria-busy]) tbody tr")
        page.locator(f"#{view} .pick-fn", has_text=function).first.click()

    return do


def open_rows(page: Any) -> None:
    """Some rows of the table opened, with the focus on one."""
    page.locator("#table-inner [tabindex='0']").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)


def walk_chart(page: Any) -> None:
    """The keyboard on a box of the flame chart."""
    page.focus("#flame")
    for _ in range(7):
        page.keyboard.press("ArrowDown")


@dataclass(frozen=True)
class View:
    """One sight of the page; ``pictured`` ones lie in docs/pictures."""

    name: str
    recording: str = "web app"
    place: str = ""
    do: Callable[[Any], None] = nothing
    pictured: bool = True
    against: str = ""  # the recording that it is compared with

    def open(self, page: Any, folder: Any) -> None:
        """Shows the view; its file is written to ``folder`` where it is not there."""
        file = folder / f"{self.recording} {self.against}".strip().replace(" ", "-")
        file = file.with_name(f"{file.name}.html")
        if not file.exists():
            file.write_text(self.html(), encoding="utf-8", errors="replace")
        page.goto("about:blank")
        page.goto(f"{file.as_uri()}#{self.place}")
        if self.recording != REFUSED:
            ready(page)
        self.do(page)
        page.wait_for_timeout(100)

    def html(self) -> str:
        if self.recording == REFUSED:
            return read_page_file("refused.html")
        profile = pagestates.profile(self.recording)
        if self.against:
            return render_comparison(compare(pagestates.profile(self.against), profile))
        return render_html(profile)


VIEWS = (
    View("transaction"),
    View("everything", place="t=all"),
    View("outside", place="t=none", pictured=False),
    View("top-down", place="tab=top-down", do=open_rows),
    View("window", place="t=0&w=20000000~120000000&x=0~160000000"),
    View("search", place="q=discount&tab=top-down", do=press("/", "Enter")),
    View("system", place="frames=system&collapse=cycles&states=all", pictured=False),
    View("walk", do=walk_chart, pictured=False),
    View("span", place="span=3&w=0~40000000", pictured=False),
    View("left-heavy", place="order=left-heavy"),
    View("flame", place="t=all&order=left-heavy&direction=flame", do=choose("discount")),
    View("sandwich", place="t=all", do=choose("discount", press("3"))),
    View("source", do=choose("discount", press("4"))),
    View("stack", do=choose("discount", press("5"))),
    View("tracks", place="tracks=all", pictured=False),
    View("cpu", place="clock=cpu", pictured=False),
    View("waiting", "tasks"),
    View("help", do=press("?")),
    View("empty", "empty"),
    View("one-sample", "one sample", pictured=False),
    View("no-transactions", "no transactions", pictured=False),
    View("no-spans", "no spans", pictured=False),
    View("unseen", "unseen transaction", pictured=False),
    View("deep", "deep"),
    View("many-threads", "many threads"),
    View("any-script", "any script"),
    View("torn", "torn"),
    View("aggregate", place="v=aggregate", do=choose_listed("aggregate", "discount")),
    View("aggregate-search", place="v=aggregate&s=discount", pictured=False),
    View("aggregate-empty", "empty", "v=aggregate", pictured=False),
    View("aggregate-refused", place="v=aggregate&k=cpu", pictured=False),
    View("aggregate-torn", "torn", "v=aggregate", pictured=False),
    View(
        "compare",
        do=choose_listed("compare", "discount"),
        against="any script",
    ),
    View("compare-stretches", "second half", pictured=False, against="first half"),
    View("refused", REFUSED, pictured=False),
)
