"""Functions whose calls are transactions."""

from __future__ import annotations

import asyncio

import pytest

from flamespan import profiler
from flamespan.aggregator import load
from helpers import doors


def test_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope = {"__name__": "mailer"}
    exec(compile(doors.snippet("jobs.md"), "jobs.md", "exec"), scope)
    try:
        scope["waiting"].put(lambda: scope["send_mail"]("ann@example.com"))
        scope["waiting"].put(None)
        scope["worker"].join()
        with pytest.raises(LookupError):
            asyncio.run(scope["report"]())
    finally:
        profiler.stop()
    table = load(tmp_path / "profiles").transactions(instances=True)
    assert sorted(zip(table["transaction"], table["op"], table["status"], strict=True)) == [
        ("mailer.send_mail", "queue.task", "ok"),
        ("nightly report", "cron", "error"),
    ]
    assert all(b"ann@" not in file.read_bytes() for file in (tmp_path / "profiles").iterdir())
