"""Runs the code that a page of docs/doors shows in the server it is for, and asks it things."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from flamespan.aggregator import load
from flamespan.aggregator.profile import Profile

DOCS = Path(__file__).parents[2] / "docs" / "doors"
HELPERS = Path(__file__).parents[1]
PATIENCE_S = 60.0


def snippet(page: str) -> str:
    """The first Python block of a page."""
    found = re.search(r"^```python\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.M | re.S)
    assert found is not None
    return found[1]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextmanager
def served(folder: Path, words: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """``python words`` in ``folder``, from when it answers on ``port`` until it is asked to end."""
    log = folder / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            stdout=out,
            stderr=out,
            env={"PYTHONPATH": f"{folder}:{HELPERS}", "PATH": "/usr/bin:/bin"},
        )
    try:
        until = time.monotonic() + PATIENCE_S
        while not _answers(port):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield server
        server.terminate()
        assert server.wait(PATIENCE_S) in (0, -15), log.read_text()
    finally:
        server.kill()
        server.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def ask(port: int, path: str, method: str = "GET") -> int:
    """The answer's status; its body is read to the end."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request(method, path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def ask_together(port: int, paths: list[str], clients: int = 8) -> list[int]:
    """The statuses of requests that are made by several clients at once."""
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(lambda path: ask(port, path), paths))


def recorded(folder: Path) -> tuple[Profile, pd.DataFrame]:
    """What the server wrote, and its transactions one by one."""
    profile = load(folder / "profiles")
    return profile, profile.transactions(instances=True)


def owners(profile: Profile) -> list[tuple[str, str]]:
    """(whose marker, whose transaction) of each sample taken in a function ``marker_<number>_``.

    A transaction says its number in the tag ``number``; "": the sample belongs to none.
    """
    spans, table = profile.tables.spans, profile.samples()
    found = []
    for stack, span in zip(table["stack"], table["span"], strict=True):
        marker = re.search(r"\bmarker_(\w+?)_", stack)
        if marker:
            tags = spans.tags[spans.transaction[span]] if span >= 0 else {}
            found.append((marker[1], tags.get("number", "")))
    return found


def tags_of(profile: Profile, table: pd.DataFrame, name: str) -> list[dict[str, str]]:
    """The tags of each transaction of that name."""
    rows = table.loc[table["transaction"] == name, "row"]
    return [profile.tables.spans.tags[row] for row in rows]
