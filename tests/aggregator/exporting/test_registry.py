"""The table of formats, and how an export lands."""

import gzip
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from flamespan.aggregator import exporting
from flamespan.profiler.errors import UsageError
from helpers.drawn import draw
from helpers.scenes import shop

ROOT = Path(__file__).parents[3]


def needs(name):
    """Skip where what a format needs is not installed."""
    if name == "parquet":
        pytest.importorskip("pyarrow.parquet", reason="needs pyarrow: flamespan[arrow]")
    if name == "speedscope-html":
        pytest.importorskip("flamespan_speedscope", reason="needs viewer/speedscope-data")


@pytest.fixture(scope="module")
def profile():
    return shop().profile()


@pytest.mark.parametrize("name", list(exporting.FORMATS))
@pytest.mark.filterwarnings("ignore:OTLP profiles are experimental")
def test_every_format_writes_something(profile, name, tmp_path):
    needs(name)
    path = tmp_path / f"out{exporting.FORMATS[name].suffix}"
    exporting.export(profile, name, path)
    content = path.read_bytes()
    content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    # The page packs its data; its own tests read it.
    packed = {"html": b"application/octet-stream", "speedscope-html": b'id="profile"'}
    sign = packed.get(name, b"load_items")
    assert sign in content or b"GET /cart" in content
    assert os.listdir(tmp_path) == [path.name]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_formats_are_guessed_from_the_longest_suffix():
    guesses = {
        "a/out.json": "json",
        "out.speedscope.json": "speedscope",
        "out.merged.speedscope.json": "speedscope-merged",
        "out.pb.gz": "pprof",
        "out.trace.json": "chrome",
        "x.svg": "svg",
        "x.html": "html",
        "x.csv": "csv",
        "x.collapsed.txt": "collapsed",
        "x.txt": None,
    }
    assert {path: exporting.guess(path) for path in guesses} == guesses


def test_an_unknown_format_is_named_with_those_there_are(profile, tmp_path):
    with pytest.raises(UsageError, match="no export format 'pdf'; there are collapsed, speedscope"):
        exporting.export(profile, "pdf", tmp_path / "x.pdf")


def test_a_failed_export_leaves_the_old_file(profile, tmp_path, monkeypatch):
    path = tmp_path / "old.csv"
    path.write_text("old")

    def breaks(table, file, **_options):
        file.write("half of it")
        raise MemoryError

    monkeypatch.setattr("pandas.DataFrame.to_csv", breaks)
    with pytest.raises(MemoryError):
        exporting.export(profile, "csv", path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["old.csv"]


def test_paths_that_cannot_be_written_are_one_clear_line(profile, tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        exporting.export(profile, "csv", tmp_path)
    with pytest.raises(UsageError, match="No such file"):
        exporting.export(profile, "csv", tmp_path / "none" / "x.csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        exporting.export(profile, "csv", tmp_path / "file" / "x.csv")


def test_a_link_stays_a_link_and_a_pipe_is_written_to(profile, tmp_path):
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    exporting.export(profile, "csv", link)
    assert link.is_symlink()
    assert target.read_text().startswith("function,")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True)
    exporting.export(profile, "csv", pipe)
    assert reader.communicate(timeout=20)[0] == target.read_text()


def test_the_aggregator_runs_without_the_viewer():
    code = (
        "import sys, flamespan.aggregator.exporting, flamespan.aggregator.loading, "
        "flamespan.aggregator.cli, flamespan.aggregator.profile\n"
        "print([name for name in sys.modules if name.startswith('flamespan.viewer')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", list(exporting.FORMATS))
def test_what_a_format_cannot_hold_is_warned_of_once_and_documented(profile, name, tmp_path):
    needs(name)
    lost = exporting.FORMATS[name].leaves_out
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        exporting.export(profile, name, tmp_path / "x")
    told = [str(warning.message) for warning in said if "leaves out" in str(warning.message)]
    page = f"docs/formats/{name}.md"
    assert told == ([f"{name} leaves out: {', '.join(lost)} ({page})"] if lost else [])
    assert (ROOT / page).exists()
    assert f"formats/{name}.md" in (ROOT / "docs" / "formats.md").read_text()


def test_what_a_profile_does_not_have_is_not_missed():
    assert exporting.left_out(draw([("a", 10)]).clock("cpu"), "collapsed") == ["times"]
    assert exporting.left_out(draw([]), "csv") == []
