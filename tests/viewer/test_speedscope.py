"""Handing over to speedscope: found, fetched when asked, or told how to get."""

import os
import stat

import pytest

from flamespan.profiler.__main__ import main
from flamespan.profiler.errors import UsageError
from flamespan.viewer import speedscope
from helpers import speedscope_rules
from helpers.scenes import MS, shop


@pytest.fixture
def path_folder(tmp_path, monkeypatch):
    """A folder that is all of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(speedscope, "release", lambda: None)
    return folder


@pytest.fixture
def recording(tmp_path):
    return str(shop().write(tmp_path / "shop.fspan"))


def install(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_installed_one_comes_first(path_folder):
    install(path_folder, "npx", "")
    mine = install(path_folder, "speedscope", "")
    assert speedscope.command(npx=True) == [mine]


def test_npx_runs_a_pinned_one_only_when_asked(path_folder):
    npx = install(path_folder, "npx", "")
    assert speedscope.command(npx=True) == [npx, "--yes", speedscope.PACKAGE]
    with pytest.raises(UsageError, match=r"npm install -g speedscope@1.*let npx fetch it.*--npx"):
        speedscope.command(npx=False)


def test_without_npx_the_message_says_so(path_folder):
    with pytest.raises(UsageError, match="neither is npx"):
        speedscope.command(npx=True)


def test_view_writes_the_view_and_starts_it(path_folder, recording, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    install(path_folder, "speedscope", f'echo "$1" > {tmp_path}/opened')
    assert main(["view", recording, "--speedscope", "--transaction", "GET /cart"]) == 0
    opened = (tmp_path / "opened").read_text().strip()
    assert f"wrote {opened}" in capsys.readouterr().out
    with open(opened) as file:
        data = speedscope_rules.check(file.read())
    assert sum(speedscope_rules.folded(data).values()) == 100 * MS


def test_no_open_only_writes(path_folder, recording, capsys):
    assert main(["view", recording, "--speedscope", "--no-open"]) == 0
    path = capsys.readouterr().out.split()[1]
    with open(path) as file:
        speedscope_rules.check(file.read())
    assert os.stat(os.path.dirname(path)).st_mode & 0o077 == 0


def test_a_speedscope_that_fails_is_one_line(path_folder, recording, capsys):
    install(path_folder, "speedscope", "echo trouble >&2; echo no browser >&2; exit 3")
    assert main(["view", recording, "--speedscope"]) == 2
    assert capsys.readouterr().err.endswith("speedscope failed: no browser\n")


def test_it_is_looked_for_before_the_recording_is_read(path_folder, capsys):
    assert main(["view", "no-such-file", "--speedscope"]) == 2
    assert "speedscope is not on PATH" in capsys.readouterr().err


def test_the_single_file_says_what_it_needs(recording, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(speedscope, "release", lambda: None)
    page = str(tmp_path / "x.html")
    assert main(["export", recording, "-f", "speedscope-html", "-o", page]) == 2
    assert "pip install viewer/speedscope-data" in capsys.readouterr().err
    assert not os.path.exists(page)
