"""Servers in processes of their own, asked over loopback."""

from __future__ import annotations

import contextlib
import functools
import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(
    folder: Path, *command: str, port: int = 0, end_by: int = signal.SIGTERM, **more: object
) -> Iterator[subprocess.Popen[bytes]]:
    """A program of this interpreter's environment; ended by a signal when the block is left."""
    log = folder / "output.txt"
    with log.open("wb") as output:
        program = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, **more
        )
        try:
            _wait_for(program, port, log)
            yield program
        finally:
            program.send_signal(end_by)
            try:
                program.wait(60)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
                raise


def _wait_for(program: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + 60
    while port:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert program.poll() is None, log.read_text()
        assert time.monotonic() < until, f"nobody listens: {log.read_text()}"
        time.sleep(0.05)


def get(port: int, path: str, method: str = "GET") -> int:
    """The status of the answer, when it has come whole."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def at_once(port: int, *paths: str, clients: int | None = None) -> list[int]:
    """The statuses of requests made at the same time, by a client each or so many in turns."""
    with ThreadPoolExecutor(clients or len(paths)) as pool:
        return list(pool.map(functools.partial(get, port), paths))


def python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)
