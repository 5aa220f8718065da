"""What the application's scrubber says is what is written; its failures are nobody's trouble."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import textwrap

import pytest

from flamespan import profiler
from flamespan.aggregator import load
from flamespan.aggregator.quality import process_info, troubles
from flamespan.profiler.errors import UsageError
from helpers import doors, recordings


@pytest.fixture
def record(tmp_path):
    """Start with a scrubber; what comes back stops and gives the recording."""

    def begin(scrub):
        started = profiler.start(tmp_path, scrub=scrub)

        def finish():
            profiler.stop()
            return recordings.read(started.path)

        return finish

    yield begin
    profiler.stop()


def told(recording):
    return [(s.name, s.op, s.description) for s in recording.spans.started]


def tags(recording):
    return [(tag.key, tag.value) for tag in recording.spans.tags]


def test_texts_are_changed_and_dropped(record, tmp_path):
    def scrub(kind, key, text):
        if kind == "tag":
            return None if key == "user" else text
        if key == "db.query":
            return re.sub(r"\d+", "?", text)
        return None if text == "secret" else text.upper()

    finish = record(scrub)
    with profiler.transaction("pay", op="http") as t, profiler.span("db.query", "id = 17"):
        t.set_tag("user", "ann")
        t.set_tag("tier", "gold")
        with profiler.span("cache"):
            pass
    with profiler.transaction("secret"), profiler.span("part", "secret"):
        pass
    recording = finish()
    assert told(recording) == [
        ("PAY", "http", ""),
        ("", "db.query", "id = ?"),
        ("", "cache", ""),
        ("<dropped>", "", ""),
        ("", "part", ""),
    ]
    assert tags(recording) == [("tier", "gold")]
    assert recording.stats.scrub_errors == 0
    assert b"secret" not in (tmp_path / os.listdir(tmp_path)[0]).read_bytes()


def test_names_that_come_later_pass_through_it_too(record):
    finish = record(lambda kind, key, text: text.replace("17", "?"))
    with profiler.transaction("GET"):
        profiler.flush()
        profiler.set_transaction_name("GET /users/17")
    assert [name for name, *_ in told(finish())] == ["GET", "GET /users/?"]


def test_it_is_asked_once_for_each_text(record):
    asked = []

    def scrub(*what):
        asked.append(what)
        return what[-1]

    finish = record(scrub)
    for _ in range(100):
        with profiler.transaction("t", op="job", tags={"tier": "gold"}), profiler.span("db", "one"):
            pass
        with profiler.span("lone"):
            pass
    assert len(finish().spans.started) == 300
    assert sorted(asked) == [
        ("description", "db", "one"),
        ("name", "job", "t"),
        ("name", "lone", "lone"),
        ("tag", "tier", "gold"),
    ]


@pytest.mark.parametrize(
    "scrub", [lambda kind, key, text: 1 / 0, lambda kind, key, text: 17, "nowhere:scrub"]
)
def test_what_it_fails_for_is_not_written_and_counted_and_said_once(
    record, tmp_path, scrub, caplog
):
    finish = record(scrub)
    with (
        caplog.at_level(logging.WARNING, "flamespan"),
        profiler.transaction("secret", tags={"user": "secret"}),
        profiler.span("part", "secret"),
    ):
        pass
    with caplog.at_level(logging.WARNING, "flamespan"):
        recording = finish()
    assert told(recording) == [("<not scrubbed>", "", ""), ("", "part", "<not scrubbed>")]
    assert tags(recording) == [("user", "<not scrubbed>")]
    assert recording.stats.scrub_errors == 3
    assert [r.message for r in caplog.records] == [
        "scrub failed; the texts it fails for are not written"
    ]
    process = process_info(load(tmp_path).processes[0])
    assert "3 scrub errors" in list(troubles(process))


def test_a_module_and_function_from_outside(tmp_path):
    (tmp_path / "rules.py").write_text(
        "class Rules:\n    @staticmethod\n    def scrub(kind, key, text):\n"
        "        return text.replace('ann', 'X')\n"
    )
    (tmp_path / "app.py").write_text(
        textwrap.dedent("""
            import os, time
            from flamespan import profiler
            with profiler.transaction("greet ann"):
                if os.fork() == 0:
                    with profiler.transaction("child of ann"):
                        time.sleep(0.2)
                    profiler.stop()
                    os._exit(0)
                os.wait()
        """)
    )
    (tmp_path / "pyproject.toml").write_text('[tool.flamespan]\nscrub = "rules:Rules.scrub"\n')
    subprocess.run(
        [sys.executable, "-m", "flamespan.profiler", "run", "-o", "out", "app.py"],
        cwd=tmp_path,
        check=True,
        timeout=60,
    )
    found = [recordings.read(path) for path in (tmp_path / "out").glob("*.fspan")]
    assert len(found) == 2
    names = {name for recording in found for name, *_ in told(recording)}
    assert names == {"greet X", "child of X"}


@pytest.mark.parametrize("given", [7, "", "rules", "rules:", ":scrub", "a b:c", "rules:a b"])
def test_what_cannot_be_one_is_refused(tmp_path, given):
    with pytest.raises(UsageError, match="scrub="):
        profiler.start(tmp_path, scrub=given)


def test_the_page_of_the_docs_does_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = doors.snippet("safety.md")
    exec(page, {})
    try:
        with (
            profiler.transaction("t", tags={"user.email": "a@b.c", "tier": "gold"}),
            profiler.span("db.query", "select * from users where name = 'ann' and id = 17"),
        ):
            pass
    finally:
        recording = recordings.read(profiler.stop())
    assert told(recording)[1][2] == "select * from users where name = ? and id = ?"
    assert tags(recording) == [("tier", "gold")]
