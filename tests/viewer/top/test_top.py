"""`flamespan top` on programs that run, as docs/doors/top.md shows, and its keys in a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flamespan.profiler import control
from flamespan.profiler.__main__ import main
from flamespan.viewer.top.choice import HELP, Choice

pty = pytest.importorskip("pty", reason="no pseudo-terminals here")
pyte = pytest.importorskip("pyte")

PAGE = Path(__file__).parents[3] / "docs" / "doors" / "top.md"
COMMANDS = re.findall(r"^flamespan top (.*)$", PAGE.read_text("utf-8"), re.M)

BUSY = """
import threading, time
from flamespan import profiler

profiler.start("profiles/", max_file_age_s={age})

def chop():
    until = time.monotonic() + 0.02
    while time.monotonic() < until:
        sum(range(1000))

def serve(name):
    while True:
        with profiler.transaction(name, op="http.server"):
            chop()
            time.sleep(0.02)

def never_ends():
    with profiler.transaction("GET /slow", op="http.server"):
        time.sleep(1000)

for name in ("GET /soup", "GET /tea"):
    threading.Thread(target=serve, args=(name,), name=name, daemon=True).start()
threading.Thread(target=never_ends, daemon=True).start()
print("up", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def busy(tmp_path, monkeypatch):
    """Begins programs that record into the same folder."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    begun = []

    def begin(age: float = 0) -> int:
        program = tmp_path / "shop.py"
        program.write_text(BUSY.format(age=age))
        process = subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True)
        begun.append(process)
        assert process.stdout.readline() == "up\n"
        return process.pid

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def printed(capsys, *arguments: str) -> str:
    assert main(["top", *arguments]) == 0
    return capsys.readouterr().out


def waited_for(capsys, *needed: str, arguments: list[str]) -> str:
    until = time.monotonic() + 60
    while True:
        said = printed(capsys, *arguments)
        if all(words in said for words in needed):
            return said
        assert time.monotonic() < until, said
        time.sleep(0.3)


@pytest.mark.skipif(not control.SUPPORTED, reason="a process number needs its socket (Linux)")
def test_the_commands_of_the_page(busy, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    pid = str(busy())
    of_pid, of_folder, once = [command.replace("PID", pid).split() for command in COMMANDS]
    said = waited_for(capsys, "chop", arguments=[*of_pid, "--once"])
    assert f"({pid}) recording" in said
    assert "of 100 Hz" in said
    assert "nothing dropped" in said
    rows = [line for line in said.splitlines() if "shop.py" in line]
    assert "chop" in rows[0], said
    said = waited_for(
        capsys, "GET /soup", "GET /tea", "GET /slow", arguments=[*of_folder, "--once"]
    )
    assert "p95" in said
    assert printed(capsys, *once).count("running▼") == 3


def test_open_transactions_and_rates(busy, capsys):
    busy()
    arguments = ["profiles", "--by", "transaction", "--sort", "open", "--window", "5"]
    said = waited_for(capsys, "GET /slow", "GET /soup", arguments=arguments)
    (slow,) = [line for line in said.splitlines() if "GET /slow" in line]
    assert slow.split()[1] == "1"
    (soup,) = [line for line in said.splitlines() if "GET /soup" in line]
    assert 1 < float(soup.split()[0]) < 30


def test_processes_that_rotate_and_end(busy, capsys):
    one, other = busy(age=1), busy()
    waited_for(capsys, f"({one}) recording", f"({other}) recording", "chop", arguments=["profiles"])
    until = time.monotonic() + 60
    while len(list(Path("profiles").glob("*.fspan"))) < 4:
        assert time.monotonic() < until
        time.sleep(0.2)
    os.kill(other, signal.SIGKILL)
    said = waited_for(capsys, f"({other}) killed", arguments=["profiles"])
    assert f"({one}) recording" in said


def test_filter_and_application(busy, capsys):
    busy()
    said = waited_for(capsys, "chop", arguments=["profiles", "--filter", "shop.py CHOP"])
    assert "serve" not in said
    said = printed(capsys, "profiles", "--application")
    assert "Thread.run" not in said
    assert "chop" in said
    assert "nothing in these seconds matches" in printed(capsys, "profiles", "--filter", "zzz")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: no such folder, and no process number"),
        ([".", "--by", "soup"], "--by 'soup': there are function, transaction, thread"),
        ([".", "--sort", "p95"], "--sort 'p95': there are self, total, samples, name"),
        ([".", "--clock", "moon"], "--clock 'moon': there are wall"),
        ([".", "--window", "0"], "--window 0: give 0.5 to 3600"),
        ([".", "--interval", "0"], "--interval 0: give 0.1 to 3600"),
        ([".", "--limit", "0"], "--limit and --batch: give 1 or more"),
        (["4194305"], "there is no process 4194305"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert main(["top", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_an_empty_folder_says_so(tmp_path, capsys):
    assert "nothing has been recorded yet" in printed(capsys, str(tmp_path))


# --- in a terminal -------------------------------------------------------------------------------


class Terminal:
    """The command in a pseudo-terminal, and what stands on its screen."""

    def __init__(self, *arguments: str) -> None:
        self.screen = pyte.Screen(110, 24)
        self._stream = pyte.ByteStream(self.screen)
        self.pid, self._fd = pty.fork()
        if not self.pid:
            os.environ.update(TERM="xterm", COLUMNS="110", LINES="24")
            os.execv(
                sys.executable, [sys.executable, "-m", "flamespan.profiler", "top", *arguments]
            )

    def press(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def shows(self, wanted, seconds: float = 60) -> str:
        """Waits until the screen is as wanted: a text that stands there, or a function of it."""
        until = time.monotonic() + seconds
        while True:
            if select.select([self._fd], [], [], 0.2)[0]:
                self._stream.feed(os.read(self._fd, 65536))
            text = "\n".join(line.rstrip() for line in self.screen.display)
            if wanted in text if isinstance(wanted, str) else wanted(text):
                return text
            assert time.monotonic() < until, text

    def code(self) -> int:
        """The exit code; what is still written is thrown away."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(OSError):  # the other end is closed
                if select.select([self._fd], [], [], 0.1)[0]:
                    os.read(self._fd, 65536)
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                os.close(self._fd)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError("it did not end")


def test_keys(busy):
    pid = busy()
    top = Terminal("profiles")
    text = top.shows("chop")
    assert f"({pid}) recording" in text
    assert HELP[:60] in text
    top.press("t")
    top.shows("GET /soup")
    top.press("h")
    top.shows("waits for GIL")
    top.press("f")
    top.shows("self▼")
    top.press("s")
    top.shows("total▼")
    top.press("S")
    top.shows("self▼")
    top.press("c")
    top.shows("CPU time")
    top.press("a")
    top.shows(lambda text: "application frames" in text and "_bootstrap" not in text)
    top.press("/cho")
    top.shows("filter: cho")
    top.press("\x7fo\r")
    top.shows(lambda text: "filter 'cho'" in text and "serve" not in text and "chop" in text)
    top.press("\x1b")
    top.shows("serve")
    top.press("+")
    top.shows("last 30 s")
    top.press("-")
    top.shows("last 10 s")
    top.press(" ")
    top.shows("PAUSED")
    top.press(" ")
    top.shows(lambda text: "PAUSED" not in text)
    os.kill(pid, signal.SIGKILL)
    top.shows(f"({pid}) killed")
    top.press("q")
    assert top.code() == 0


def test_ctrl_c_ends_it(busy):
    busy()
    top = Terminal("profiles", "--by", "thread")
    top.shows("GET /soup")
    top.press("\x03")
    assert top.code() in (0, 130)


def test_keys_that_mean_nothing_change_nothing():
    choice = Choice()
    assert all(choice.after(key) == choice for key in "xyz1\t")
    assert Choice(window_s=300).after("+").window_s == 300
    assert Choice(window_s=2).after("-").window_s == 2
