"""Options from the environment and from pyproject.toml."""

from __future__ import annotations

import inspect

import pytest

from flamespan.profiler import session, settings
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
    ],
)
def test_what_cannot_be_is_said_with_its_place(environ, said):
    with pytest.raises(UsageError, match=said):
        settings.from_environment(environ)


@pytest.mark.parametrize(
    ("text", "said"),
    [("[tool.flamespan]\nspeed = 3", "no option 'speed'"), ("[tool", "pyproject.toml")],
)
def test_a_file_that_cannot_be_read_is_said_with_its_place(tmp_path, text, said):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(UsageError, match=said):
        settings.given({}, tmp_path)


def test_what_a_child_is_told_is_what_it_reads():
    arguments = {
        "directory": "/x", "rate_hz": 50.0, "max_depth": (9, 8), "c_calls": True, "service": None,
        "mode": "transactions", "transaction_sample_rate": lambda *_: True,
    }  # fmt: skip
    told = settings.told(arguments)
    left = {"service", "transaction_sample_rate"}
    assert settings.from_environment(told) == {k: v for k, v in arguments.items() if k not in left}
