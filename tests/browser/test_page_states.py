"""Recordings that a page must stand: each is shown whole, and nothing goes wrong."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flamespan.aggregator import load
from flamespan.viewer.html import render_html
from helpers import pagestates
from helpers.chromium import page_of
from helpers.pagelooks import check_looks
from helpers.pagetable import check_bottom_up, ready, rows

pytestmark = pytest.mark.browser
TARGET = Path(__file__).parents[1] / "targets" / "killed.py"


def opened(tmp_path, profile, **screen):
    file = tmp_path / "page.html"
    file.write_text(render_html(profile), encoding="utf-8", errors="replace")
    return page_of(file.as_uri(), **screen)


def test_an_empty_recording_says_so(tmp_path):
    with opened(tmp_path, pagestates.empty()) as page:
        ready(page)
        assert "recording is empty" in page.text_content("#notices")
        assert page.is_visible("#flame-empty")
        assert "2023-11-14" in page.text_content("#about"), "when it was started, not 1970"
        assert rows(page) == []


def test_one_sample(tmp_path):
    profile = pagestates.one_sample()
    with opened(tmp_path, profile) as page:
        ready(page)
        check_bottom_up(page, profile)
        assert page.is_hidden("#notices")
        assert page.text_content("#sums") == "10.0 ms of wall time in 1 sample"


@pytest.mark.parametrize("name", ["no transactions", "no spans", "unseen transaction"])
def test_without_spans(tmp_path, name):
    profile = pagestates.profile(name)
    with opened(tmp_path, profile) as page:
        ready(page)
        if len(profile.tables.spans):
            page.click("text=Everything")
        else:
            assert page.is_hidden("#spans-pane")
        check_bottom_up(page, profile)


def test_a_stack_of_4000_frames_is_whole(tmp_path):
    profile = pagestates.deep()
    with opened(tmp_path, profile) as page:
        ready(page)
        check_bottom_up(page, profile)
        high = page.evaluate("document.getElementById('flame-scroll').scrollHeight")
        assert high > pagestates.DEPTH * 15
        page.evaluate("document.getElementById('flame-scroll').scrollTop = 1e9")
        page.wait_for_timeout(100)
        box = page.locator("#flame").bounding_box()
        for row in range(4):
            page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] - 12 - 18 * row)
            tip = page.text_content("#tip")
            if f"level_{pagestates.DEPTH - 1}" in tip:
                break
        assert f"level_{pagestates.DEPTH - 1}" in tip
        assert f"depth {pagestates.DEPTH}" in tip
        page.check("#collapse")
        fib = [row for row in rows(page) if row[0] == "fib"]
        assert [row[1] for row in fib] == [10_000_000]


def test_500_threads_have_a_track_each(tmp_path):
    profile = pagestates.many_threads()
    with opened(tmp_path, profile) as page:
        ready(page)
        check_bottom_up(page, profile)
        high = page.evaluate("document.getElementById('flame-scroll').scrollHeight")
        assert high > pagestates.THREADS * 4 * 18


def test_names_in_any_script_are_shown_as_they_are_and_none_is_run(tmp_path):
    profile = pagestates.any_script()
    with opened(tmp_path, profile, width=1440, height=4800) as page:
        dialogs = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        ready(page)
        page.click("text=Everything")
        shown = {row[0] for row in rows(page)}
        table = profile.functions()
        assert shown == set(table[table["self_ns"] > 0]["function"])
        assert pagestates.HOSTILE in shown
        assert page.locator("img").count() == 0
        names = page.locator(".group .pick-name").all_text_contents()
        assert pagestates.HOSTILE in names
        assert not dialogs


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_recording_cut_by_kill_9_is_shown_up_to_there(tmp_path):
    command = [sys.executable, str(TARGET), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("started")
        time.sleep(3)
        process.send_signal(signal.SIGKILL)
    profile = load(tmp_path)
    assert len(profile.rows)
    with opened(tmp_path, profile, width=1440, height=4800) as page:
        ready(page)
        assert "no clean end: the process was killed" in page.text_content("#notices")
        page.click("text=Everything")
        check_bottom_up(page, profile)
        check_looks(page)


def test_a_last_block_that_is_cut_is_told_of(tmp_path):
    profile = pagestates.torn()
    with opened(tmp_path, profile, width=1440, height=4800) as page:
        ready(page)
        assert "a write cut short" in page.text_content("#notices")
        page.click("text=Everything")
        check_bottom_up(page, profile)
