"""Options that come from outside of the program: the environment's, and those of pyproject.toml.

``FLAMESPAN`` names the folder, ``FLAMESPAN_RATE``, ``FLAMESPAN_SERVICE``, … the rest; in
``[tool.flamespan]`` of the nearest pyproject.toml, from the working folder upwards, they are
``folder``, ``rate``, ``service``, …. The environment comes first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flamespan.profiler.errors import UsageError

FOLDER = "FLAMESPAN"
PREFIX = "FLAMESPAN_"
CONFIG = "FLAMESPAN_CONFIG"
"""A pyproject.toml to read instead of the nearest; empty: none."""

_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


def _flag(value: Any) -> bool:
    word = str(value).strip().lower()
    if word not in (*_YES, *_NO):
        raise ValueError("it is yes or no")
    return word in _YES


def _depth(value: Any) -> tuple[int, int]:
    parts = value.split(",") if isinstance(value, str) else list(value)
    leaf, root = (int(part) for part in parts)
    return leaf, root


SETTINGS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "folder": ("directory", str),
    "rate": ("rate_hz", float),
    "service": ("service", str),
    "release": ("release", str),
    "environment": ("environment", str),
    "engine": ("engine", str),
    "budget": ("budget", float),
    "c_calls": ("c_calls", _flag),
    "max_depth": ("max_depth", _depth),
    "max_file_bytes": ("max_file_bytes", int),
    "max_file_age_s": ("max_file_age_s", float),
    "max_folder_bytes": ("max_folder_bytes", int),
    "mode": ("mode", str),
    "transaction_sample_rate": ("transaction_sample_rate", float),
    "max_spans_per_s": ("max_spans_per_s", int),
    "max_open_spans": ("max_open_spans", int),
    "scrub": ("scrub", str),
}
"""What each is called outside → the argument of ``profiler.start`` and how to read it."""

OURS = ("pid", "again", "config", "subprocesses", "control")
"""FLAMESPAN_ variables that are no options of ``start``."""


def given(environ: Mapping[str, str], folder: str | os.PathLike[str] = ".") -> dict[str, Any]:
    """The arguments of ``profiler.start`` that environment and pyproject.toml give.

    Raises UsageError for a name that is none or a value that cannot be, naming where it stands.
    """
    found = from_file(_config(environ, Path(folder)))
    found.update(from_environment(environ))
    return found


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """What ``FLAMESPAN`` and ``FLAMESPAN_*`` say."""
    found: dict[str, Any] = {}
    if environ.get(FOLDER):
        found["directory"] = environ[FOLDER]
    for variable, value in environ.items():
        name = variable[len(PREFIX) :].lower() if variable.startswith(PREFIX) else ""
        if name and name not in OURS and value:
            found.update([_read(name, value, variable)])
    return found


def from_file(path: Path | None) -> dict[str, Any]:
    """What ``[tool.flamespan]`` of a pyproject.toml says."""
    if path is None:
        return {}
    import tomllib  # noqa: PLC0415 - slow to load, and few need it

    try:
        with path.open("rb") as file:
            table = tomllib.load(file).get("tool", {}).get("flamespan", {})
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from None
    where = f"[tool.flamespan] in {path}"
    return dict(_read(name.replace("-", "_"), value, where) for name, value in table.items())


def _config(environ: Mapping[str, str], folder: Path) -> Path | None:
    if CONFIG in environ:
        return Path(environ[CONFIG]) if environ[CONFIG] else None
    for place in (folder.resolve(), *folder.resolve().parents):
        path = place / "pyproject.toml"
        if path.is_file():
            return path
    return None


def _read(name: str, value: Any, where: str) -> tuple[str, Any]:
    if name not in SETTINGS:
        raise UsageError(f"{where}: no option {name!r}; there are {', '.join(SETTINGS)}")
    keyword, read = SETTINGS[name]
    try:
        return keyword, read(value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}: {name} cannot be {value!r}: {error}") from None


def told(arguments: Mapping[str, Any]) -> dict[str, str]:
    """The environment that tells a child process these arguments of ``profiler.start``."""
    found = {}
    for name, (keyword, _) in SETTINGS.items():
        value = arguments.get(keyword)
        if value is None or callable(value):
            continue
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        found[FOLDER if name == "folder" else PREFIX + name.upper()] = text
    return found
