"""`flamespan attach`: real processes that know nothing of us, as docs/doors/attach.md shows."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flamespan.aggregator import load
from flamespan.profiler.__main__ import main
from flamespan.profiler.attached import Attachment, Numbers
from helpers import recordings

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0, reason="needs rights to look"
)

PAGE = Path(__file__).parents[2] / "docs" / "doors" / "attach.md"
COMMANDS = re.findall(r"^flamespan attach (PID.*)$", PAGE.read_text("utf-8"), re.M)

PROGRAM = """
import os, subprocess, sys, threading, time

def chop():
    while True:
        sum(range(1000))

def nap():
    time.sleep(1000)

threading.Thread(target=nap, name="napping", daemon=True).start()
if sys.argv[1] == "parent":
    child = subprocess.Popen([sys.executable, sys.argv[0], "secret-word"])
print(os.getpid(), flush=True)
chop()
"""


@pytest.fixture
def begin(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kitchen.py").write_text(PROGRAM)
    begun = []

    def start(kind: str = "alone") -> subprocess.Popen[str]:
        command = [sys.executable, "kitchen.py", kind]
        # A group of its own, so that its child ends with it.
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        begun.append(process)
        process.stdout.readline()
        return process

    yield start
    for process in begun:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()


@pytest.fixture
def attach():
    begun = []

    def start(pid: int, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "flamespan.profiler", "attach", str(pid), *arguments]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        begun.append(process)
        line = process.stdout.readline()
        assert line.startswith(f"recording process {pid} to "), line + process.stderr.read()
        return process

    yield start
    for process in begun:
        process.kill()
        process.stdout.close()
        process.stderr.close()
        process.wait()


def test_the_commands_of_the_page(begin, tmp_path):
    process = begin("parent")
    for number, command in enumerate(COMMANDS):
        words = command.replace("PID", str(process.pid)).split()
        if "--duration" not in words:
            words += ["--duration", "4"]
        done = subprocess.run(
            [sys.executable, "-m", "flamespan.profiler", "attach", *words, "-o", f"p{number}"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found = list((tmp_path / f"p{number}").glob("*.fspan"))
        assert len(found) == (2 if "--subprocesses" in words else 1)
        for path in found:
            assert f"recorded {path}" in done.stdout


def test_what_is_recorded(begin, attach, tmp_path):
    process = begin()
    recorder = attach(process.pid, "--duration", "5")
    assert recorder.wait(120) == 0
    recording = recordings.read_one(tmp_path / "profiles")
    header = recording.header
    assert (header.pid, header.service, header.program) == (process.pid, "kitchen", "kitchen.py")
    assert header.engine["name"] == "py-spy"
    assert header.parent_pid == os.getpid()
    assert sys.version.startswith(header.python["version"])
    assert "secret" not in str(header.to_json())
    assert recording.end.reason == "stop"
    assert recording.stats.passes > 3
    profile = load("profiles").all_states()
    threads = profile.threads().set_index("thread")
    # On a busy machine py-spy may find it between two naps.
    assert threads.loc["napping", "idle_ns"] > 0.9 * threads.loc["napping", "wall_ns"]
    assert threads.loc["MainThread", "is_main"]
    # Measured weights: they add up to the time from the first look to the last.
    took_ns = recording.end.time_ns - header.start_monotonic_ns
    assert threads.loc["MainThread", "wall_ns"] == pytest.approx(took_ns, rel=0.01)
    functions = load("profiles").functions().set_index("function")
    assert functions.loc["chop", "total_share"] > 0.9
    assert functions.loc["chop", "origin"] == "application"
    assert load("profiles").clock("cpu").total_ns > 0.2 * took_ns
    naps = profile.functions().set_index("function")
    assert naps.loc["Thread.run" if "Thread.run" in naps.index else "run", "origin"] == "stdlib"


def test_each_process_has_its_own_part_of_the_cost(begin):
    process = begin("parent")
    before = os.times()
    attachment = Attachment(process.pid, "profiles", 50, subprocesses=True)
    attachment.run(1.5)
    attachment.close("stop")
    after = os.times()
    stats = [recordings.read(path).stats for path in Path("profiles").glob("*.fspan")]
    assert len(stats) == 2
    assert all(told.sampler_cpu_ns > 0 for told in stats)
    spent_s = (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )
    assert sum(told.sampler_cpu_ns for told in stats) / 1e9 == pytest.approx(spent_s, abs=0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(begin, attach, tmp_path, number):
    recorder = attach(begin().pid)
    time.sleep(2)
    recorder.send_signal(number)
    out, err = recorder.communicate(timeout=60)
    assert recorder.returncode == 0, err
    assert "samples)" in out
    assert recordings.read_one(tmp_path / "profiles").end.reason == "stop"


def test_it_ends_in_the_background_of_a_script(begin, tmp_path):
    """Where the shell has SIGINT ignored, SIGTERM is the way to end it."""
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    code += "from flamespan.profiler.__main__ import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "attach", str(begin().pid)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as recorder:
        try:
            assert recorder.stdout.readline().startswith("recording process")
            recorder.terminate()
            assert recorder.wait(60) == 0
        finally:
            recorder.kill()
    assert recordings.read_one(tmp_path / "profiles").end.reason == "stop"


def test_a_thread_with_the_ident_of_one_that_ended_is_another():
    numbers = Numbers()
    seen = {"thread_id": 7, "os_thread_id": 10, "thread_name": "old"}
    later = {**seen, "os_thread_id": 11, "thread_name": "new"}
    assert numbers.thread(1, seen) != numbers.thread(1, later)


def test_a_kill_loses_a_second_at_most(begin, attach, tmp_path):
    recorder = attach(begin().pid)
    until = time.monotonic() + 60
    (path,) = (tmp_path / "profiles").glob("*.fspan")
    while not recordings.read(path).stats.passes:
        assert time.monotonic() < until
        time.sleep(0.2)
    recorder.kill()
    recorder.communicate()
    assert sum(len(samples) for samples in recordings.read(path).samples) > 1


def test_its_end_is_the_recordings(begin, attach, tmp_path):
    process = begin()
    recorder = attach(process.pid)
    time.sleep(1.5)
    process.kill()
    process.wait()
    _, err = recorder.communicate(timeout=60)
    assert recorder.returncode == 0, err
    assert recordings.read_one(tmp_path / "profiles").end.reason == "exit"


def test_what_cannot_be_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        for arguments, said in (
            ([str(sleeper.pid)], "it is no Python that py-spy knows"),
            (["4194305"], "there is no process 4194305"),
            ([str(sleeper.pid), "--rate", "0"], "--rate 0: give 0.1 to 100"),
            ([str(sleeper.pid), "--duration", "-1"], "--duration -1: give seconds"),
        ):
            assert main(["attach", *arguments]) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert said in line
        sleeper.kill()


def test_without_py_spy(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["attach", str(os.getpid())]) == 2
    assert "pip install py-spy" in capsys.readouterr().err


def test_who_may_not_look_is_told_what_to_do(begin, tmp_path):
    process = begin()
    code = (
        "import os, shlex, sys; from flamespan.profiler import attached, cli, pyspy; "
        "from flamespan.profiler.__main__ import main; spy = pyspy.program(); "
        "pyspy.program = lambda: spy; os.setgid(65534); os.setuid(65534); "
        f"sys.exit(main(['attach', '{process.pid}', '-o', '/tmp/never-made']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    if "Permission denied: '" in done.stderr:
        pytest.skip("another user may not even start this environment's programs")
    assert done.returncode == 2, done.stderr
    assert "as root" in done.stderr
