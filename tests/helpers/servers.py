"""Servers in processes of their own, asked over loopback."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

HELPERS = Path(__file__).parents[1]
PATIENCE_S = 60.0


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
