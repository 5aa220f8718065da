"""A system that refuses from the start: the application begins all the same, and serves.

Its log says once what is not recorded, as does ``flamespan control PID status`` while it lasts;
what comes later is in ``test_troubles.py``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from flamespan.aggregator import load
from flamespan.aggregator.quality import process_info, troubles
from helpers import recordings, servers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="of Linux: mounts, /proc, control")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to give it up"
)

APP = """\
import logging, os, resource, sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
logging.basicConfig()
from flamespan import profiler
from flamespan.profiler.integrations.wsgi import Middleware

def app(environ, start_response):
    do = environ["PATH_INFO"]
    if do == "/nobody":
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
    if do == "/few":
        used = len(os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 1, used + 1))
    sum(range(20_000))
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]

class Quiet(WSGIRequestHandler):
    def log_message(self, *_): pass

class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

port, folder, age_s = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
profiler.start(folder, 200, max_file_age_s=age_s)
make_server("127.0.0.1", port, Middleware(app), Server, Quiet).serve_forever()
"""


@contextlib.contextmanager
def serving(tmp_path, folder, age_s=0.0, **more):
    (tmp_path / "app.py").write_text(APP)
    port = servers.free_port()
    arguments = ("app.py", str(port), str(folder), str(age_s))
    with servers.running(tmp_path, *servers.python(*arguments), port=port, **more) as program:
        yield port, program


def ask_until(port, is_done, seconds=30):
    """Ask for pages until something is so; each must be answered."""
    until = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < until, "it did not come about"
        assert servers.get(port, "/") == 200
        time.sleep(0.02)


def said(tmp_path):
    return (tmp_path / "output.txt").read_text()


def warned(tmp_path):
    return lambda: "cannot write" in said(tmp_path)


def status(program):
    done = subprocess.run(
        servers.python("-m", "flamespan.profiler", "control", str(program.pid), "status"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def check_told(tmp_path, program, reason):
    text = status(program)
    assert "TROUBLE" in text, text
    assert reason in text
    assert said(tmp_path).count("cannot write") == 1, said(tmp_path)
    assert reason in said(tmp_path)
    assert "Traceback" not in said(tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KB, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    done = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if not done or done.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_a_full_disk_and_room_again(tmp_path, small_disk):
    folder = small_disk / "profiles"
    with serving(tmp_path, folder) as (port, program):
        ask_until(port, lambda: len(list(folder.glob("*.fspan"))) == 1)
        fill(small_disk)
        ask_until(port, warned(tmp_path))
        check_told(tmp_path, program, "No space left")
        (small_disk / "filler").unlink()
        ask_until(port, lambda: len(list(folder.glob("*.fspan"))) == 2)
        ask_until(port, lambda: "TROUBLE" not in status(program))
    (process,) = load(folder).processes
    assert process.stats.failed_flushes >= 1
    assert process.stats.dropped_samples > 0
    assert process.stats.dropped_spans > 0
    for path in folder.glob("*.fspan"):
        recording = recordings.read(path)
        assert {span.name for span in recording.spans.started} == {"GET <no route>"}
        assert recording.samples
    assert any("failed flushes" in line for line in troubles(process_info(process)))


def test_a_disk_that_is_full_from_the_start(tmp_path, small_disk):
    fill(small_disk)
    with serving(tmp_path, small_disk / "profiles") as (port, program):
        assert servers.at_once(port, "/", "/") == [200, 200]
        check_told(tmp_path, program, "No space left")


@as_root
def test_a_folder_that_is_read_only(tmp_path, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with serving(tmp_path, small_disk / "profiles") as (port, program):
        assert servers.at_once(port, "/", "/") == [200, 200]
        check_told(tmp_path, program, "Read-only file system")
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
        ask_until(port, lambda: list((small_disk / "profiles").glob("*.fspan")))
        ask_until(port, lambda: "TROUBLE" not in status(program))


def test_a_recording_that_begins_when_no_file_can_be_opened(tmp_path):
    code = """
import json, logging, os, resource, sys, time
logging.basicConfig()
from flamespan import profiler
profiler.start(sys.argv[1])
profiler.stop()
used = len(os.listdir("/proc/self/fd")) - 1
resource.setrlimit(resource.RLIMIT_NOFILE, (used, used))
profiler.start(sys.argv[1])
with profiler.transaction("t"):
    time.sleep(0.2)
print(json.dumps(profiler.stop()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) is None
    assert done.stderr.count("cannot write") == 1, done.stderr
    assert "Too many open files" in done.stderr
