"""Files of an npm package, fetched once into pytest's cache; where npm cannot, tests skip."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest


def fetched(config: pytest.Config, package: str) -> Path:
    """The unpacked folder of ``package``, such as ``axe-core@4.11.4``."""
    cache = Path(config.cache.mkdir("npm")) / package.replace("@", "-")
    if not (cache / "package").exists():
        npm = shutil.which("npm") or pytest.skip(f"npm is not installed: no {package}")
        cache.mkdir(parents=True, exist_ok=True)
        command = [npm, "pack", package, "--silent", "--pack-destination", str(cache)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            pytest.skip(f"npm cannot fetch {package}: {done.stderr.strip()[-200:]}")
        (packed,) = cache.glob("*.tgz")
        with tarfile.open(packed) as archive:
            archive.extractall(cache, filter="data")
    return cache / "package"
