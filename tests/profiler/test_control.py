"""`flamespan control`: real processes told from outside, as docs/doors/control.md shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from flamespan.profiler import asking
from flamespan.profiler.dump import MAX_SHOWN
from helpers import recordings

pytestmark = pytest.mark.skipif(not asking.SUPPORTED, reason="needs SO_PEERCRED (Linux)")

PAGE = Path(__file__).parents[2] / "docs" / "doors" / "control.md"
COMMANDS = re.findall(r"^flamespan control PID (.*)$", PAGE.read_text("utf-8"), re.M)
SNIPPET = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S).group(1)

BUSY = """
import threading, time
from flamespan import profiler

def cook():
    while True:
        sum(range(1000))

def kitchen():
    with profiler.transaction("GET /soup"), profiler.span("stove", "boil"):
        cook()

def wait_here():
    with profiler.transaction("GET /tea"):
        time.sleep(600)

threading.Thread(target=kitchen, name="kitchen", daemon=True).start()
threading.Thread(target=wait_here, name="waiter", daemon=True).start()
print("up", flush=True)
time.sleep(600)
"""
BEGIN = "from flamespan import profiler\nprofiler.start('profiles/')\n"


TASKS = """
import asyncio
from flamespan import profiler

async def drink():
    await asyncio.Event().wait()

async def sip():
    yield await drink()

async def serve(cup):
    with profiler.transaction(f"GET /tea/{cup}"), profiler.span("cup", "sip"):
        async for _ in sip():
            pass

async def main():
    served = [asyncio.create_task(serve(i if i < 60 else 0), name=f"s{i}") for i in range(90)]
    waits = asyncio.ensure_future(asyncio.wait_for(served[0], None))
    idle = asyncio.create_task(drink(), name="idle")
    print("up", flush=True)
    await waits

asyncio.run(main())
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    begun = []

    def start(code: str, **more) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True, **more
        )
        begun.append(process)
        assert process.stdout.readline() == "up\n"
        return process

    yield start
    for process in begun:
        process.kill()
        process.wait()
        process.stdout.close()


def tell(pid: int, words: str, cwd: Path, code: int = 0) -> str:
    command = [sys.executable, "-m", "flamespan.profiler", "control", str(pid), *words.split()]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def wait_for(what, seconds: float = 30):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_the_commands_of_the_page(run, tmp_path):
    process = run(BEGIN + BUSY)
    status, dump, stop, start = COMMANDS
    said = tell(process.pid, status, tmp_path)
    assert f"process {process.pid}" in said
    assert "of 100 Hz" in said
    assert "of a core" in said
    assert "0 dropped samples" in said
    wait_for(lambda: "GET /soup" in tell(process.pid, dump, tmp_path))
    blocks = tell(process.pid, dump, tmp_path).split("\n\n")
    (kitchen,) = [block for block in blocks if 'Thread "kitchen"' in block]
    assert "transaction GET /soup > stove boil" in kitchen
    assert "cook (<string>:" in kitchen
    (waiter,) = [block for block in blocks if 'Thread "waiter"' in block]
    assert "transaction GET /tea\n" in waiter
    assert "wait_here" in waiter
    assert "GET" not in next(block for block in blocks if 'Thread "MainThread"' in block)
    assert tell(process.pid, stop, tmp_path).startswith("recorded ")
    assert "is not recording" in tell(process.pid, status, tmp_path)
    assert "without their transactions" in tell(process.pid, dump, tmp_path)
    assert "nothing is recording" in tell(process.pid, stop, tmp_path, 2)
    assert tell(process.pid, start, tmp_path).startswith("recording to ")
    assert "of 200 Hz" in tell(process.pid, status, tmp_path)
    assert "already recording" in tell(process.pid, start, tmp_path, 2)
    tell(process.pid, stop, tmp_path)
    assert len(list((tmp_path / "profiles").glob("*.fspan"))) == 2


def test_suspended_tasks_are_shown_and_the_rest_counted(run, tmp_path):
    process = run(BEGIN + TASKS)
    time.sleep(1)  # the tasks begin, and a flush tells of their transactions
    said = tell(process.pid, "dump", tmp_path)
    blocks = said.rstrip().split("\n\n")
    (many,) = [block for block in blocks if "and 30 more like it" in block]
    assert "  transaction GET /tea/0 > cup sip\n" in many
    assert re.findall(r"^    (\S+) ", many, re.M) == ["Event.wait", "drink", "sip", "serve"]
    assert 'waits for task "s0"' in said
    # As many kinds as are shown; those that are more alike come first.
    assert len([block for block in blocks if block.startswith("Task ")]) == MAX_SHOWN
    assert blocks[-1] == f"and {93 - 31 - (MAX_SHOWN - 1)} more tasks"
    tell(process.pid, "stop", tmp_path)
    said = tell(process.pid, "dump", tmp_path)
    assert "GET /tea" not in said
    assert "drink" in said


def test_the_socket_is_the_owners(run, tmp_path):
    process = run(BEGIN + BUSY)
    tell(process.pid, "status", tmp_path)
    place = tmp_path / "flamespan"
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE((place / f"{process.pid}.sock").stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be another user")
def test_another_user_is_refused_by_the_kernels_word(run, tmp_path, monkeypatch):
    # Not in tmp_path: pytest's folders are the user's own, here everybody reaches the socket.
    everybodys = Path(tempfile.mkdtemp())
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(everybodys))
    process = run(BEGIN + BUSY)
    tell(process.pid, "status", tmp_path)
    place = everybodys / "flamespan"
    for path in (everybodys, place, place / f"{process.pid}.sock"):
        path.chmod(0o777)
    code = (
        "import os, socket; os.setuid(65534)\n"
        f"s = socket.socket(socket.AF_UNIX); s.connect({str(place / f'{process.pid}.sock')!r})\n"
        's.sendall(b\'{"command":"status"}\\n\'); print(s.makefile().read())'
    )
    other = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    shutil.rmtree(everybodys)
    assert other.returncode == 0, other.stderr
    assert "only the owner" in json.loads(other.stdout)["error"]


def test_a_program_that_listens_starts_by_command_and_by_signal(run, tmp_path):
    process = run(SNIPPET + BUSY)
    assert "is not recording" in tell(process.pid, "status", tmp_path)
    process.send_signal(signal.SIGUSR2)
    wait_for(lambda: "records to" in tell(process.pid, "status", tmp_path))
    process.send_signal(signal.SIGUSR2)
    wait_for(lambda: "is not recording" in tell(process.pid, "status", tmp_path))
    assert "shop-" in tell(process.pid, "start", tmp_path)
    tell(process.pid, "stop", tmp_path)
    ends = [recordings.read(path).end.reason for path in (tmp_path / "profiles").glob("*.fspan")]
    assert sorted(ends) == ["control", "signal"]


def test_children_of_fork_have_their_own(run, tmp_path):
    process = run(
        "import os, time\n" + BEGIN + "child = os.fork()\n"
        "if child: open('child', 'w').write(str(child)); print('up', flush=True)\n"
        "while os.getppid() > 1: sum(range(10000))"
    )
    child = int((tmp_path / "child").read_text())
    try:
        assert f"process {child}" in tell(child, "status", tmp_path)
        assert f"process {process.pid}" in tell(process.pid, "status", tmp_path)
        tell(process.pid, "stop", tmp_path)
        assert "records to" in tell(child, "status", tmp_path)
    finally:
        os.kill(child, signal.SIGKILL)


def test_what_cannot_be_asked_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert "has no flamespan that listens" in tell(os.getpid(), "status", tmp_path, 2)
    assert "there is no process" in tell(2**22 + 1, "status", tmp_path, 2)


def test_an_end_leaves_no_socket(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    code = BEGIN + "import time; time.sleep(1.6)"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "flamespan").is_dir()
    assert not list((tmp_path / "flamespan").iterdir())


def test_a_socket_left_by_a_killed_process_of_the_same_number_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / f"flamespan-{os.geteuid()}"
    left.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(asking.socket_path(os.getpid(), str(left)))
        dead.listen()
    code = BEGIN + "import time; print('up', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE
    ) as process:
        try:
            os.rename(left / f"{os.getpid()}.sock", left / f"{process.pid}.sock")
            answer = asking.ask(process.pid, {"command": "status"})
            assert (answer["pid"], answer["recording"]) == (process.pid, True)
        finally:
            process.kill()
