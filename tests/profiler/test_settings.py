"""Options from the environment and from pyproject.toml."""

from __future__ import annotations

import inspect

import pytest

from flamespan.profiler import autostart, session, settings
from flamespan.profiler.errors import UsageError


def test_every_argument_of_start_can_be_given_from_outside():
    assert {keyword for keyword, _ in settings.SETTINGS.values()} == set(
        inspect.signature(session.start).parameters
    )


def test_the_environment_comes_before_the_file(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[tool.flamespan]\nfolder = "there"\nrate = 250\nmax-depth = [10, 5]\nc_calls = true\n'
    )
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    environ = {"FLAMESPAN": "here", "FLAMESPAN_SERVICE": "shop", "FLAMESPAN_MAX_SPANS_PER_S": "7"}
    assert settings.given(environ, inner) == {
        "directory": "here",
        "rate_hz": 250.0,
        "max_depth": (10, 5),
        "c_calls": True,
        "service": "shop",
        "max_spans_per_s": 7,
    }
    assert "rate_hz" not in settings.given({**environ, "FLAMESPAN_CONFIG": ""}, inner)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"FLAMESPAN_RATE": "fast"}, "FLAMESPAN_RATE: rate cannot be 'fast'"),
        ({"FLAMESPAN_RAET": "100"}, "FLAMESPAN_RAET: no option 'raet'; there are folder, rate"),
        ({"FLAMESPAN_C_CALLS": "maybe"}, "yes or no"),
        ({"FLAMESPAN_MAX_DEPTH": "200"}, "max_depth cannot be '200': it is two whole numbers"),
        ({"FLAMESPAN_MAX_FILE_BYTES": "64M"}, "it is a whole number"),
    ],
)
def test_what_cannot_be_is_said_with_its_place(environ, said):
    with pytest.raises(UsageError, match=said):
        settings.from_environment(environ)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.flamespan]\nspeed = 3", "no option 'speed'"),
        ("[tool", "pyproject.toml"),
        ("tool = 3", "pyproject.toml: tool is not a table"),
        ("[tool]\nflamespan = 3", "flamespan is not a table"),
        ("[tool.flamespan]\nfolder = 3", "folder cannot be 3: it is text"),
        ("[tool.flamespan]\nrate = true", "rate cannot be True: it is a number"),
        ("[tool.flamespan]\nmax-file-bytes = 1.5", "it is a whole number"),
        ("[tool.flamespan]\nmax_depth = [1]", "it is two whole numbers"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_with_its_place(tmp_path, text, said):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(UsageError, match=said):
        settings.given({}, tmp_path)


@pytest.mark.parametrize(
    "options", [{"max_file_bytes": 0}, {"max_file_age_s": -1.0}, {"max_file_age_s": float("nan")}]
)
def test_limits_of_files_that_cannot_be(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        session.Profiler(**options)


def test_whether_other_programs_record_is_yes_or_no():
    words, environ = ["python", "app.py"], {"FLAMESPAN_PID": "7"}
    for said, wanted in (("no", False), ("FALSE", False), ("yes", True)):
        environ["FLAMESPAN_SUBPROCESSES"] = said
        assert autostart.is_wanted(environ, words, 99) is wanted
    with pytest.raises(UsageError, match="FLAMESPAN_SUBPROCESSES cannot be 'maybe'"):
        autostart.is_wanted({**environ, "FLAMESPAN_SUBPROCESSES": "maybe"}, words, 99)


def test_what_a_child_is_told_is_what_it_reads():
    arguments = {
        "directory": "/x", "rate_hz": 50.0, "max_depth": (9, 8), "c_calls": True, "service": None,
        "mode": "transactions", "transaction_sample_rate": lambda *_: True,
    }  # fmt: skip
    told = settings.told(arguments)
    left = {"service", "transaction_sample_rate"}
    assert settings.from_environment(told) == {k: v for k, v in arguments.items() if k not in left}
