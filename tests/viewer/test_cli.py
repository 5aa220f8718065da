"""view and plot on the command line."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from flamespan.profiler.__main__ import main
from helpers.scenes import shop


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return str(shop().write(tmp_path_factory.mktemp("profiles") / "shop.fspan"))


@pytest.mark.parametrize(
    ("kind", "suffix", "start"),
    [
        ("flamegraph", "png", b"\x89PNG"),
        ("timeline", "svg", b"<?xml"),
        ("self-time", "pdf", b"%PDF"),
    ],
)
def test_plot_writes_a_picture_and_says_where(recording, tmp_path, capsys, kind, suffix, start):
    path = tmp_path / f"picture.{suffix}"
    assert main(["plot", recording, "--kind", kind, "-o", str(path), "--dpi", "50"]) == 0
    assert path.read_bytes().startswith(start)
    size = f"{path.stat().st_size:,}"
    assert capsys.readouterr().out == f"wrote {path} ({kind}, {size} bytes)\n"
    assert os.listdir(tmp_path) == [path.name]


def test_plot_names_the_picture_after_the_recording(recording, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["plot", recording, "--dpi", "50", "--transaction", "GET /cart"]) == 0
    assert os.listdir(tmp_path) == ["shop.flamegraph.png"]


def test_view_serves_the_page_until_it_is_interrupted(recording):
    repository = "https://git.example/{release}/{path}#L{line}"
    command = [sys.executable, "-m", "flamespan.profiler", "view", recording, "--no-open"]
    command += ["--repository", repository, "--editor", ""]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            url = re.fullmatch(
                r"serving (http://127\.0\.0\.1:\d+/[\w-]+/) \(Ctrl-C ends it\)\n", line
            )[1]
            with urllib.request.urlopen(f"{url}recording?r=all", timeout=60) as answer:
                packed = gzip.decompress(answer.read())
            head = json.loads(packed[8 : 8 + int.from_bytes(packed[:4], "little")])
            assert head["links"] == {"repository": repository, "editor": ""}
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) in (0, 130)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plot", "{shop}", "--kind", "pie"], "--kind 'pie': there are flamegraph, timeline"),
        (["plot", "{shop}", "-o", "x.gif"], "x.gif: write a name that ends with .png, .svg, .pdf"),
        (["plot", "{shop}", "--dpi", "9"], "--dpi 9: there are 10 to 1200"),
        (["plot", "{shop}", "--kind", "self-time", "--limit", "0"], "ask for 1 or more"),
        (["plot", "{shop}", "-o", "/no/such/x.png"], "cannot be written: No such file"),
        (["plot", "{shop}", "--kind", "timeline", "--states", "gc"], "no thread has samples"),
        (["plot", "nowhere"], "nowhere: no such file or folder"),
        (["view", "nowhere", "--no-open"], "nowhere: no such file or folder"),
        (["view", "{shop}", "--port", "70000"], "--port 70000: there are 0 to 65535"),
        (["view", "{shop}", "--no-open", "--repository", "ftp://x"], "--repository 'ftp://x'"),
        (["view", "{shop}", "--no-open", "--editor", "javascript:x"], "--editor 'javascript:x'"),
        (["view", "{shop}", "--npx"], "--npx goes with --speedscope"),
    ],
)
def test_bad_input_is_one_clear_line(recording, capsys, arguments, said):
    assert main([argument.format(shop=recording) for argument in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("flamespan: ")
    assert said in line
