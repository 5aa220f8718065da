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


def flag(value: Any) -> bool:
    """Yes or no, in words. Raises ValueError for others."""
    word = str(value).strip().lower()
    if word not in (*_YES, *_NO):
        raise ValueError("it is yes or no")
    return word in _YES


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("it is text")
    return value


def _number(value: Any) -> float:
    try:
        return float("" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        raise ValueError("it is a number") from None


def _whole(value: Any) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise ValueError("it is a whole number") from None


def _depth(value: Any) -> tuple[int, int]:
    try:
        leaf, root = value.split(",") if isinstance(value, str) else value
        return _whole(leaf), _whole(root)
    except (TypeError, ValueError):
        raise ValueError("it is two whole numbers, as 200,56") from None


SETTINGS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "folder": ("directory", _text),
    "rate": ("rate_hz", _number),
    "service": ("service", _text),
    "release": ("release", _text),
    "environment": ("environment", _text),
    "engine": ("engine", _text),
    "budget": ("budget", _number),
    "c_calls": ("c_calls", flag),
    "max_depth": ("max_depth", _depth),
    "max_file_bytes": ("max_file_bytes", _whole),
    "max_file_age_s": ("max_file_age_s", _number),
    "max_folder_bytes": ("max_folder_bytes", _whole),
    "mode": ("mode", _text),
    "transaction_sample_rate": ("transaction_sample_rate", _number),
    "max_spans_per_s": ("max_spans_per_s", _whole),
    "max_open_spans": ("max_open_spans", _whole),
    "scrub": ("scrub", _text),
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
            table: Any = tomllib.load(file)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    where = f"[tool.flamespan] in {path}"
    for key in ("tool", "flamespan"):
        table = table.get(key, {})
        if not isinstance(table, dict):
            raise UsageError(f"{where}: {key} is not a table")
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
