"""A virtual environment for another interpreter, with this checkout and what programs need."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[3]
_SOURCES = ("profiler", "aggregator", "viewer", "pyproject.toml", "README.md", "LICENSE")
WANTED = ("gevent", "trio", "sentry-sdk", "pyinstrument")


def make(python: str, folder: Path) -> str:
    """The interpreter of a new environment in ``folder``; what cannot be installed is told.

    Raises CalledProcessError where there is no environment, or flamespan cannot be installed.
    """
    subprocess.run([python, "-m", "venv", str(folder / "venv")], check=True)
    inside = str(folder / "venv" / "bin" / "python")
    # A copy, since building leaves files behind, and the next interpreter is not to find them.
    source = folder / "source"
    source.mkdir()
    for name in _SOURCES:
        copy = shutil.copytree if (_CHECKOUT / name).is_dir() else shutil.copy
        copy(_CHECKOUT / name, source / name)
    # Recording needs the standard library only.
    subprocess.run(_pip(inside, "--no-deps", str(source)), check=True)
    for package in WANTED:
        if subprocess.run(
            _pip(inside, "--prefer-binary", package), check=False, capture_output=True
        ).returncode:
            print(f"{python}: {package} cannot be installed", file=sys.stderr)
    return inside


def _pip(python: str, *arguments: str) -> list[str]:
    return [python, "-m", "pip", "install", "--quiet", *arguments]
