"""Opens a profile in speedscope: from its installed files, by its command, or through npx."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from flamespan.aggregator import exporting
from flamespan.profiler.errors import UsageError

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

PACKAGE = "speedscope@1.25.0"
"""What npx fetches: pinned, so that what runs is what was tried."""


def release() -> Path | None:
    """The folder of speedscope's files, from the package flamespan-speedscope; None: not here."""
    found = importlib.util.find_spec("flamespan_speedscope")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "release"
    return folder if (folder / "index.html").is_file() else None


def command(*, npx: bool) -> list[str]:
    """How to start speedscope here; the file's path goes behind it.

    UsageError with the ways to get it where it is not installed and ``npx`` was not asked for
    (it fetches from the network the first time) or is not there.
    """
    found = shutil.which("speedscope")
    if found:
        return [found]
    runner = shutil.which("npx")
    if npx and runner:
        return [runner, "--yes", PACKAGE]
    ways = f"install it (npm install -g {PACKAGE}, or pip install viewer/speedscope-data)"
    if npx:
        raise UsageError(f"speedscope is not on PATH and neither is npx (part of Node.js): {ways}")
    raise UsageError(f"speedscope is not on PATH: {ways} or let npx fetch it once (--npx)")


def write_export(profile: Profile, kind: str = "speedscope") -> str:
    """Write the profile to a new temporary file, as this export format; returns the path."""
    folder = tempfile.mkdtemp(prefix="flamespan-")
    path = os.path.join(folder, f"profile{exporting.named(kind).suffix}")
    exporting.export(profile, kind, path)
    return path


def start(how: list[str], path: str) -> None:
    """Run speedscope on ``path``. It opens the browser and ends; UsageError where it fails."""
    try:
        done = subprocess.run([*how, path], check=False, capture_output=True, text=True)
    except OSError as error:
        raise UsageError(f"{how[0]} cannot be started: {error.strerror}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise UsageError(f"{' '.join(how)} failed: {said[-1] if said else done.returncode}")
