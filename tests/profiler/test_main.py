"""The command line's manners: one line per mistake, exit codes, quiet ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

from flamespan.profiler import __main__ as command
from flamespan.profiler.errors import SampleFileError, UsageError


def test_help_names_every_command(capsys):
    assert command.main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"\n  {name}" in said for name in command.COMMANDS)


def test_no_command_is_a_mistake(capsys):
    assert command.main([]) == 2
    assert "usage:" in capsys.readouterr().out


def test_unknown_command_lists_the_known_ones(capsys):
    assert command.main(["frobnicate"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("flamespan: no command 'frobnicate'; there are: run, report")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", sorted(command.COMMANDS))
def test_every_command_has_help(name):
    done = subprocess.run(
        [sys.executable, "-m", "flamespan.profiler", name, "--help"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "not installed" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    assert f"flamespan {name}" in done.stdout


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("do that instead"), 2, "flamespan: do that instead\n"),
        (UsageError("regressed", exit_code=1), 1, "flamespan: regressed\n"),
        (SampleFileError("x.fspan", 5, "broken"), 2, "flamespan: x.fspan at 5: broken\n"),
        (
            ModuleNotFoundError("No module named 'matplotlib.x'", name="matplotlib.x"),
            2,
            "flamespan: this needs matplotlib, which is not installed: pip install matplotlib\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_become_one_line(monkeypatch, capsys, error, code, line):
    def fail(given):
        raise error

    monkeypatch.setattr(command, "_dispatch", fail)
    assert command.main(["report"]) == code
    assert capsys.readouterr().err == line


def test_errors_of_ours_are_not_hidden(monkeypatch):
    def fail(given):
        raise ModuleNotFoundError("No module named 'flamespan.gone'", name="flamespan.gone")

    monkeypatch.setattr(command, "_dispatch", fail)
    with pytest.raises(ModuleNotFoundError):
        command.main(["report"])


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX pipes")
def test_a_reader_that_leaves_ends_us_quietly():
    with subprocess.Popen(
        [sys.executable, "-c", ("import sys; from flamespan.profiler import __main__ as m;"
         "m._dispatch = lambda given: [print('x' * 1000, flush=True) for _ in range(10000)];"
         "sys.exit(m.main([]))")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(10) == 0
