"""The import rules that a linter cannot see: what gets loaded when a user imports a part."""

from __future__ import annotations

import subprocess
import sys

import pytest

SHOW = "import sys; {}; print(*sorted(sys.modules))"
# Python 3.15 keeps hints about modules that a distributor left out in a module it does not list.
STDLIB = set(sys.stdlib_module_names) | {"__main__", "_missing_stdlib_info"}


def loaded_by(statement: str) -> set[str]:
    """Modules that ``statement`` loads in a fresh interpreter, beyond what start-up loads."""

    def run(code: str) -> set[str]:
        command = [sys.executable, "-c", SHOW.format(code)]
        return set(
            subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        )

    return run(statement) - run("pass")


def foreign(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules} - STDLIB - {"flamespan"}


@pytest.mark.parametrize(
    "statement",
    [
        "import flamespan.profiler",
        "from flamespan.profiler import start, stop, span, transaction, Profiler",
        "import flamespan.profiler.samplefile",
        "import flamespan.profiler.__main__",
    ],
)
def test_the_profiler_needs_the_standard_library_only(statement):
    assert not foreign(loaded_by(statement))


def test_reading_loads_neither_engine_nor_session():
    ours = {
        name for name in loaded_by("from flamespan.aggregator import load") if "profiler" in name
    }
    assert not {name for name in ours if "engine" in name or "session" in name or "spans" in name}


def test_naming_the_packages_loads_next_to_nothing():
    for package in ("profiler", "aggregator", "viewer"):
        loaded = loaded_by(f"import flamespan.{package}")
        assert not foreign(loaded)
        assert not any(name.count(".") > 1 for name in loaded if name.startswith("flamespan"))


def test_our_folders_are_not_importable_by_their_own_names():
    for name in ("profiler", "aggregator", "viewer"):
        failed = subprocess.run(
            [sys.executable, "-c", f"import {name}"], check=False, cwd="/", capture_output=True
        )
        assert b"ModuleNotFoundError" in failed.stderr


def test_importing_every_module_hides_no_public_name():
    code = (
        "import importlib, pkgutil, flamespan.aggregator as aggregator;"
        "[importlib.import_module(f'flamespan.aggregator.{module.name}')"
        " for module in pkgutil.iter_modules(aggregator.__path__)];"
        "print(*(name for name in aggregator.__all__ if not callable(getattr(aggregator, name))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
