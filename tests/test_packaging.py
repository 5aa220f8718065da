"""The package list in pyproject.toml is written by hand; here it is compared with the tree."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import flamespan.profiler

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("profiler", "aggregator", "viewer")
DATA = ROOT / "viewer" / "speedscope-data"  # a project of its own
MODULES = [
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if not path.is_relative_to(DATA)
]


def test_every_package_is_listed():
    found = {
        "flamespan." + ".".join(path.parent.relative_to(ROOT).parts)
        for path in MODULES
        if path.name == "__init__.py"
    }
    # The hook's folder goes onto PYTHONPATH: it is no package, and holds nothing else.
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found | {"flamespan.profiler.hook"}


def test_data_files_are_installed():
    installed = Path(flamespan.profiler.__file__).parents[1]
    for folder in FOLDERS:
        assert (installed / folder / "py.typed").is_file()
    assert (installed / "profiler" / "FORMAT.md").is_file()
    pages = {path.name for path in (ROOT / "viewer" / "page").iterdir() if path.is_file()}
    assert pages <= {path.name for path in (installed / "viewer" / "page").iterdir()}


def test_every_module_says_what_it_is_for():
    silent = [str(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent


def test_the_version_is_told_once():
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert f"## {PROJECT['project']['version']}" in changes
