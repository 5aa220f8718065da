"""Source text in the page: only of files that are here and unchanged, else the reason."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from flamespan.aggregator import load
from flamespan.profiler.errors import UsageError
from flamespan.viewer import sources
from flamespan.viewer.pagedata import page_data
from flamespan.viewer.sources import Links

PROGRAM = """\
import time
from flamespan import profiler

def work():
    until = time.thread_time() + 0.2
    while time.thread_time() < until:
        pass

profiler.start("profiles", release="app@1.2.0")
work()
profiler.stop()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("app")
    (folder / "package").mkdir()
    (folder / "package" / "main.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "package/main.py"],
        cwd=folder,
        check=False,
        timeout=60,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def file(folder):
    """The program's file, as it was when it was recorded; restored afterwards."""
    file = folder / "package" / "main.py"
    before = file.stat()
    yield file
    file.write_text(PROGRAM)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def told(folder, file, **links):
    return page_data(load(folder / "profiles"), links=Links(**links)).head["sources"][str(file)]


def test_text_and_path_of_an_unchanged_file(folder, file):
    assert told(folder, file) == {"path": "package/main.py", "text": PROGRAM}


def test_no_source_is_asked_for(folder, file):
    assert told(folder, file, sources=False) == {
        "path": "package/main.py",
        "why": "The page was written without source text.",
    }


def test_a_changed_file_is_not_shown(folder, file):
    file.write_text(PROGRAM + "# later\n")
    assert "changed after the recording began" in told(folder, file)["why"]


def test_an_older_version_is_not_shown(folder, file):
    """Put back with its old time (as git and tar may do), but with other lines."""
    before = file.stat()
    file.write_text("import os\n" * 5 + PROGRAM)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "another version" in told(folder, file)["why"]


def test_a_missing_file(folder, file):
    file.unlink()
    assert told(folder, file)["why"] == "The file is not on this machine."


def test_another_machine(folder, file, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    assert "recorded on another machine" in told(folder, file)["why"]


def test_a_full_page(folder, file, monkeypatch):
    monkeypatch.setattr(sources, "BUDGET_BYTES", 10)
    assert "The page is full" in told(folder, file)["why"]


def test_a_file_that_is_no_text(folder, file):
    before = file.stat()
    file.write_bytes(b"\xff\xfe\x00" * 10)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "could not be read" in told(folder, file)["why"]


@pytest.mark.parametrize(
    ("links", "said"),
    [
        ({"repository": "javascript:alert(1)"}, "http"),
        ({"repository": "git@host:me/app"}, "http"),
        ({"repository": "https://x/{branch}/{path}"}, "no {branch}"),
        ({"editor": "javascript:alert(1)"}, "must be an address"),
        ({"editor": "no address"}, "must be an address"),
        ({"editor": "vim://{where}"}, "no {where}"),
    ],
)
def test_templates_that_cannot_be(links, said):
    with pytest.raises(UsageError, match=said):
        Links(**links)


def flamespan(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "flamespan.profiler", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_command_line(folder, tmp_path):
    out = tmp_path / "page.html"
    done = flamespan(
        "export", folder / "profiles", "-f", "html", "-o", out, "--repository",
        "https://git.example/{release}/{path}#L{line}", "--no-source",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert out.exists()
    done = flamespan("export", folder / "profiles", "-f", "svg", "-o", out, "--no-source")
    assert done.returncode == 2
    assert "-f html" in done.stderr
    done = flamespan(
        "export", folder / "profiles", "-f", "html", "-o", out, "--repository", "ftp://x"
    )
    assert done.returncode == 2
    assert "--repository" in done.stderr
