"""Folders that refuse, no descriptors, no rights: the application serves on.

Each test runs a server in a process of its own, under the real condition, and asks what
``flamespan control PID status``, the log and the file say of it. Full disks, and what refuses
from the start, are in ``test_refusals.py``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from flamespan.profiler import control
from flamespan.profiler.model import State
from helpers import recordings

pytestmark = pytest.mark.skipif(not control.SUPPORTED, reason="these limits are Linux's")
root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can do this")

SERVER = """
import logging, os, resource, signal, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from flamespan import profiler

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        with profiler.transaction("GET /"):
            sum(range(200_000))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"served")
    def log_message(self, *args):
        pass

logging.basicConfig()
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
{before}
profiler.start("profiles/", 200, **{options})
{after}
print(server.server_port, flush=True)
server.serve_forever()
"""
DROP_RIGHTS = "os.setgid(65534); os.setuid(65534)"


class Service:
    """A server that is asked all the time, from the beginning to the end of the block."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.port = int(process.stdout.readline())
        self.served = 0
        self.failures: list[Exception] = []
        self._over = threading.Event()
        self._client = threading.Thread(target=self._ask_on)
        self._client.start()

    def _ask_on(self) -> None:
        while not self._over.wait(0.01):
            try:
                address = f"http://127.0.0.1:{self.port}/"
                with urllib.request.urlopen(address, timeout=30) as answer:
                    assert answer.read() == b"served"
                self.served += 1
            except Exception as error:
                self.failures.append(error)

    def status(self, *needed: str, seconds: float = 30) -> str:
        """What ``status`` says, once it says all that is needed."""
        command = [sys.executable, "-m", "flamespan.profiler", "control"]
        until = time.monotonic() + seconds
        while True:
            done = subprocess.run(
                [*command, str(self.process.pid), "status"],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            if all(words in done.stdout for words in needed):
                return done.stdout
            assert time.monotonic() < until, done.stdout
            time.sleep(0.2)

    def leave(self) -> None:
        """Asks no more."""
        self._over.set()
        self._client.join()

    def end(self) -> str:
        """Stops all; what the server logged."""
        self.leave()
        self.process.send_signal(signal.SIGTERM)
        _, log = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, log
        assert not self.failures, self.failures[:3]
        assert self.served > 20
        return log


@pytest.fixture
def serve(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    @contextlib.contextmanager
    def serving(before: str = "", after: str = "", **options):
        code = SERVER.format(before=before, after=after, options=options)
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        service = Service(process)
        try:
            yield service
        finally:
            service.leave()
            process.kill()
            process.communicate()

    return serving


def files(folder: Path) -> list[Path]:
    return sorted((folder / "profiles").glob("*.fspan"), key=lambda path: path.stat().st_ctime_ns)


def names(path: Path) -> set[str]:
    return {span.name for span in recordings.read(path).spans.started}


def test_a_file_may_not_grow(serve, tmp_path):
    with serve("resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))") as service:
        said = service.status("failed flushes")
        said = service.status("TROUBLE cannot write", "File too large; samples are dropped")
        assert "0 failed flushes" not in said
        assert "0 dropped samples" not in said
        log = service.end()
    assert log.count("File too large; samples are dropped until it works again") == 1
    assert "GET /" in names(files(tmp_path)[0])


@root
def test_rights_are_dropped_and_the_file_that_is_open_goes_on(serve, tmp_path):
    with serve(after=DROP_RIGHTS, max_file_age_s=1) as service:
        said = service.status("TROUBLE no new file can be begun (Permission denied)")
        assert "0 dropped samples" in said
        time.sleep(2)
        log = service.end()
    assert log.count("cannot begin a new file: Permission denied") == 1
    (path,) = files(tmp_path)
    recording = recordings.read(path)
    assert recording.end is not None
    assert recording.stats.dropped_samples == 0
    last_ns = max(span.start_ns for span in recording.spans.started)
    assert last_ns - recording.header.start_monotonic_ns > 2e9


@root
def test_without_rights_threads_that_sleep_are_told_from_those_at_work(serve, tmp_path):
    """The kernel keeps from such a process which system call its threads are in."""
    with serve(after=DROP_RIGHTS) as service:
        time.sleep(3)
        service.end()
    recording = recordings.read(files(tmp_path)[0])
    main = [row for row in recordings.rows(recording) if row.thread == "MainThread"]
    asleep = sum(row.wall_ns for row in main if row.state is State.IDLE)
    running = sum(row.wall_ns for row in main if row.state is not State.IDLE)
    assert asleep > 5 * running


@root
def test_a_folder_becomes_read_only(serve, tmp_path):
    after = "os.chmod('profiles', 0o500); os.chown('profiles', 65534, 65534); " + DROP_RIGHTS
    with serve(after=after, max_file_age_s=1) as service:
        service.status("TROUBLE no new file can be begun (Permission denied)")
        service.end()
    assert "GET /" in names(files(tmp_path)[0])


@pytest.mark.parametrize("left", [1, 2])
def test_there_are_hardly_any_descriptors(serve, tmp_path, left):
    """The server needs two to serve, the sample file needs one: no other may be taken."""
    limit = (
        "held = len(os.listdir('/proc/self/fd')) - 1; "
        f"resource.setrlimit(resource.RLIMIT_NOFILE, (held + {left} + 2, held + {left} + 2))"
    )
    with serve(before=limit, max_file_age_s=1) as service:
        time.sleep(3)
        service.end()
    found = [recordings.read(path) for path in files(tmp_path)]
    assert found
    assert any(recording.end is not None for recording in found)
    assert sum(len(samples) for recording in found for samples in recording.samples) > 100


def test_the_folder_is_taken_away(serve, tmp_path):
    with serve(max_file_age_s=1) as service:
        service.status("0 failed flushes")
        shutil.rmtree(tmp_path / "profiles")
        service.status("TROUBLE no new file can be begun (No such file or directory)")
        (tmp_path / "profiles").mkdir()
        log = service.end()
    assert log.count("cannot begin a new file: No such file or directory") == 1
